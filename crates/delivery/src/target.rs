//! What an ARN means as a target: which operation is called, and where in its input the event goes. Rules, schedules and pipes share
//! it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::Arn;
use serde_json::{Map, Value, json};

use crate::call::{Acting, Before, Task};

/// What goes to a target, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The event's text, as the target is to see it.
    pub event: String,
    /// Who calls.
    pub acting: Acting,
    /// When it happened, in milliseconds since the epoch.
    pub time_ms: i64,
    /// `MessageGroupId`, for queues and topics that keep order.
    pub message_group: Option<String>,
    /// `MessageDeduplicationId`, likewise.
    pub deduplication: Option<String>,
    /// What an event on another bus says of itself.
    pub on_bus: OnBus,
    /// `PartitionKey`, for streams.
    pub partition_key: Option<String>,
}

/// Members of an event beside its detail.
#[derive(Clone, Debug, Default)]
pub struct OnBus {
    /// `Source`.
    pub source: String,
    /// `DetailType`.
    pub detail_type: String,
    /// `Resources`.
    pub resources: Vec<String>,
}

impl Options {
    /// An event for a caller, and nothing else.
    pub fn new(event: impl Into<String>, acting: Acting, time_ms: i64) -> Self {
        Self {
            event: event.into(),
            acting,
            time_ms,
            message_group: None,
            deduplication: None,
            on_bus: OnBus::default(),
            partition_key: None,
        }
    }
}

/// Why an ARN is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is no ARN.
    #[error("'{0}' is not an ARN")]
    Malformed(String),
    /// Nothing of that kind is a target here.
    #[error("'{arn}' cannot be a target: {why}")]
    Unserved {
        /// The ARN.
        arn: String,
        /// What is served.
        why: String,
    },
    /// The input of a universal target must be a JSON object.
    #[error("the input of the universal target '{0}' must be a JSON object")]
    Input(String),
}

/// The kinds of target that are known, for messages.
const KNOWN: &str = "functions (lambda), queues (sqs), topics (sns), event buses (events), log groups (logs), state machines (states), \
                     streams (kinesis) and universal targets (arn:aws:scheduler:::aws-sdk:SERVICE:operation) can";

/// The call that brings an event to the target.
pub fn of_arn(text: &str, options: Options) -> Result<Task, TargetError> {
    let arn = Arn::parse(text).ok_or_else(|| TargetError::Malformed(text.to_owned()))?;
    let Options { event, acting, time_ms, message_group, deduplication, on_bus, partition_key } = options;
    let (service, resource) = (arn.service.as_str(), arn.resource.as_str());
    let ordered = |mut input: Value| {
        for (name, value) in [("MessageGroupId", message_group), ("MessageDeduplicationId", deduplication)] {
            if let Some(value) = value {
                input[name] = value.into();
            }
        }
        input
    };
    Ok(match (service, kind(resource)) {
        ("lambda", "function") => {
            let payload = STANDARD.encode(event);
            let input = json!({ "FunctionName": text, "InvocationType": "Event", "Payload": payload });
            Task::new("lambda", "Invoke", input, acting)
        }
        ("sqs", _) => {
            Task::new("sqs", "SendMessage", ordered(json!({ "QueueUrl": text, "MessageBody": event })), acting)
        }
        ("sns", _) => Task::new("sns", "Publish", ordered(json!({ "TopicArn": text, "Message": event })), acting),
        ("events", "event-bus") => {
            let OnBus { source, detail_type, resources } = on_bus;
            let entry = json!({
                "EventBusName": text, "Source": source, "DetailType": detail_type, "Resources": resources, "Detail": event,
                "Time": time_ms / 1000,
            });
            Task::new("events", "PutEvents", json!({ "Entries": [entry] }), acting)
        }
        ("logs", "log-group") => log_events(resource, event, acting, time_ms),
        ("states", "stateMachine") => {
            Task::new("states", "StartExecution", json!({ "stateMachineArn": text, "input": event }), acting)
        }
        ("kinesis", "stream") => {
            let key = partition_key.unwrap_or_else(|| time_ms.to_string());
            let input = json!({ "StreamARN": text, "PartitionKey": key, "Data": STANDARD.encode(event) });
            Task::new("kinesis", "PutRecord", input, acting)
        }
        ("scheduler", "aws-sdk") => return universal(text, resource, &event, acting),
        (_, _) => return Err(TargetError::Unserved { arn: text.to_owned(), why: format!("{KNOWN}.") }),
    })
}

/// The word before the first separator.
fn kind(resource: &str) -> &str {
    resource.split([':', '/']).next().unwrap_or_default()
}

