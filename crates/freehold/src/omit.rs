//! Leaving out what a node cannot run: functions in a language that is not installed, with the outputs that tell of them, so
//! that one missing interpreter does not keep the rest of an application down. Pure.

use serde_json::Value;

/// Takes functions in `unusable` languages (each with the reason) out of the template, and with them what refers to them: without them
/// it would lead nowhere. A sentence for each.
pub(crate) fn omit(template: &mut Value, unusable: &[(String, String)]) -> Vec<String> {
    let inherited = template.pointer("/Globals/Function/Runtime").and_then(Value::as_str).map(ToOwned::to_owned);
    let Some(resources) = template.get_mut("Resources").and_then(Value::as_object_mut) else {
        return Vec::new();
    };
    let mut left_out = Vec::new();
    let mut warnings = Vec::new();
    for (id, resource) in resources.iter() {
        let Some(language) = language(resource, inherited.as_deref()) else { continue };
        if let Some((_, reason)) = unusable.iter().find(|(name, _)| name == language) {
            let name = resource.pointer("/Properties/FunctionName").and_then(Value::as_str).unwrap_or(id);
            warnings.push(format!("{name} was left out: it needs {language}, and {reason}"));
            left_out.push(id.clone());
        }
    }
    let mut done = 0;
    while done < left_out.len() {
        let gone = left_out[done].clone();
        done += 1;
        for (id, resource) in resources.iter() {
            if !left_out.contains(id) && refers(resource, &gone) {
                warnings.push(format!("{id} was left out: it refers to {gone}"));
                left_out.push(id.clone());
            }
        }
    }
    resources.retain(|id, _| !left_out.contains(id));
    if let Some(outputs) = template.get_mut("Outputs").and_then(Value::as_object_mut) {
        outputs.retain(|_, output| !left_out.iter().any(|id| refers(output, id)));
    }
    warnings
}

/// The language of a function, where the template says it outright.
fn language<'a>(resource: &'a Value, inherited: Option<&'a str>) -> Option<&'a str> {
    let own = resource.pointer("/Properties/Runtime").and_then(Value::as_str);
    match resource.get("Type").and_then(Value::as_str) {
        Some("AWS::Serverless::Function") => own.or(inherited),
        Some("AWS::Lambda::Function") => own,
        Some(_) | None => None,
    }
}

/// Whether a function or a `DependsOn` in a value names a resource, or one that SAM makes beside it (`HelloUrl` beside `Hello`).
fn refers(value: &Value, id: &str) -> bool {
    let Value::Object(members) = value else {
        return value.as_array().is_some_and(|items| items.iter().any(|item| refers(item, id)));
    };
    members.iter().any(|(key, value)| match (key.as_str(), value) {
        ("Ref" | "DependsOn" | "Fn::GetAtt", Value::String(name)) => means(name, id),
        ("Fn::GetAtt", Value::Array(parts)) => {
            parts.first().and_then(Value::as_str).is_some_and(|name| means(name, id))
        }
        ("DependsOn", Value::Array(names)) => names.iter().filter_map(Value::as_str).any(|name| means(name, id)),
        ("Fn::Sub", Value::String(text)) => in_text(text, id),
        ("Fn::Sub", Value::Array(parts)) => {
            parts.first().and_then(Value::as_str).is_some_and(|text| in_text(text, id))
                || parts.iter().any(|part| refers(part, id))
        }
        _ => refers(value, id),
    })
}

/// Whether `${NAME}` or `${NAME.ATTRIBUTE}` of that resource is in a text.
fn in_text(text: &str, id: &str) -> bool {
    text.split("${").skip(1).filter_map(|rest| rest.split('}').next()).any(|name| means(name.trim(), id))
}

/// Whether a name, perhaps with an attribute, is the resource's, or that of one that SAM makes beside it.
fn means(name: &str, id: &str) -> bool {
    let name = name.split('.').next().unwrap_or(name);
    name.strip_prefix(id).is_some_and(|rest| {
        rest.is_empty() || ["Url", "Role", "Alias", "Version"].iter().any(|part| rest.starts_with(part))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn functions_that_cannot_run_go_with_their_outputs() {
        let mut template = json!({
            "Globals": { "Function": { "Runtime": "python3.13" } },
            "Resources": {
                "Py": { "Type": "AWS::Serverless::Function", "Properties": { "FunctionName": "hello-python" } },
                "Node": { "Type": "AWS::Serverless::Function", "Properties": { "Runtime": "nodejs24.x" } },
                "Plain": { "Type": "AWS::Lambda::Function", "Properties": { "Runtime": "python3.13" } },
                "Group": { "Type": "AWS::Logs::LogGroup", "Properties": { "LogGroupName": "/about/Py" } },
                "PyLog": { "Type": "AWS::Logs::LogGroup", "Properties": { "LogGroupName": { "Fn::Sub": "/aws/lambda/${Py}" } } },
                "PyStream": { "Type": "AWS::Logs::LogStream", "DependsOn": ["PyLog"] },
                "Open": { "Type": "AWS::Lambda::Permission", "Properties": { "FunctionName": { "Ref": "Plain" } } },
            },
            "Outputs": {
                "PyUrl": { "Value": { "Fn::GetAtt": ["PyUrl", "FunctionUrl"] } },
                "PyArn": { "Value": { "Fn::Sub": "arn is ${Py.Arn}" } },
                "NodeUrl": { "Value": { "Fn::GetAtt": ["NodeUrl", "FunctionUrl"] } },
                "Other": { "Value": "Pyramid and Py" },
                "Stream": { "Value": { "Fn::Join": ["", [{ "Ref": "PyStream" }]] } },
                "Literal": { "Value": { "Fn::Sub": ["${a}${!Py}", { "a": "Py" }] } },
            },
        });
        let unusable = [("python3.13".to_owned(), "Python is not installed".to_owned())];
        assert_eq!(
            omit(&mut template, &unusable),
            [
                "hello-python was left out: it needs python3.13, and Python is not installed",
                "Plain was left out: it needs python3.13, and Python is not installed",
                "PyLog was left out: it refers to Py",
                "Open was left out: it refers to Plain",
                "PyStream was left out: it refers to PyLog",
            ]
        );
        let keys = |name: &str| template[name].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys("Resources"), ["Node", "Group"]);
        assert_eq!(keys("Outputs"), ["NodeUrl", "Other", "Literal"]);
    }

    #[test]
    fn where_everything_runs_nothing_changes() {
        let whole = json!({ "Resources": { "A": { "Type": "AWS::Lambda::Function", "Properties": { "Runtime": { "Ref": "X" } } } } });
        let mut template = whole.clone();
        assert!(omit(&mut template, &[("python3.13".to_owned(), String::new())]).is_empty());
        assert_eq!(template, whole);
    }
}
