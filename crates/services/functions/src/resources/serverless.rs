//! `AWS::Serverless::Function`: a function, and, where the template asks for them, its URL with the permission to call it, and a
//! version that is published with each change of the code, with an alias that points at it.
//!
//! There are no roles yet: a function without `Role` gets the ARN that SAM's own role would have, and `Policies` and
//! `PermissionsBoundary`, which describe that role, are taken and have no effect: in open mode a function may do everything, and
//! where signatures are checked it may do what resource policies allow. What would change how a function behaves and cannot be
//! served is refused by name, never dropped.

mod asynchronous;

use contract::properties::{Field, Form, fault, is_unresolved, no_such_property, optional, read};
use contract::{Document, Expansion, PropertyFault, ResourceMacro};
use serde_json::{Map, Value, json};

use super::{events, provision};

/// The type.
pub(super) struct Function;

const FIELDS: &[Field] = &[
    optional("Architectures", Form::Anything),
    optional("AssumeRolePolicyDocument", Form::Anything),
    optional("AutoPublishAlias", Form::Text),
    optional("AutoPublishAliasAllProperties", Form::Flag),
    optional("AutoPublishCodeSha256", Form::Text),
    optional("CodeSigningConfigArn", Form::Text),
    optional("CodeUri", Form::Anything),
    optional("DeadLetterQueue", Form::Anything),
    optional("DeploymentPreference", Form::Anything),
    optional("Description", Form::Text),
    optional("Environment", Form::Anything),
    optional("EphemeralStorage", Form::Anything),
    optional("EventInvokeConfig", Form::Anything),
    optional("Events", Form::Anything),
    optional("FileSystemConfigs", Form::Anything),
    optional("FunctionName", Form::Text),
    optional("FunctionUrlConfig", Form::Anything),
    optional("Handler", Form::Text),
    optional("ImageConfig", Form::Anything),
    optional("ImageUri", Form::Text),
    optional("InlineCode", Form::Text),
    optional("KmsKeyArn", Form::Text),
    optional("Layers", Form::Anything),
    optional("LoggingConfig", Form::Anything),
    optional("MemorySize", Form::Whole),
    optional("PackageType", Form::Text),
    optional("PermissionsBoundary", Form::Text),
    optional("Policies", Form::Anything),
    optional("PropagateTags", Form::Flag),
    optional("ProvisionedConcurrencyConfig", Form::Anything),
    optional("RecursiveLoop", Form::Text),
    optional("ReservedConcurrentExecutions", Form::Whole),
    optional("Role", Form::Text),
    optional("RolePath", Form::Text),
    optional("Runtime", Form::Text),
    optional("RuntimeManagementConfig", Form::Anything),
    optional("SnapStart", Form::Anything),
    optional("SourceKMSKeyArn", Form::Text),
    optional("Tags", Form::MapOf(&Form::Text)),
    optional("Timeout", Form::Whole),
    optional("Tracing", Form::Text),
    optional("VersionDescription", Form::Text),
    optional("VpcConfig", Form::Anything),
];

/// What has the same name and form in `AWS::Lambda::Function`.
const COPIED: &[&str] = &[
    "Architectures",
    "CodeSigningConfigArn",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "FunctionName",
    "Handler",
    "ImageConfig",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Runtime",
    "RuntimeManagementConfig",
    "SnapStart",
    "Timeout",
    "VpcConfig",
];

/// What cannot be served yet, with the reason.
const UNSERVED: &[(&str, &str)] = &[("DeploymentPreference", "changes take effect at once")];

