//! A bucket's settings, a row each: the property, the operation that sets it, and what undoes it.

use contract::{Operation, OperationId, Step};
use serde_json::{Map, Value, json};
use wire::s3;

use super::{notification, rules};

/// One setting.
#[derive(Debug)]
pub(super) struct Setting {
    property: &'static str,
    put: OperationId,
    /// The member of the operation's input that holds it.
    member: &'static str,
    /// From the template's form to the operation's.
    form: fn(&Value) -> Value,
    absent: Absent,
}

/// What makes a bucket as if the setting had never been.
#[derive(Debug)]
enum Absent {
    /// An operation that takes it away.
    Delete(OperationId),
    /// What a new bucket has.
    Put(fn() -> Value),
}

impl Setting {
    /// The setting as the operation takes it, if the template has it.
    pub(super) fn document(&self, read: &Map<String, Value>) -> Option<Value> {
        read.get(self.property).map(self.form)
    }

    /// Sets it, if the template has it.
    pub(super) fn set(&self, bucket: &str, read: &Map<String, Value>) -> Option<Step> {
        self.document(read).map(|document| self.put(bucket, document))
    }

    /// Takes it back.
    pub(super) fn unset(&self, bucket: &str) -> Option<Step> {
        Some(match &self.absent {
            Absent::Delete(operation) => Step::new(*operation, json!({ "Bucket": bucket })),
            Absent::Put(document) => self.put(bucket, document()),
        })
    }

    fn put(&self, bucket: &str, document: Value) -> Step {
        Step::new(self.put, json!({ "Bucket": bucket, self.member: document }))
    }
}

/// All of them, in the order in which they are set: what others depend on comes first.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        property: "VersioningConfiguration",
        put: s3::PutBucketVersioning::ID,
        member: "VersioningConfiguration",
        form: Value::clone,
        absent: Absent::Put(|| json!({ "Status": "Suspended" })),
    },
    Setting {
        property: "OwnershipControls",
        put: s3::PutBucketOwnershipControls::ID,
        member: "OwnershipControls",
        form: Value::clone,
        absent: Absent::Put(|| json!({ "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] })),
    },
    Setting {
        property: "PublicAccessBlockConfiguration",
        put: s3::PutPublicAccessBlock::ID,
        member: "PublicAccessBlockConfiguration",
        form: Value::clone,
        absent: Absent::Put(|| {
            json!({
                "BlockPublicAcls": true,
                "BlockPublicPolicy": true,
                "IgnorePublicAcls": true,
                "RestrictPublicBuckets": true,
            })
        }),
    },
    Setting {
        property: "ObjectLockConfiguration",
        put: s3::PutObjectLockConfiguration::ID,
        member: "ObjectLockConfiguration",
        form: Value::clone,
        absent: Absent::Put(|| json!({ "ObjectLockEnabled": "Enabled" })),
    },
    Setting {
        property: "BucketEncryption",
        put: s3::PutBucketEncryption::ID,
        member: "ServerSideEncryptionConfiguration",
        form: rules::encryption,
        absent: Absent::Delete(s3::DeleteBucketEncryption::ID),
    },
    Setting {
        property: "CorsConfiguration",
        put: s3::PutBucketCors::ID,
        member: "CORSConfiguration",
        form: rules::cors,
        absent: Absent::Delete(s3::DeleteBucketCors::ID),
    },
    Setting {
        property: "LifecycleConfiguration",
        put: s3::PutBucketLifecycleConfiguration::ID,
        member: "LifecycleConfiguration",
        form: rules::lifecycle,
        absent: Absent::Delete(s3::DeleteBucketLifecycle::ID),
    },
    Setting {
        property: "WebsiteConfiguration",
        put: s3::PutBucketWebsite::ID,
        member: "WebsiteConfiguration",
        form: rules::website,
        absent: Absent::Delete(s3::DeleteBucketWebsite::ID),
    },
    Setting {
        property: "Tags",
        put: s3::PutBucketTagging::ID,
        member: "Tagging",
        form: |tags| json!({ "TagSet": tags }),
        absent: Absent::Delete(s3::DeleteBucketTagging::ID),
    },
    Setting {
        property: "NotificationConfiguration",
        put: s3::PutBucketNotificationConfiguration::ID,
        member: "NotificationConfiguration",
        form: notification::configuration,
        absent: Absent::Put(|| json!({})),
    },
];
