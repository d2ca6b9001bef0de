//! What the fuzz targets do with bytes from anywhere: filter policies, and messages that they are asked of. Called by cargo-fuzz
//! (`fuzz/`) and, with seeded damage, by an ordinary test.

use serde_json::Value;

use crate::model::attribute::{self, Attributes};
use crate::model::filter::{Filter, FilterScope};
use crate::model::patience::DeliveryPolicy;

/// A filter policy in the first line, a message in the second: nothing panics, and a policy means the same however often it is read.
pub fn filter_policy(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (policy, message) = text.split_once('\n').unwrap_or((&text, ""));
    let body: Option<Value> = serde_json::from_str(message).ok();
    let attributes = body.as_ref().map(of_body).unwrap_or_default();
    for scope in [FilterScope::MessageAttributes, FilterScope::MessageBody] {
        if let Ok(Some(filter)) = Filter::parse(policy, scope) {
            let again = Filter::parse(policy, scope);
            assert!(again.is_ok_and(|again| again.is_some()), "a policy that was read can be read again");
            let wanted = filter.wants(body.as_ref(), &attributes);
            assert_eq!(filter.wants(body.as_ref(), &attributes), wanted, "an answer does not depend on the last one");
        }
    }
    let _ = DeliveryPolicy::of_subscription(policy);
    let _ = DeliveryPolicy::of_topic(policy);
}

/// Attributes out of a document, as an SDK would send them.
fn of_body(body: &Value) -> Attributes {
    let members = body.as_object().into_iter().flatten();
    let given = members.map(|(name, value)| {
        let (data_type, text) = match value {
            Value::String(text) => ("String", text.clone()),
            Value::Number(number) => ("Number", number.to_string()),
            other => ("String.Array", other.to_string()),
        };
        let value = wire::sns::MessageAttributeValue {
            data_type: data_type.to_owned(),
            string_value: Some(text),
            binary_value: None,
        };
        (name.clone(), value)
    });
    attribute::read(given.collect()).unwrap_or_default()
}