impl ResourceMacro for Function {
    fn name(&self) -> &'static str {
        "AWS::Serverless::Function"
    }

    fn globals(&self) -> Option<&'static str> {
        Some("Function")
    }

    fn expand(&self, logical_id: &str, resource: &Document) -> Result<Expansion, PropertyFault> {
        let properties = read(&resource["Properties"], FIELDS)?;
        refuse_unserved(&properties)?;
        let mut expansion = Expansion::default();
        let code = code(&properties)?;
        let alias = match properties.get("AutoPublishAlias") {
            None => None,
            Some(Value::String(alias)) => Some(alias.as_str()),
            Some(_) => return Err(fault("AutoPublishAlias", "must be a name that is known before deployment")),
        };
        match (alias, properties.get(provision::NAME)) {
            (Some(alias), _) => publish(logical_id, alias, &properties, &code, &mut expansion),
            (None, Some(_)) => {
                return Err(fault(provision::NAME, "belongs to an alias: say with AutoPublishAlias what it is called"));
            }
            (None, None) => {}
        }
        expansion.resources.insert(0, (logical_id.to_owned(), function(logical_id, &properties, code)?));
        if let Some(config) = properties.get("EventInvokeConfig") {
            let alias = alias.map(|alias| (alias, alias_id(logical_id, alias)));
            asynchronous::configure(logical_id, alias, config, &mut expansion)?;
        }
        if let Some(url) = properties.get("FunctionUrlConfig") {
            address(logical_id, alias, url, &mut expansion)?;
        }
        let target = match alias {
            Some(alias) => format!("{logical_id}Alias{}", letters(alias)),
            None => logical_id.to_owned(),
        };
        let woken = events::Woken { id: logical_id, target: json!({ "Ref": target }) };
        events::expand(&woken, properties.get("Events"), &mut expansion)?;
        Ok(expansion)
    }
}

fn refuse_unserved(properties: &Map<String, Value>) -> Result<(), PropertyFault> {
    if let Some((name, why)) = UNSERVED.iter().find(|(name, _)| properties.contains_key(*name)) {
        return Err(fault(*name, format!("is not served yet ({why}); leave it out")));
    }
    Ok(())
}

fn function(id: &str, properties: &Map<String, Value>, code: Value) -> Result<Value, PropertyFault> {
    let mut wanted = Map::new();
    wanted.insert("Code".into(), code);
    for name in COPIED {
        if let Some(value) = properties.get(*name) {
            wanted.insert((*name).to_owned(), value.clone());
        }
    }
    // What SAM's own role would be called, but for CloudFormation's random end, so that it is the same each time.
    let role = || json!({ "Fn::Sub": format!("arn:aws:iam::${{AWS::AccountId}}:role/${{AWS::StackName}}-{id}Role") });
    wanted.insert("Role".into(), properties.get("Role").cloned().unwrap_or_else(role));
    if let Some(mode) = properties.get("Tracing") {
        wanted.insert("TracingConfig".into(), json!({ "Mode": mode }));
    }
    if let Some(Value::Object(tags)) = properties.get("Tags") {
        let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        wanted.insert("Tags".into(), Value::Array(tags));
    }
    if let Some(queue) = properties.get("DeadLetterQueue") {
        wanted.insert("DeadLetterConfig".into(), asynchronous::dead_letter(queue)?);
    }
    Ok(json!({ "Type": "AWS::Lambda::Function", "Properties": wanted }))
}

/// `Code`, from `InlineCode`, `CodeUri` or `ImageUri`.
fn code(properties: &Map<String, Value>) -> Result<Value, PropertyFault> {
    let mut code = match (properties.get("InlineCode"), properties.get("CodeUri"), properties.get("ImageUri")) {
        (Some(source), None, None) => json!({ "ZipFile": source }),
        (None, Some(uri), None) => object("CodeUri", uri)?,
        (None, None, Some(image)) => json!({ "ImageUri": image }),
        (None, None, None) if properties.get("PackageType").is_some_and(|kind| kind == "Image") => {
            return Err(fault(
                "ImageUri",
                "is required for PackageType Image. SAM builds images from Metadata.Dockerfile; Freehold does not: build and save it, \
                 'docker build -t NAME CONTEXT && docker save NAME -o image.tar' (podman and buildah do the same), and write \
                 ImageUri: file:./image.tar, or push it to a registry and write its name",
            ));
        }
        (None, None, None) => return Err(fault("CodeUri", "is required, or InlineCode")),
        (..) => return Err(fault("CodeUri", "is one of three; InlineCode and ImageUri cannot stand beside it")),
    };
    if let Some(key) = properties.get("SourceKMSKeyArn") {
        code["SourceKMSKeyArn"] = key.clone();
    }
    Ok(code)
}

