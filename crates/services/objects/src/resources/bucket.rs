//! `AWS::S3::Bucket`. Its settings are a table (`settings.rs`); a bucket that has objects is not deleted, as with CloudFormation.

use contract::properties::{Field, Form, optional, read, required};
use contract::{Attributes, Change, Document, Naming, Operation, PropertyFault, ResourceType, Step};
use serde_json::{Map, Value, json};
use wire::s3::{CreateBucket, DeleteBucket, HeadBucket};

use super::settings::{SETTINGS, Setting};
use super::{GONE, notification, rules};

const NAME_MAX: usize = 63;

/// The type.
#[derive(Debug)]
pub(super) struct Bucket;

const FIELDS: &[Field] = &[
    optional("BucketEncryption", rules::ENCRYPTION),
    optional("BucketName", Form::Text),
    optional("CorsConfiguration", rules::CORS),
    optional("LifecycleConfiguration", rules::LIFECYCLE),
    optional("NotificationConfiguration", notification::FORM),
    optional(
        "ObjectLockConfiguration",
        Form::Fields(&[
            optional("ObjectLockEnabled", Form::Text),
            optional(
                "Rule",
                Form::Fields(&[required(
                    "DefaultRetention",
                    Form::Fields(&[
                        optional("Mode", Form::Text),
                        optional("Days", Form::Whole),
                        optional("Years", Form::Whole),
                    ]),
                )]),
            ),
        ]),
    ),
    optional("ObjectLockEnabled", Form::Flag),
    optional(
        "OwnershipControls",
        Form::Fields(&[required("Rules", Form::ListOf(&Form::Fields(&[required("ObjectOwnership", Form::Text)])))]),
    ),
    optional(
        "PublicAccessBlockConfiguration",
        Form::Fields(&[
            optional("BlockPublicAcls", Form::Flag),
            optional("BlockPublicPolicy", Form::Flag),
            optional("IgnorePublicAcls", Form::Flag),
            optional("RestrictPublicBuckets", Form::Flag),
        ]),
    ),
    optional("Tags", Form::ListOf(&Form::Fields(&[required("Key", Form::Text), required("Value", Form::Text)]))),
    optional("VersioningConfiguration", Form::Fields(&[required("Status", Form::Text)])),
    optional("WebsiteConfiguration", rules::WEBSITE),
];