/// A stream of its own for each hour keeps streams short, and makes a second creation harmless.
fn log_events(resource: &str, event: String, acting: Acting, time_ms: i64) -> Task {
    let group = resource.trim_start_matches("log-group:").trim_end_matches(":*");
    let stream = format!("events-{}", time_ms / 3_600_000);
    let input = json!({
        "logGroupName": group, "logStreamName": stream, "logEvents": [{ "timestamp": time_ms, "message": event }],
    });
    let mut task = Task::new("logs", "PutLogEvents", input, acting);
    task.before.push(Before {
        operation: "CreateLogStream".into(),
        input: json!({ "logGroupName": group, "logStreamName": stream }),
        tolerate: vec!["ResourceAlreadyExistsException".into()],
    });
    task
}

/// `aws-sdk:SERVICE:operation`: any operation of any service. The input is the operation's own.
fn universal(text: &str, resource: &str, event: &str, acting: Acting) -> Result<Task, TargetError> {
    let unserved = |why: &str| TargetError::Unserved { arn: text.to_owned(), why: why.to_owned() };
    let mut parts = resource.split(':').skip(1);
    let (Some(service), Some(operation), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(unserved("a universal target is arn:aws:scheduler:::aws-sdk:SERVICE:operation."));
    };
    let mut letters = operation.chars();
    let operation = match letters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + letters.as_str(),
        None => return Err(unserved("it names no operation.")),
    };
    let input: Map<String, Value> = match event.trim() {
        "" => Map::new(),
        event => serde_json::from_str(event).map_err(|_| TargetError::Input(text.to_owned()))?,
    };
    let service = model_of(&service.to_ascii_lowercase()).to_owned();
    let mut input = Value::Object(input);
    // The SDK takes bytes where documents have base64.
    if service == "lambda"
        && let Some(payload) = input.get_mut("Payload")
    {
        let bytes = match &*payload {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        *payload = STANDARD.encode(bytes).into();
    }
    Ok(Task { service: service.into(), operation: operation.into(), input, acting, before: Vec::new() })
}

/// The SDK's name of a service, as its model's folder.
fn model_of(sdk: &str) -> &str {
    match sdk {
        "eventbridge" => "events",
        "cloudwatchlogs" => "logs",
        "cloudwatch" => "cloudwatch",
        "sfn" => "stepfunctions",
        "cognitoidentityprovider" => "cognito-idp",
        "apigatewayv2" => "apigatewayv2",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        let acting = Acting::service("events.amazonaws.com", "arn:aws:events:r:000000000000:rule/x");
        Options::new(r#"{"a":1}"#, acting, 7_200_000)
    }

    #[test]
    fn arns_become_operations() {
        for (arn, service, operation, member, expected) in [
            ("arn:aws:lambda:r:000000000000:function:f:live", "lambda", "Invoke", "/InvocationType", json!("Event")),
            ("arn:aws:sqs:r:000000000000:q", "sqs", "SendMessage", "/MessageBody", json!(r#"{"a":1}"#)),
            ("arn:aws:sns:r:000000000000:t", "sns", "Publish", "/Message", json!(r#"{"a":1}"#)),
            ("arn:aws:events:r:000000000000:event-bus/b", "events", "PutEvents", "/Entries/0/Time", json!(7200)),
            ("arn:aws:logs:r:000000000000:log-group:/a/b:*", "logs", "PutLogEvents", "/logGroupName", json!("/a/b")),
            ("arn:aws:scheduler:::aws-sdk:sqs:purgeQueue", "sqs", "PurgeQueue", "/a", json!(1)),
            ("arn:aws:scheduler:::aws-sdk:eventbridge:putEvents", "events", "PutEvents", "/a", json!(1)),
        ] {
            let task = of_arn(arn, options()).unwrap();
            assert_eq!((&*task.service, &*task.operation), (service, operation), "{arn}");
            assert_eq!(task.input.pointer(member), Some(&expected), "{arn}");
        }
    }

    #[test]
    fn groups_go_to_who_keeps_order() {
        let options = Options { message_group: Some("g".into()), ..options() };
        let task = of_arn("arn:aws:sqs:r:000000000000:q.fifo", options).unwrap();
        assert_eq!(task.input["MessageGroupId"], "g");
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for arn in [
            "",
            "q",
            "arn:aws:ec2:r:000000000000:instance/i",
            "arn:aws:scheduler:::aws-sdk:sqs",
            "arn:aws:scheduler:::aws-sdk:sqs:",
        ] {
            assert!(of_arn(arn, options()).is_err(), "{arn}");
        }
        let options = Options { event: "[1]".into(), ..options() };
        let refused = of_arn("arn:aws:scheduler:::aws-sdk:sqs:purgeQueue", options);
        assert!(matches!(refused, Err(TargetError::Input(_))));
    }
}