/// Where a package lies: as CloudFormation writes it, as SAM does, or as an address.
pub(super) fn object(property: &str, uri: &Value) -> Result<Value, PropertyFault> {
    let member = |sam: &str, lambda: &str| uri.get(lambda).or_else(|| uri.get(sam)).cloned();
    match uri {
        Value::Object(_) if !is_unresolved(uri) => {
            let (Some(bucket), Some(key)) = (member("Bucket", "S3Bucket"), member("Key", "S3Key")) else {
                return Err(fault(property, "must have Bucket and Key"));
            };
            let mut code = json!({ "S3Bucket": bucket, "S3Key": key });
            if let Some(version) = member("Version", "S3ObjectVersion") {
                code["S3ObjectVersion"] = version;
            }
            Ok(code)
        }
        Value::String(text) => match text.strip_prefix("s3://").and_then(|path| path.split_once('/')) {
            Some((bucket, key)) => Ok(json!({ "S3Bucket": bucket, "S3Key": key })),
            None => Err(fault(
                property,
                format!(
                    "'{text}' is a folder on somebody's disk, and the node has no copy of it; deploy with freehold, which sends it"
                ),
            )),
        },
        _ => Err(fault(property, "must be a folder, an s3:// address or an object with Bucket and Key")),
    }
}

/// The version whose name follows from the code, so that new code makes a new version, and the alias that points at it.
fn publish(id: &str, alias: &str, properties: &Map<String, Value>, code: &Value, expansion: &mut Expansion) {
    let everything = properties.get("AutoPublishAliasAllProperties") == Some(&Value::Bool(true));
    let content = match properties.get("AutoPublishCodeSha256") {
        Some(sha256) => sha256.to_string(),
        None if everything => Value::Object(properties.clone()).to_string(),
        None => code.to_string(),
    };
    let digest = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content.as_bytes()));
    let (version_id, alias_id) = (format!("{id}Version{}", &digest[..10]), alias_id(id, alias));
    let mut version = json!({ "FunctionName": { "Ref": id } });
    if let Some(description) = properties.get("VersionDescription") {
        version["Description"] = description.clone();
    }
    expansion.resources.push((
        version_id.clone(),
        json!({
            "Type": "AWS::Lambda::Version",
            "DeletionPolicy": "Retain",
            "Properties": version,
        }),
    ));
    let mut wanted = json!({
        "Name": alias,
        "FunctionName": { "Ref": id },
        "FunctionVersion": { "Fn::GetAtt": [version_id, "Version"] },
    });
    if let Some(provision) = properties.get(provision::NAME) {
        wanted[provision::NAME] = provision.clone();
    }
    expansion.resources.push((alias_id.clone(), json!({ "Type": "AWS::Lambda::Alias", "Properties": wanted })));
    expansion.names.push((format!("{id}.Version"), version_id));
    expansion.names.push((format!("{id}.Alias"), alias_id));
}

/// The URL, and for everybody's the two permissions that go with it: since October 2025 AWS wants both.
fn address(id: &str, alias: Option<&str>, config: &Value, expansion: &mut Expansion) -> Result<(), PropertyFault> {
    let Value::Object(config) = config else { return Err(fault("FunctionUrlConfig", "must be an object")) };
    const KNOWN: [&str; 3] = ["AuthType", "Cors", "InvokeMode"];
    if let Some(unknown) = config.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(fault(format!("FunctionUrlConfig.{unknown}"), no_such_property(unknown, &KNOWN)));
    }
    let auth = config.get("AuthType").ok_or_else(|| fault("FunctionUrlConfig.AuthType", "is required"))?;
    let mut url = config.clone();
    url.insert("TargetFunctionArn".into(), json!({ "Ref": id }));
    let (mut function, mut after) = (json!({ "Ref": id }), Vec::new());
    if let Some(alias) = alias {
        let alias_id = alias_id(id, alias);
        url.insert("Qualifier".into(), alias.into());
        function = json!({ "Ref": alias_id });
        after.push(alias_id);
    }
    let document = |kind: &str, properties: Value| match after.is_empty() {
        true => json!({ "Type": kind, "Properties": properties }),
        false => json!({ "Type": kind, "DependsOn": after, "Properties": properties }),
    };
    expansion.resources.push((format!("{id}Url"), document("AWS::Lambda::Url", Value::Object(url))));
    if auth == "NONE" {
        for (suffix, permission) in [
            (
                "UrlPublicPermissions",
                json!({ "Action": "lambda:InvokeFunctionUrl", "FunctionName": function, "Principal": "*",
                    "FunctionUrlAuthType": auth }),
            ),
            (
                "URLInvokeAllowPublicAccess",
                json!({ "Action": "lambda:InvokeFunction", "FunctionName": function, "Principal": "*",
                    "InvokedViaFunctionUrl": true }),
            ),
        ] {
            expansion.resources.push((format!("{id}{suffix}"), document("AWS::Lambda::Permission", permission)));
        }
    }
    Ok(())
}

