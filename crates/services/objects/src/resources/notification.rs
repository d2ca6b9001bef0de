//! Who is told of a bucket's changes: as a template writes it, and as the operation takes it.

use contract::properties::{Form, optional, required};
use serde_json::{Map, Value, json};

const FILTER: Form = Form::Fields(&[required(
    "S3Key",
    Form::Fields(&[required(
        "Rules",
        Form::ListOf(&Form::Fields(&[required("Name", Form::Text), required("Value", Form::Text)])),
    )]),
)]);

/// What a template may write.
pub(super) const FORM: Form = Form::Fields(&[
    optional("EventBridgeConfiguration", Form::Fields(&[optional("EventBridgeEnabled", Form::Flag)])),
    optional(
        "LambdaConfigurations",
        Form::ListOf(&Form::Fields(&[
            required("Event", Form::Text),
            optional("Filter", FILTER),
            required("Function", Form::Text),
        ])),
    ),
    optional(
        "QueueConfigurations",
        Form::ListOf(&Form::Fields(&[
            required("Event", Form::Text),
            optional("Filter", FILTER),
            required("Queue", Form::Text),
        ])),
    ),
    optional(
        "TopicConfigurations",
        Form::ListOf(&Form::Fields(&[
            required("Event", Form::Text),
            optional("Filter", FILTER),
            required("Topic", Form::Text),
        ])),
    ),
]);

/// A template's list, the operation's, and where each says who is told.
const KINDS: [(&str, &str, &str, &str); 3] = [
    ("LambdaConfigurations", "LambdaFunctionConfigurations", "Function", "LambdaFunctionArn"),
    ("QueueConfigurations", "QueueConfigurations", "Queue", "QueueArn"),
    ("TopicConfigurations", "TopicConfigurations", "Topic", "TopicArn"),
];

/// The configuration as the operation takes it.
pub(super) fn configuration(read: &Value) -> Value {
    let mut configuration = Map::new();
    for (list, name, target, arn) in KINDS {
        let Some(list) = read[list].as_array() else { continue };
        let entry = |entry: &Value| {
            let mut document = json!({ arn: entry[target], "Events": [entry["Event"]] });
            if let Some(rules) = entry["Filter"]["S3Key"]["Rules"].as_array() {
                document["Filter"] = json!({ "Key": { "FilterRules": rules } });
            }
            document
        };
        configuration.insert(name.to_owned(), list.iter().map(entry).collect());
    }
    let bus = &read["EventBridgeConfiguration"];
    if bus.is_object() && bus["EventBridgeEnabled"] != json!(false) {
        configuration.insert("EventBridgeConfiguration".to_owned(), json!({}));
    }
    Value::Object(configuration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_says_who_is_told() {
        let rules = json!([{ "Name": "prefix", "Value": "in/" }]);
        let read = json!({
            "LambdaConfigurations": [
                { "Event": "s3:ObjectCreated:*", "Function": "f", "Filter": { "S3Key": { "Rules": rules } } },
            ],
            "QueueConfigurations": [{ "Event": "s3:ObjectRemoved:*", "Queue": "q" }],
            "EventBridgeConfiguration": {},
        });
        assert_eq!(
            configuration(&read),
            json!({
                "LambdaFunctionConfigurations": [
                    {
                        "LambdaFunctionArn": "f",
                        "Events": ["s3:ObjectCreated:*"],
                        "Filter": { "Key": { "FilterRules": rules } },
                    },
                ],
                "QueueConfigurations": [{ "QueueArn": "q", "Events": ["s3:ObjectRemoved:*"] }],
                "EventBridgeConfiguration": {},
            })
        );
        let silent = json!({ "EventBridgeConfiguration": { "EventBridgeEnabled": false } });
        assert_eq!(configuration(&silent), json!({}));
    }
}