impl ResourceType for Bucket {
    fn name(&self) -> &'static str {
        "AWS::S3::Bucket"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        read(properties, FIELDS).map(|_read| ())
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        Some(bucket_name(properties, naming))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let read = read(properties, FIELDS)?;
        let name = bucket_name(properties, naming);
        let mut input = json!({ "Bucket": name });
        if is_locked(&read) {
            input["ObjectLockEnabledForBucket"] = json!(true);
        }
        let mut steps = vec![Step::new(CreateBucket::ID, input)];
        steps.extend(SETTINGS.iter().filter_map(|setting| setting.set(&name, &read)));
        Ok(steps)
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        let (before, after) = (read(old, FIELDS)?, read(new, FIELDS)?);
        if physical_id != bucket_name(new, naming) || is_locked(&before) != is_locked(&after) {
            return Ok(Change::Replace);
        }
        let changed = |setting: &&Setting| setting.document(&before) != setting.document(&after);
        let step = |setting: &Setting| setting.set(physical_id, &after).or_else(|| setting.unset(physical_id));
        Ok(Change::InPlace(SETTINGS.iter().filter(changed).filter_map(step).collect()))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![Step::new(DeleteBucket::ID, json!({ "Bucket": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(Step::new(HeadBucket::ID, json!({ "Bucket": physical_id })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        let region = answer["BucketRegion"].as_str().unwrap_or("us-east-1");
        Attributes {
            reference: physical_id.to_owned(),
            named: vec![
                ("Arn", json!(format!("arn:aws:s3:::{physical_id}"))),
                ("DomainName", json!(format!("{physical_id}.s3.amazonaws.com"))),
                ("DualStackDomainName", json!(format!("{physical_id}.s3.dualstack.{region}.amazonaws.com"))),
                ("RegionalDomainName", json!(format!("{physical_id}.s3.{region}.amazonaws.com"))),
                ("WebsiteURL", json!(format!("http://{physical_id}.s3-website-{region}.amazonaws.com"))),
            ],
        }
    }

    /// Where the bucket is a website: below the node's own name, or below this machine's where the node has an address for a name.
    fn addresses(&self, physical_id: &str, base_url: &str) -> Vec<(&'static str, Document)> {
        vec![("WebsiteURL", json!(website_url(physical_id, base_url)))]
    }
}

fn website_url(bucket: &str, base_url: &str) -> String {
    let (scheme, host) = base_url.split_once("://").unwrap_or(("http", base_url));
    let (name, port) = match host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())) {
        Some((name, port)) => (name, format!(":{port}")),
        None => (host, String::new()),
    };
    let is_address = name.starts_with('[') || name.parse::<std::net::Ipv4Addr>().is_ok();
    let name = if is_address { "localhost" } else { name };
    format!("{scheme}://{bucket}.s3-website.{name}{port}")
}

/// As the template has it, or made up, in small letters, which is all that a bucket's name may have.
fn bucket_name(properties: &Document, naming: &Naming) -> String {
    match properties["BucketName"].as_str() {
        Some(name) => name.to_owned(),
        None => naming.physical(NAME_MAX).to_lowercase(),
    }
}

fn is_locked(read: &Map<String, Value>) -> bool {
    read.get("ObjectLockEnabled") == Some(&json!(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::naming;

    fn told(steps: &[Step]) -> Vec<(&str, &Value)> {
        steps.iter().map(|step| (step.operation.name, &step.input)).collect()
    }

    #[test]
    fn sites_are_below_the_nodes_name() {
        for (base_url, expected) in [
            ("http://localhost:4566", "http://b.s3-website.localhost:4566"),
            ("http://127.0.0.1:4566", "http://b.s3-website.localhost:4566"),
            ("http://[::1]:4566", "http://b.s3-website.localhost:4566"),
            ("https://cloud.example.com", "https://b.s3-website.cloud.example.com"),
        ] {
            assert_eq!(Bucket.addresses("b", base_url), [("WebsiteURL", json!(expected))], "{base_url}");
        }
    }

    #[test]
    fn a_bucket_is_made_with_its_settings() {
        let wanted = json!({
            "ObjectLockEnabled": "true",
            "VersioningConfiguration": { "Status": "Enabled" },
            "Tags": [{ "Key": "a", "Value": 1 }],
        });
        let steps = Bucket.create(&wanted, &naming()).expect("it is made");
        let name = "shop-pictures-x1y2";
        assert_eq!(
            told(&steps),
            [
                ("CreateBucket", &json!({ "Bucket": name, "ObjectLockEnabledForBucket": true })),
                ("PutBucketVersioning", &json!({ "Bucket": name, "VersioningConfiguration": { "Status": "Enabled" } }),),
                (
                    "PutBucketTagging",
                    &json!({ "Bucket": name, "Tagging": { "TagSet": [{ "Key": "a", "Value": "1" }] } }),
                ),
            ]
        );
        assert_eq!(Bucket.physical_id(&wanted, &naming()).as_deref(), Some(name));
    }

    #[test]
    fn a_change_sets_what_differs_and_takes_back_what_is_gone() {
        let old = json!({
            "BucketName": "b",
            "VersioningConfiguration": { "Status": "Enabled" },
            "Tags": [{ "Key": "a", "Value": "1" }],
            "CorsConfiguration": { "CorsRules": [{ "AllowedMethods": ["GET"], "AllowedOrigins": ["*"] }] },
        });
        let new = json!({ "BucketName": "b", "CorsConfiguration": old["CorsConfiguration"] });
        let Change::InPlace(steps) = Bucket.update("b", &naming(), &old, &new).expect("it is read") else {
            panic!("in place")
        };
        assert_eq!(
            told(&steps),
            [
                (
                    "PutBucketVersioning",
                    &json!({ "Bucket": "b", "VersioningConfiguration": { "Status": "Suspended" } })
                ),
                ("DeleteBucketTagging", &json!({ "Bucket": "b" })),
            ]
        );
        let renamed = json!({ "BucketName": "c" });
        assert_eq!(Bucket.update("b", &naming(), &old, &renamed), Ok(Change::Replace));
    }

    #[test]
    fn what_no_bucket_has_is_refused_with_its_place() {
        for (properties, path) in [
            (json!({ "Nmae": "b" }), "Nmae"),
            (json!({ "VersioningConfiguration": {} }), "VersioningConfiguration.Status"),
            (
                json!({ "CorsConfiguration": { "CorsRules": [{ "Allowed": [] }] } }),
                "CorsConfiguration.CorsRules[0].Allowed",
            ),
            (json!({ "ObjectLockEnabled": "perhaps" }), "ObjectLockEnabled"),
        ] {
            assert_eq!(Bucket.check(&properties).expect_err("it is refused").path, path);
        }
        assert_eq!(Bucket.check(&json!({ "BucketName": { "Ref": "Name" } })), Ok(()));
    }
}
