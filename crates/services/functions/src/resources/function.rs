//! `AWS::Lambda::Function`.

use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::properties::{Field, Form, fault, is_unresolved, optional, read, required};
use contract::{Attributes, Change, Document, Naming, PropertyFault, ResourceType, Step};
use serde_json::{Map, Value, json};
use wire::lambda as op;

use super::{GONE, step, text_at};

/// The type.
pub(super) struct Function;

pub(super) const FIELDS: &[Field] = &[
    optional("Architectures", Form::ListOf(&Form::Text)),
    required(
        "Code",
        Form::Fields(&[
            optional("ImageUri", Form::Text),
            optional("S3Bucket", Form::Text),
            optional("S3Key", Form::Text),
            optional("S3ObjectVersion", Form::Text),
            optional("SourceKMSKeyArn", Form::Text),
            optional("ZipFile", Form::Text),
        ]),
    ),
    optional("CodeSigningConfigArn", Form::Text),
    optional("DeadLetterConfig", Form::Fields(&[optional("TargetArn", Form::Text)])),
    optional("Description", Form::Text),
    optional("Environment", Form::Fields(&[optional("Variables", Form::MapOf(&Form::Text))])),
    optional("EphemeralStorage", Form::Fields(&[required("Size", Form::Whole)])),
    optional("FileSystemConfigs", Form::ListOf(&Form::Anything)),
    optional("FunctionName", Form::Text),
    optional("Handler", Form::Text),
    optional("ImageConfig", Form::Anything),
    optional("KmsKeyArn", Form::Text),
    optional("Layers", Form::ListOf(&Form::Text)),
    optional(
        "LoggingConfig",
        Form::Fields(&[
            optional("ApplicationLogLevel", Form::Text),
            optional("LogFormat", Form::Text),
            optional("LogGroup", Form::Text),
            optional("SystemLogLevel", Form::Text),
        ]),
    ),
    optional("MemorySize", Form::Whole),
    optional("PackageType", Form::Text),
    optional("RecursiveLoop", Form::Text),
    optional("ReservedConcurrentExecutions", Form::Whole),
    required("Role", Form::Text),
    optional("Runtime", Form::Text),
    optional(
        "RuntimeManagementConfig",
        Form::Fields(&[optional("RuntimeVersionArn", Form::Text), required("UpdateRuntimeOn", Form::Text)]),
    ),
    optional("SnapStart", Form::Fields(&[required("ApplyOn", Form::Text)])),
    optional("Tags", Form::ListOf(&Form::Fields(&[required("Key", Form::Text), optional("Value", Form::Text)]))),
    optional("Timeout", Form::Whole),
    optional("TracingConfig", Form::Fields(&[optional("Mode", Form::Text)])),
    optional(
        "VpcConfig",
        Form::Fields(&[
            optional("Ipv6AllowedForDualStack", Form::Flag),
            optional("SecurityGroupIds", Form::ListOf(&Form::Text)),
            optional("SubnetIds", Form::ListOf(&Form::Text)),
        ]),
    ),
];

/// Makes what stands for a property that is not set.
type Default = fn() -> Value;

/// The settings that `UpdateFunctionConfiguration` takes under the template's own names, and what stands for "not set".
const SETTINGS: &[(&str, Default)] = &[
    ("DeadLetterConfig", || json!({ "TargetArn": "" })),
    ("Description", || json!("")),
    ("Environment", || json!({ "Variables": {} })),
    ("EphemeralStorage", || json!({ "Size": 512 })),
    ("FileSystemConfigs", || json!([])),
    ("ImageConfig", || json!({})),
    ("Layers", || json!([])),
    ("LoggingConfig", || json!({ "LogFormat": "Text" })),
    ("MemorySize", || json!(128)),
    ("SnapStart", || json!({ "ApplyOn": "None" })),
    ("Timeout", || json!(3)),
    ("TracingConfig", || json!({ "Mode": "PassThrough" })),
    ("VpcConfig", || json!({ "SubnetIds": [], "SecurityGroupIds": [] })),
];

/// The longest name that a function may have.
const NAME_LENGTH_MAX: usize = 64;

