//! Leaving out what a node cannot run: functions in a language that is not installed, with the outputs that tell of them, so
//! that one missing interpreter does not keep the rest of an application down. Pure.

use serde_json::{Map, Value};

/// Takes functions in `unusable` languages (each with the reason) out of the template. A sentence for each.
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
    resources.retain(|id, _| !left_out.contains(id));
    if let Some(outputs) = template.get_mut("Outputs").and_then(Value::as_object_mut) {
        drop_outputs(outputs, &left_out);
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

fn drop_outputs(outputs: &mut Map<String, Value>, left_out: &[String]) {
    outputs.retain(|_, output| !left_out.iter().any(|id| names(output, id)));
}

/// Whether a value speaks of a resource, or of one that SAM makes beside it (`HelloUrl` beside `Hello`).
fn names(value: &Value, id: &str) -> bool {
    match value {
        Value::String(text) => {
            text.split(|letter: char| !letter.is_ascii_alphanumeric()).filter_map(|word| word.strip_prefix(id)).any(
                |rest| rest.is_empty() || ["Url", "Role", "Alias", "Version"].iter().any(|part| rest.starts_with(part)),
            )
        }
        Value::Array(all) => all.iter().any(|value| names(value, id)),
        Value::Object(all) => all.values().any(|value| names(value, id)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
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
                "Group": { "Type": "AWS::Logs::LogGroup" },
            },
            "Outputs": {
                "PyUrl": { "Value": { "Fn::GetAtt": ["PyUrl", "FunctionUrl"] } },
                "PyArn": { "Value": { "Fn::Sub": "arn is ${Py.Arn}" } },
                "NodeUrl": { "Value": { "Fn::GetAtt": ["NodeUrl", "FunctionUrl"] } },
                "Other": { "Value": "Pyramid" },
            },
        });
        let unusable = [("python3.13".to_owned(), "Python is not installed".to_owned())];
        assert_eq!(
            omit(&mut template, &unusable),
            [
                "hello-python was left out: it needs python3.13, and Python is not installed",
                "Plain was left out: it needs python3.13, and Python is not installed"
            ]
        );
        let keys = |name: &str| template[name].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys("Resources"), ["Node", "Group"]);
        assert_eq!(keys("Outputs"), ["NodeUrl", "Other"]);
    }

    #[test]
    fn where_everything_runs_nothing_changes() {
        let whole = json!({ "Resources": { "A": { "Type": "AWS::Lambda::Function", "Properties": { "Runtime": { "Ref": "X" } } } } });
        let mut template = whole.clone();
        assert!(omit(&mut template, &[("python3.13".to_owned(), String::new())]).is_empty());
        assert_eq!(template, whole);
    }
}
