//! `AWS::SNS::Topic`, `AWS::SNS::Subscription` and `AWS::SNS::TopicPolicy`, as maps from properties to operations.

mod subscription;
mod topic;
mod topic_policy;

use std::sync::Arc;

use contract::{Document, ResourceType};
use serde_json::Value;

/// The resource types of this service.
pub fn resource_types() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(topic::Topic), Arc::new(subscription::Subscription), Arc::new(topic_policy::TopicPolicy)]
}

/// What deleting tolerates.
const GONE: &[&str] = &["NotFoundException", "NotFound"];

/// A property as an attribute's text: documents as JSON.
fn attribute(value: &Document) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Object(_) | Value::Array(_) => Some(value.to_string()),
        scalar => contract::properties::plain(scalar),
    }
}
