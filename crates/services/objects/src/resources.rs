//! `AWS::S3::Bucket` and `AWS::S3::BucketPolicy`, as maps from properties to operations.

mod bucket;
mod bucket_policy;
mod notification;
mod rules;
mod settings;

use std::sync::Arc;

use contract::ResourceType;

/// The resource types of this service.
pub fn resource_types() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(bucket::Bucket), Arc::new(bucket_policy::BucketPolicy)]
}

/// What deleting tolerates.
const GONE: &[&str] = &["NoSuchBucket"];

#[cfg(test)]
fn naming() -> contract::Naming {
    contract::Naming {
        stack: "Shop".into(),
        logical_id: "Pictures".into(),
        suffix: "X1Y2".into(),
        region: "eu-west-1".into(),
        account: "000000000000".into(),
    }
}
