//! `AWS::Lambda::LayerVersion` and who may read it, and `AWS::Serverless::LayerVersion`. A version never changes: whatever does makes
//! the next one, under the same name. Its physical id is the version's ARN.

use contract::properties::{Field, Form, fault, optional, read, required};
use contract::{Attributes, Change, Document, Expansion, Naming, PropertyFault, ResourceMacro, ResourceType, Step};
use serde_json::{Map, Value, json};
use wire::lambda as op;

use super::{GONE, step, text_at};
use crate::model::layer::LayerName;

/// The type.
pub(super) struct LayerVersion;

/// `AWS::Lambda::LayerVersionPermission`. Its physical id is the version's ARN and the statement's, with a `#` between.
pub(super) struct LayerVersionPermission;

/// `AWS::Serverless::LayerVersion`.
pub(super) struct ServerlessLayer;

const FIELDS: &[Field] = &[
    optional("CompatibleArchitectures", Form::ListOf(&Form::Text)),
    optional("CompatibleRuntimes", Form::ListOf(&Form::Text)),
    required(
        "Content",
        Form::Fields(&[
            required("S3Bucket", Form::Text),
            required("S3Key", Form::Text),
            optional("S3ObjectVersion", Form::Text),
        ]),
    ),
    optional("Description", Form::Text),
    optional("LayerName", Form::Text),
    optional("LicenseInfo", Form::Text),
];

const PERMISSION: &[Field] = &[
    required("Action", Form::Text),
    required("LayerVersionArn", Form::Text),
    optional("OrganizationId", Form::Text),
    required("Principal", Form::Text),
];

const SERVERLESS: &[Field] = &[
    optional("CompatibleArchitectures", Form::Anything),
    optional("CompatibleRuntimes", Form::Anything),
    required("ContentUri", Form::Anything),
    optional("Description", Form::Text),
    optional("LayerName", Form::Text),
    optional("LicenseInfo", Form::Text),
    optional("PublishLambdaVersion", Form::Flag),
    optional("RetentionPolicy", Form::Text),
];

const SID_LENGTH_MAX: usize = 100;