/// The logical id of the alias.
fn alias_id(id: &str, alias: &str) -> String {
    format!("{id}Alias{}", letters(alias))
}

/// Logical ids have letters and digits only.
fn letters(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::types;

    fn expand(properties: Value) -> Result<Expansion, PropertyFault> {
        Function.expand("Hello", &json!({ "Type": "AWS::Serverless::Function", "Properties": properties }))
    }

    fn plain() -> Value {
        json!({
            "CodeUri": { "S3Bucket": "_assets", "S3Key": "abc" },
            "Runtime": "nodejs22.x",
            "Handler": "index.handler",
        })
    }

    fn with(changed: Value) -> Value {
        let mut properties = plain();
        for (key, value) in changed.as_object().unwrap() {
            properties[key] = value.clone();
        }
        properties
    }

    fn ids(expansion: &Expansion) -> Vec<&str> {
        expansion.resources.iter().map(|(id, _)| id.as_str()).collect()
    }

    #[test]
    fn a_plain_function_is_one_resource_with_a_role_made_up() {
        let expansion = expand(with(
            json!({ "Tags": { "a": 1 }, "Tracing": "Active", "Policies": ["AWSLambdaBasicExecutionRole"] }),
        ))
        .unwrap();
        assert_eq!(
            expansion.resources,
            [(
                "Hello".to_owned(),
                json!({
                    "Type": "AWS::Lambda::Function",
                    "Properties": {
                        "Code": { "S3Bucket": "_assets", "S3Key": "abc" },
                        "Handler": "index.handler",
                        "Runtime": "nodejs22.x",
                        "Role": { "Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/${AWS::StackName}-HelloRole" },
                        "TracingConfig": { "Mode": "Active" },
                        "Tags": [{ "Key": "a", "Value": "1" }],
                    },
                })
            )]
        );
    }

    #[test]
    fn everything_that_comes_out_passes_the_types_checks() {
        let everything = with(json!({
            "FunctionName": "hello", "Description": "d", "MemorySize": "256", "Timeout": 5, "Architectures": ["x86_64"],
            "Environment": { "Variables": { "TABLE": { "Ref": "Table" } } }, "EphemeralStorage": { "Size": 1024 },
            "LoggingConfig": { "LogFormat": "Text" }, "RecursiveLoop": "Allow", "ReservedConcurrentExecutions": 3,
            "RuntimeManagementConfig": { "UpdateRuntimeOn": "Auto" }, "SnapStart": { "ApplyOn": "None" },
            "AutoPublishAlias": "live-1", "VersionDescription": "v",
            "ProvisionedConcurrencyConfig": { "ProvisionedConcurrentExecutions": 1 },
            "FunctionUrlConfig": { "AuthType": "NONE", "Cors": { "AllowOrigins": ["*"] }, "InvokeMode": "BUFFERED" },
        }));
        let expansion = expand(everything).unwrap();
        let version = ids(&expansion)[1].to_owned();
        assert_eq!(
            ids(&expansion),
            [
                "Hello",
                &version,
                "HelloAliaslive1",
                "HelloUrl",
                "HelloUrlPublicPermissions",
                "HelloURLInvokeAllowPublicAccess"
            ]
        );
        assert_eq!(
            expansion.names,
            [("Hello.Version".to_owned(), version), ("Hello.Alias".to_owned(), "HelloAliaslive1".to_owned())]
        );
        for (id, document) in &expansion.resources {
            let kind = document["Type"].as_str().unwrap();
            let kind = types().into_iter().find(|known| known.name() == kind).expect("it is one of ours");
            assert_eq!(kind.check(&document["Properties"]), Ok(()), "{id}");
        }
        let alias = &expansion.resources[2].1;
        assert_eq!(
            alias["Properties"]["ProvisionedConcurrencyConfig"],
            json!({ "ProvisionedConcurrentExecutions": 1 })
        );
        let url = &expansion.resources[3].1;
        assert_eq!(url["DependsOn"], json!(["HelloAliaslive1"]));
        assert_eq!(url["Properties"]["Qualifier"], "live-1");
        // A URL asks for both permissions, so everybody's must come with both.
        let granted = |position: usize| &expansion.resources[position].1["Properties"];
        assert_eq!(granted(4)["Action"], "lambda:InvokeFunctionUrl");
        assert_eq!(granted(4)["FunctionUrlAuthType"], "NONE");
        assert_eq!(granted(5)["Action"], "lambda:InvokeFunction");
        assert_eq!(granted(5)["InvokedViaFunctionUrl"], true);
        assert_eq!(granted(5)["FunctionName"], json!({ "Ref": "HelloAliaslive1" }));
    }

    #[test]
    fn new_code_makes_a_new_version_and_the_same_code_does_not() {
        let version = |properties: Value| ids(&expand(properties).unwrap())[1].to_owned();
        let one = with(json!({ "AutoPublishAlias": "live" }));
        let two = with(json!({ "AutoPublishAlias": "live", "CodeUri": { "Bucket": "_assets", "Key": "def" } }));
        let slower = with(json!({ "AutoPublishAlias": "live", "Timeout": 9 }));
        assert_eq!(version(one.clone()), version(one.clone()));
        assert_ne!(version(one.clone()), version(two));
        assert_eq!(version(one.clone()), version(slower.clone()));
        let all = |mut properties: Value| {
            properties["AutoPublishAliasAllProperties"] = true.into();
            version(properties)
        };
        assert_ne!(all(one), all(slower));
    }

    #[test]
    fn code_is_found_in_every_form() {
        for (uri, expected) in [
            (json!("s3://bucket/a/b.zip"), Ok(json!({ "S3Bucket": "bucket", "S3Key": "a/b.zip" }))),
            (
                json!({ "Bucket": "b", "Key": "k", "Version": "v" }),
                Ok(json!({ "S3Bucket": "b", "S3Key": "k", "S3ObjectVersion": "v" })),
            ),
            (json!("src/"), Err("deploy with freehold")),
            (json!({ "Bucket": "b" }), Err("must have Bucket and Key")),
            (json!({ "Ref": "Code" }), Err("must be a folder")),
        ] {
            match (expand(with(json!({ "CodeUri": uri }))), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.resources[0].1["Properties"]["Code"], expected),
                (Err(fault), Err(expected)) => assert!(fault.message.contains(expected), "{}", fault.message),
                (found, expected) => panic!("{found:?} instead of {expected:?}"),
            }
        }
        let inline = json!({ "InlineCode": "x = 1", "Runtime": "python3.13", "Handler": "index.x" });
        assert_eq!(expand(inline).unwrap().resources[0].1["Properties"]["Code"], json!({ "ZipFile": "x = 1" }));
    }

    #[test]
    fn what_is_not_served_is_named() {
        for (changed, path, expected) in [
            (
                json!({ "Events": { "Get": { "Type": "HttpApi", "Properties": {} } } }),
                "Events.Get",
                "events of type HttpApi are not served yet",
            ),
            (json!({ "DeploymentPreference": { "Type": "AllAtOnce" } }), "DeploymentPreference", "is not served yet"),
            (json!({ "DeadLetterQueue": {} }), "DeadLetterQueue.TargetArn", "is required"),
            (json!({ "Handeler": "x" }), "Handeler", "there is no such property"),
            (json!({ "FunctionUrlConfig": {} }), "FunctionUrlConfig.AuthType", "is required"),
            (
                json!({ "FunctionUrlConfig": { "AuthType": "NONE", "Auth": 1 } }),
                "FunctionUrlConfig.Auth",
                "no such property",
            ),
            (
                json!({ "ProvisionedConcurrencyConfig": { "ProvisionedConcurrentExecutions": 1 } }),
                "ProvisionedConcurrencyConfig",
                "AutoPublishAlias",
            ),
            (json!({ "InlineCode": "x" }), "CodeUri", "is one of three"),
            (json!({ "AutoPublishAlias": { "Ref": "Other" } }), "AutoPublishAlias", "known before deployment"),
        ] {
            let fault = expand(with(changed)).unwrap_err();
            assert_eq!(fault.path, path);
            assert!(fault.message.contains(expected), "{}", fault.message);
        }
        assert!(expand(with(json!({ "Events": {} }))).is_ok());
    }
}