impl ResourceType for Function {
    fn name(&self) -> &'static str {
        "AWS::Lambda::Function"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        let read = read(properties, FIELDS)?;
        if read["Code"].get("ZipFile").is_some_and(|source| !is_unresolved(source)) {
            inline_name(&read)?;
        }
        Ok(())
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        let named = properties.get("FunctionName").and_then(Value::as_str);
        Some(named.map_or_else(|| naming.physical(NAME_LENGTH_MAX), str::to_owned))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let mut read = read(properties, FIELDS)?;
        let name = self.physical_id(properties, naming).unwrap_or_default();
        let code = code(&read)?;
        let tags = tags(&read);
        let extras = [
            read.remove("ReservedConcurrentExecutions").map(|number| reserve(&name, number)),
            read.remove("RecursiveLoop").map(|recursive| recurse(&name, recursive)),
            read.remove("RuntimeManagementConfig").map(|config| manage(&name, config)),
        ];
        let mut input = read;
        input.insert("FunctionName".into(), name.into());
        input.insert("Code".into(), code);
        if let Some(arn) = input.remove("KmsKeyArn") {
            input.insert("KMSKeyArn".into(), arn);
        }
        match tags.is_empty() {
            true => input.remove("Tags"),
            false => input.insert("Tags".into(), Value::Object(tags)),
        };
        let mut steps = vec![step::<op::CreateFunction>(Value::Object(input))];
        steps.extend(extras.into_iter().flatten());
        Ok(steps)
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        let (old, new) = (read(old, FIELDS)?, read(new, FIELDS)?);
        if ["FunctionName", "PackageType"].into_iter().any(|fixed| old.get(fixed) != new.get(fixed)) {
            return Ok(Change::Replace);
        }
        let mut steps = Vec::new();
        if ["Code", "Architectures"].into_iter().any(|part| old.get(part) != new.get(part))
            || (old.get("Runtime") != new.get("Runtime") && new["Code"].get("ZipFile").is_some())
        {
            steps.push(update_code(physical_id, &new)?);
        }
        steps.extend(update_settings(physical_id, &old, &new));
        steps.extend(update_tags(physical_id, naming, &tags(&old), &tags(&new)));
        if old.get("ReservedConcurrentExecutions") != new.get("ReservedConcurrentExecutions") {
            steps.push(match new.get("ReservedConcurrentExecutions") {
                Some(number) => reserve(physical_id, number.clone()),
                None => step::<op::DeleteFunctionConcurrency>(json!({ "FunctionName": physical_id })),
            });
        }
        if old.get("RecursiveLoop") != new.get("RecursiveLoop") {
            steps.push(recurse(physical_id, new.get("RecursiveLoop").cloned().unwrap_or("Terminate".into())));
        }
        if old.get("RuntimeManagementConfig") != new.get("RuntimeManagementConfig") {
            let auto = json!({ "UpdateRuntimeOn": "Auto" });
            steps.push(manage(physical_id, new.get("RuntimeManagementConfig").cloned().unwrap_or(auto)));
        }
        if old.get("CodeSigningConfigArn") != new.get("CodeSigningConfigArn") {
            return Err(fault("CodeSigningConfigArn", "packages are not signed here; leave it out"));
        }
        Ok(Change::InPlace(steps))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![step::<op::DeleteFunction>(json!({ "FunctionName": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(step::<op::GetFunction>(json!({ "FunctionName": physical_id })))
    }

    fn settled(&self, answer: &Document) -> Result<bool, String> {
        for (state, reason) in [("State", "StateReason"), ("LastUpdateStatus", "LastUpdateStatusReason")] {
            match text_at(answer, &format!("/Configuration/{state}")).as_str() {
                "Failed" => return Err(text_at(answer, &format!("/Configuration/{reason}"))),
                "Pending" | "InProgress" => return Ok(false),
                _ => {}
            }
        }
        Ok(true)
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        let snap_start = |member: &str| text_at(answer, &format!("/Configuration/SnapStart/{member}")).into();
        Attributes {
            reference: physical_id.to_owned(),
            named: vec![
                ("Arn", text_at(answer, "/Configuration/FunctionArn").into()),
                ("SnapStartResponse.ApplyOn", snap_start("ApplyOn")),
                ("SnapStartResponse.OptimizationStatus", snap_start("OptimizationStatus")),
            ],
        }
    }
}

fn update_code(name: &str, new: &Map<String, Value>) -> Result<Step, PropertyFault> {
    let Value::Object(mut input) = code(new)? else { return Err(fault("Code", "must be an object")) };
    input.insert("FunctionName".into(), name.into());
    if let Some(architectures) = new.get("Architectures") {
        input.insert("Architectures".into(), architectures.clone());
    }
    Ok(step::<op::UpdateFunctionCode>(Value::Object(input)))
}

/// One step with every setting that differs; one that is gone from the template goes back to its default.
fn update_settings(name: &str, old: &Map<String, Value>, new: &Map<String, Value>) -> Option<Step> {
    let mut input = Map::new();
    for (setting, default) in SETTINGS {
        if old.get(*setting) != new.get(*setting) {
            input.insert((*setting).to_owned(), new.get(*setting).cloned().unwrap_or_else(default));
        }
    }
    for property in ["Handler", "Role", "Runtime"] {
        if old.get(property) != new.get(property)
            && let Some(value) = new.get(property)
        {
            input.insert(property.to_owned(), value.clone());
        }
    }
    if old.get("KmsKeyArn") != new.get("KmsKeyArn") {
        input.insert("KMSKeyArn".into(), new.get("KmsKeyArn").cloned().unwrap_or("".into()));
    }
    if input.is_empty() {
        return None;
    }
    input.insert("FunctionName".into(), name.into());
    Some(step::<op::UpdateFunctionConfiguration>(Value::Object(input)))
}

fn update_tags(name: &str, naming: &Naming, old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<Step> {
    let arn = format!("arn:aws:lambda:{}:{}:function:{name}", naming.region, naming.account);
    let gone: Vec<&String> = old.keys().filter(|key| !new.contains_key(*key)).collect();
    let set: Map<String, Value> = new
        .iter()
        .filter(|(key, value)| old.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let mut steps = Vec::new();
    if !gone.is_empty() {
        steps.push(step::<op::UntagResource>(json!({ "Resource": arn, "TagKeys": gone })));
    }
    if !set.is_empty() {
        steps.push(step::<op::TagResource>(json!({ "Resource": arn, "Tags": set })));
    }
    steps
}

fn reserve(name: &str, number: Value) -> Step {
    step::<op::PutFunctionConcurrency>(json!({ "FunctionName": name, "ReservedConcurrentExecutions": number }))
}

fn recurse(name: &str, recursive: Value) -> Step {
    step::<op::PutFunctionRecursionConfig>(json!({ "FunctionName": name, "RecursiveLoop": recursive }))
}

fn manage(name: &str, mut config: Value) -> Step {
    config["FunctionName"] = name.into();
    step::<op::PutRuntimeManagementConfig>(config)
}

/// `[{Key, Value}]` as the map that operations take.
fn tags(read: &Map<String, Value>) -> Map<String, Value> {
    let tags = read.get("Tags").and_then(Value::as_array);
    let pair = |tag: &Value| {
        let value = tag.get("Value").cloned().unwrap_or("".into());
        Some((tag.get("Key")?.as_str()?.to_owned(), value))
    };
    tags.into_iter().flatten().filter_map(pair).collect()
}

/// `Code` with the source of `ZipFile`, which templates write as text, packed into an archive.
fn code(read: &Map<String, Value>) -> Result<Value, PropertyFault> {
    let mut code = read["Code"].clone();
    let source = code.get("ZipFile").and_then(Value::as_str).map(str::to_owned);
    if let Some(source) = source {
        code["ZipFile"] = pack(inline_name(read)?, &source).into();
    }
    Ok(code)
}

/// The file that inline source becomes.
fn inline_name(read: &Map<String, Value>) -> Result<&'static str, PropertyFault> {
    match read.get("Runtime").and_then(Value::as_str) {
        Some(runtime) if runtime.starts_with("nodejs") => Ok("index.js"),
        Some(runtime) if runtime.starts_with("python") => Ok("index.py"),
        // It is not known yet, and will be when the function is made.
        None if read.get("Runtime").is_some_and(is_unresolved) => Ok("index.js"),
        Some(_) | None => Err(fault(
            "Code.ZipFile",
            "source can be written into the template for Node.js and Python only; put the code into a package",
        )),
    }
}

/// An archive of one file, the same bytes each time, in base64.
fn pack(name: &str, source: &str) -> String {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o644);
    let written = archive.start_file(name, options).map_err(std::io::Error::other);
    let written = written.and_then(|()| archive.write_all(source.as_bytes()));
    let archive = written.and_then(|()| archive.finish().map_err(std::io::Error::other));
    STANDARD.encode(archive.expect("writing one small file to memory cannot fail").into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::testing::{changes, naming, operations};

    fn properties() -> Value {
        json!({
            "Role": "arn:aws:iam::000000000000:role/any",
            "Runtime": "nodejs22.x",
            "Handler": "index.handler",
            "Code": { "ZipFile": "exports.handler = async () => 1" },
            "Timeout": "10",
            "Tags": [{ "Key": "a", "Value": "1" }],
        })
    }

    fn with(changed: Value) -> Value {
        let mut properties = properties();
        for (key, value) in changed.as_object().unwrap() {
            properties[key] = value.clone();
        }
        properties
    }

    #[test]
    fn a_function_is_created_with_one_call_and_what_has_calls_of_its_own() {
        let all = with(json!({
            "ReservedConcurrentExecutions": 5,
            "RecursiveLoop": "Allow",
            "RuntimeManagementConfig": { "UpdateRuntimeOn": "FunctionUpdate" },
        }));
        let steps = Function.create(&all, &naming()).unwrap();
        assert_eq!(
            operations(&steps),
            ["CreateFunction", "PutFunctionConcurrency", "PutFunctionRecursionConfig", "PutRuntimeManagementConfig"]
        );
        let input = &steps[0].input;
        assert_eq!(input["FunctionName"], "stack-Thing-abc123");
        assert_eq!(input["Timeout"], 10);
        assert_eq!(input["Tags"], json!({ "a": "1" }));
        let zip = STANDARD.decode(input["Code"]["ZipFile"].as_str().unwrap()).unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
        let source = std::io::read_to_string(archive.by_name("index.js").unwrap()).unwrap();
        assert_eq!(source, "exports.handler = async () => 1");
        assert_eq!(Function.create(&all, &naming()).unwrap(), steps, "the same template makes the same package");
    }

    #[test]
    fn names_are_the_templates_or_made() {
        assert_eq!(Function.physical_id(&properties(), &naming()).as_deref(), Some("stack-Thing-abc123"));
        let named = with(json!({ "FunctionName": "greet" }));
        assert_eq!(Function.physical_id(&named, &naming()).as_deref(), Some("greet"));
    }

    #[test]
    fn only_what_differs_is_updated() {
        for (changed, expected) in [
            (json!({}), Some(vec![])),
            (json!({ "Timeout": 10 }), Some(vec![])),
            (json!({ "Timeout": 11 }), Some(vec!["UpdateFunctionConfiguration"])),
            (json!({ "Code": { "ZipFile": "exports.handler = async () => 2" } }), Some(vec!["UpdateFunctionCode"])),
            (json!({ "Tags": [{ "Key": "b", "Value": "1" }] }), Some(vec!["UntagResource", "TagResource"])),
            (json!({ "Tags": [] }), Some(vec!["UntagResource"])),
            (json!({ "ReservedConcurrentExecutions": 0 }), Some(vec!["PutFunctionConcurrency"])),
            (json!({ "RecursiveLoop": "Allow" }), Some(vec!["PutFunctionRecursionConfig"])),
            (json!({ "FunctionName": "other" }), None),
            (json!({ "PackageType": "Zip" }), None),
        ] {
            let change = Function.update("f", &naming(), &properties(), &with(changed.clone())).unwrap();
            assert_eq!(changes(&change), expected, "{changed}");
        }
    }

    #[test]
    fn what_is_gone_from_the_template_goes_back_to_its_default() {
        let mut less = properties();
        less.as_object_mut().unwrap().remove("Timeout");
        let Change::InPlace(steps) = Function.update("f", &naming(), &properties(), &less).unwrap() else {
            panic!("it can be done in place")
        };
        assert_eq!(steps[0].input, json!({ "Timeout": 3, "FunctionName": "f" }));
        let Change::InPlace(steps) =
            Function.update("f", &naming(), &properties(), &with(json!({"Tags": []}))).unwrap()
        else {
            panic!("it can be done in place")
        };
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        assert_eq!(steps[0].input, json!({ "Resource": arn, "TagKeys": ["a"] }));
    }

    #[test]
    fn properties_are_checked_before_anything_is_made() {
        assert_eq!(Function.check(&properties()), Ok(()));
        for (changed, path) in [
            (json!({ "Memory": 1 }), "Memory"),
            (json!({ "Code": { "Zip": "x" } }), "Code.Zip"),
            (json!({ "Timeout": "long" }), "Timeout"),
            (json!({ "Role": null }), "Role"),
            (json!({ "Runtime": "provided.al2023" }), "Code.ZipFile"),
        ] {
            assert_eq!(Function.check(&with(changed)).unwrap_err().path, path);
        }
        assert_eq!(Function.check(&with(json!({ "Role": { "Fn::GetAtt": ["R", "Arn"] } }))), Ok(()));
    }

    #[test]
    fn states_settle() {
        let state = |state: &str, update: &str| {
            Function.settled(&json!({ "Configuration": {
                "State": state, "LastUpdateStatus": update, "StateReason": "why", "LastUpdateStatusReason": "so"
            } }))
        };
        assert_eq!(state("Active", "Successful"), Ok(true));
        assert_eq!(state("Pending", "Successful"), Ok(false));
        assert_eq!(state("Active", "InProgress"), Ok(false));
        assert_eq!(state("Failed", "Successful"), Err("why".into()));
        assert_eq!(state("Active", "Failed"), Err("so".into()));
    }
}