impl ResourceType for LayerVersion {
    fn name(&self) -> &'static str {
        "AWS::Lambda::LayerVersion"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        read(properties, FIELDS).map(|_| ())
    }

    fn physical_id(&self, _properties: &Document, _naming: &Naming) -> Option<String> {
        None
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let mut input = read(properties, FIELDS)?;
        // Without the random end, so that what comes after it is the same layer's next version.
        let name = || format!("{}-{}", naming.stack, naming.logical_id).chars().take(LayerName::LENGTH_MAX).collect();
        input.entry("LayerName").or_insert_with(|| Value::String(name()));
        Ok(vec![step::<op::PublishLayerVersion>(Value::Object(input))])
    }

    fn identify(&self, answers: &[Document]) -> Option<String> {
        answers.first().map(|answer| text_at(answer, "/LayerVersionArn")).filter(|arn| !arn.is_empty())
    }

    fn update(
        &self,
        _physical_id: &str,
        _naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        match read(old, FIELDS)? == read(new, FIELDS)? {
            true => Ok(Change::InPlace(Vec::new())),
            false => Ok(Change::Replace),
        }
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        named(physical_id)
            .map(|input| step::<op::DeleteLayerVersion>(Value::Object(input)).tolerating(GONE))
            .into_iter()
            .collect()
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(step::<op::GetLayerVersionByArn>(json!({ "Arn": physical_id })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, _answer: &Document) -> Attributes {
        Attributes { reference: physical_id.to_owned(), named: vec![("LayerVersionArn", physical_id.into())] }
    }
}

/// What operations call the version of an ARN.
fn named(arn: &str) -> Option<Map<String, Value>> {
    let (layer, number) = LayerName::parse_version(arn)?;
    let members = [("LayerName", Value::from(layer.arn())), ("VersionNumber", number.into())];
    Some(members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
}

impl ResourceType for LayerVersionPermission {
    fn name(&self) -> &'static str {
        "AWS::Lambda::LayerVersionPermission"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        read(properties, PERMISSION).map(|_| ())
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        let arn = properties.get("LayerVersionArn").and_then(Value::as_str)?;
        Some(format!("{arn}#{}", naming.physical(SID_LENGTH_MAX)))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let mut input = read(properties, PERMISSION)?;
        let arn = input.remove("LayerVersionArn").unwrap_or_default();
        let arn = arn.as_str().unwrap_or_default();
        let layer = named(arn).ok_or_else(|| fault("LayerVersionArn", format!("'{arn}' is no layer's version")))?;
        input.extend(layer);
        input.insert("StatementId".into(), naming.physical(SID_LENGTH_MAX).into());
        Ok(vec![step::<op::AddLayerVersionPermission>(Value::Object(input))])
    }

    fn update(
        &self,
        _physical_id: &str,
        _naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        match read(old, PERMISSION)? == read(new, PERMISSION)? {
            true => Ok(Change::InPlace(Vec::new())),
            false => Ok(Change::Replace),
        }
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        let Some((arn, sid)) = physical_id.split_once('#') else { return Vec::new() };
        let Some(mut input) = named(arn) else { return Vec::new() };
        input.insert("StatementId".into(), sid.into());
        vec![step::<op::RemoveLayerVersionPermission>(Value::Object(input)).tolerating(GONE)]
    }

    fn read(&self, _physical_id: &str, _properties: &Document) -> Option<Step> {
        None
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, _answer: &Document) -> Attributes {
        Attributes { reference: physical_id.to_owned(), named: vec![("Id", physical_id.into())] }
    }
}

impl ResourceMacro for ServerlessLayer {
    fn name(&self) -> &'static str {
        "AWS::Serverless::LayerVersion"
    }

    fn globals(&self) -> Option<&'static str> {
        Some("LayerVersion")
    }

    /// SAM makes a new resource for each content, so that old versions stay unless the template says otherwise; here they are one
    /// resource, and what becomes of the version before is said beside it.
    fn expand(&self, logical_id: &str, resource: &Document) -> Result<Expansion, PropertyFault> {
        let mut properties = read(&resource["Properties"], SERVERLESS)?;
        properties.remove("PublishLambdaVersion");
        let policy = match properties.remove("RetentionPolicy") {
            None => "Retain",
            Some(Value::String(policy)) if policy.eq_ignore_ascii_case("Retain") => "Retain",
            Some(Value::String(policy)) if policy.eq_ignore_ascii_case("Delete") => "Delete",
            Some(_) => return Err(fault("RetentionPolicy", "must be Retain or Delete")),
        };
        let content = super::serverless::object("ContentUri", &properties.remove("ContentUri").unwrap_or_default())?;
        properties.insert("Content".into(), content);
        // SAM's layers are called as the template calls them.
        properties.entry("LayerName").or_insert_with(|| logical_id.into());
        let document = json!({
            "Type": "AWS::Lambda::LayerVersion",
            "DeletionPolicy": policy,
            "UpdateReplacePolicy": policy,
            "Properties": properties,
        });
        Ok(Expansion { resources: vec![(logical_id.to_owned(), document)], ..Expansion::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::testing::{changes, naming, operations};

    const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:layer:tools:3";

    #[test]
    fn every_change_is_the_next_version_of_the_same_layer() {
        let old = json!({ "Content": { "S3Bucket": "_assets", "S3Key": "abc" } });
        let steps = LayerVersion.create(&old, &naming()).unwrap();
        assert_eq!(operations(&steps), ["PublishLayerVersion"]);
        assert_eq!(steps[0].input["LayerName"], "stack-Thing");
        assert_eq!(LayerVersion.identify(&[json!({ "LayerVersionArn": ARN })]).as_deref(), Some(ARN));
        assert_eq!(changes(&LayerVersion.update(ARN, &naming(), &old, &old).unwrap()), Some(vec![]));
        let new = json!({ "Content": { "S3Bucket": "_assets", "S3Key": "def" } });
        assert_eq!(changes(&LayerVersion.update(ARN, &naming(), &old, &new).unwrap()), None);
        let layer = "arn:aws:lambda:us-east-1:000000000000:layer:tools";
        let deleted = &LayerVersion.delete(ARN, &old)[0];
        assert_eq!(deleted.input, json!({ "LayerName": layer, "VersionNumber": 3 }));
        assert_eq!(LayerVersion.attributes(ARN, &old, &Value::Null).reference, ARN);
        assert_eq!(LayerVersion.check(&json!({})).unwrap_err().path, "Content");
    }

    #[test]
    fn a_permission_is_a_statement_of_a_version() {
        let wanted = json!({ "Action": "lambda:GetLayerVersion", "LayerVersionArn": ARN, "Principal": "*" });
        let steps = LayerVersionPermission.create(&wanted, &naming()).unwrap();
        assert_eq!(operations(&steps), ["AddLayerVersionPermission"]);
        assert_eq!(
            (&steps[0].input["VersionNumber"], &steps[0].input["StatementId"]),
            (&3.into(), &"stack-Thing-abc123".into())
        );
        let id = LayerVersionPermission.physical_id(&wanted, &naming()).unwrap();
        assert_eq!(id, format!("{ARN}#stack-Thing-abc123"));
        assert_eq!(LayerVersionPermission.delete(&id, &wanted)[0].input["StatementId"], "stack-Thing-abc123");
        let wrong = json!({ "Action": "a", "LayerVersionArn": "tools", "Principal": "*" });
        assert_eq!(LayerVersionPermission.create(&wrong, &naming()).unwrap_err().path, "LayerVersionArn");
    }

    #[test]
    fn sams_layer_is_kept_unless_it_says_otherwise() {
        let expand = |properties: Value| ServerlessLayer.expand("Tools", &json!({ "Properties": properties }));
        let content = json!({ "Bucket": "_assets", "Key": "abc" });
        let (id, document) = expand(json!({ "ContentUri": content })).unwrap().resources.remove(0);
        assert_eq!((id.as_str(), &document["DeletionPolicy"]), ("Tools", &"Retain".into()));
        assert_eq!(
            document["Properties"],
            json!({ "Content": { "S3Bucket": "_assets", "S3Key": "abc" }, "LayerName": "Tools" })
        );
        assert_eq!(LayerVersion.check(&document["Properties"]), Ok(()));
        let gone = expand(json!({ "ContentUri": content, "RetentionPolicy": "Delete", "LayerName": "mine" })).unwrap();
        assert_eq!(gone.resources[0].1["UpdateReplacePolicy"], "Delete");
        assert_eq!(expand(json!({})).unwrap_err().path, "ContentUri");
        assert_eq!(expand(json!({ "ContentUri": "src/" })).unwrap_err().path, "ContentUri");
        assert_eq!(
            expand(json!({ "ContentUri": content, "RetentionPolicy": "Maybe" })).unwrap_err().path,
            "RetentionPolicy"
        );
    }
}
