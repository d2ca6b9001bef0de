//! The carrier "call": a delivery that is a call of an operation, by document, through dispatch.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Random};
use bytes::Bytes;
use contract::{BoxFuture, Caller, Cause, Document, Fault, Principal};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Record;

use crate::{Carried, Carrier, Ending, Failure};

/// The carrier's name.
pub const NAME: &str = "call";

/// How long one call may take: a function's fifteen minutes, and some time to start.
const PATIENCE: Duration = Duration::from_secs(960);

/// An operation to be called.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The service, as [`contract::OperationId::service`] names it.
    pub service: Cow<'static, str>,
    /// The operation.
    pub operation: Cow<'static, str>,
    /// Its input, with AWS's member names; blobs in base64.
    pub input: Document,
    /// Who calls.
    pub acting: Acting,
    /// What must be called before it, such as the creation of a log stream.
    pub before: Vec<Before>,
}

/// Who a delivery acts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acting {
    /// Its source's service principal: the target's resource policy must allow it (where policies are asked at all, see
    /// `dispatch::Silence`).
    Service {
        /// One of [`SERVICES`], such as `events.amazonaws.com`.
        name: &'static str,
        /// The ARN of the rule, topic or schedule on whose behalf it acts.
        source: Option<Arc<str>>,
    },
    /// A role that the owner of the source gave it.
    Role {
        /// The role's ARN.
        role: Arc<str>,
        /// The session's name.
        session: Arc<str>,
    },
}

/// The service principals that deliveries act as.
pub const SERVICES: &[&str] = &[
    "apigateway.amazonaws.com",
    "cognito-idp.amazonaws.com",
    "dynamodb.amazonaws.com",
    "events.amazonaws.com",
    "kinesis.amazonaws.com",
    "lambda.amazonaws.com",
    "logs.amazonaws.com",
    "pipes.amazonaws.com",
    "s3.amazonaws.com",
    "scheduler.amazonaws.com",
    "secretsmanager.amazonaws.com",
    "sns.amazonaws.com",
    "sqs.amazonaws.com",
    "states.amazonaws.com",
];

impl Acting {
    /// A service's own principal, for the sake of `source`. The name must be one of [`SERVICES`].
    pub fn service(name: &'static str, source: impl Into<Arc<str>>) -> Self {
        debug_assert!(SERVICES.contains(&name), "{name} is not in the list of service principals");
        Self::Service { name, source: Some(source.into()) }
    }

    /// From a record: a service or a role, and not both.
    pub(crate) fn read(
        principal: Option<String>,
        source: Option<String>,
        role: Option<String>,
        session: Option<String>,
    ) -> Option<Self> {
        match (principal, role) {
            (Some(name), None) => {
                let name = SERVICES.iter().find(|known| **known == name)?;
                Some(Self::Service { name, source: source.map(Into::into) })
            }
            (None, Some(role)) => Some(Self::Role { role: role.into(), session: session.unwrap_or_default().into() }),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// As a call's principal.
    pub fn principal(&self) -> Principal {
        match self {
            Self::Service { name, source } => Principal::Service { name, source: source.clone() },
            Self::Role { role, session } => Principal::Role { role: role.clone(), session: session.clone() },
        }
    }
}

/// A call that comes before the call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// The operation, of the same service.
    pub operation: Cow<'static, str>,
    /// Its input.
    pub input: Document,
    /// Faults that do not matter, such as `ResourceAlreadyExistsException`.
    pub tolerate: Vec<Cow<'static, str>>,
}

impl Task {
    /// A call with nothing before it.
    pub fn new(service: &'static str, operation: &'static str, input: Document, acting: Acting) -> Self {
        Self { service: service.into(), operation: operation.into(), input, acting, before: Vec::new() }
    }

    /// As the parcel of a delivery.
    pub fn to_parcel(&self) -> Bytes {
        let (service, source) = match &self.acting {
            Acting::Service { name, source } => (Some((*name).to_owned()), source.as_deref().map(str::to_owned)),
            Acting::Role { .. } => (None, None),
        };
        let (role, session) = match &self.acting {
            Acting::Service { .. } => (None, None),
            Acting::Role { role, session } => (Some((**role).to_owned()), Some((**session).to_owned())),
        };
        let record = TaskRecord {
            service: self.service.clone(),
            operation: self.operation.clone(),
            input: self.input.clone(),
            principal: service,
            source,
            role,
            session,
            before: self.before.clone(),
        };
        store::record::encode(&record).expect("a document is JSON already")
    }

    /// What a parcel holds.
    pub fn from_parcel(parcel: &[u8]) -> Result<Self, store::Error> {
        let record: TaskRecord = store::record::decode(parcel)?;
        let TaskRecord { service, operation, input, principal, source, role, session, before } = record;
        let acting = Acting::read(principal, source, role, session).ok_or_else(|| store::Error::Record {
            kind: TaskRecord::KIND,
            why: "it must have a known service's principal, or a role".to_owned(),
        })?;
        Ok(Self { service, operation, input, acting, before })
    }

    /// The event's text in the input: what a dead letter's body is. The whole input where no member is known to hold it.
    pub fn event(&self) -> String {
        let text = |name: &str| self.input.get(name).and_then(Value::as_str);
        let found = match (&*self.service, &*self.operation) {
            ("lambda", "Invoke" | "InvokeAsync") => text("Payload").and_then(from_base64),
            ("sqs", "SendMessage") => text("MessageBody").map(str::to_owned),
            ("sns", "Publish") => text("Message").map(str::to_owned),
            ("s3", "PutObject") => text("Body").and_then(from_base64),
            ("events", "PutEvents") => {
                self.input.pointer("/Entries/0/Detail").and_then(Value::as_str).map(str::to_owned)
            }
            ("logs", "PutLogEvents") => {
                self.input.pointer("/logEvents/0/message").and_then(Value::as_str).map(str::to_owned)
            }
            (_, _) => None,
        };
        found.unwrap_or_else(|| self.input.to_string())
    }
}

fn from_base64(text: &str) -> Option<String> {
    use base64::Engine;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).ok()?).ok()
}

#[derive(Serialize, Deserialize)]
struct TaskRecord {
    service: Cow<'static, str>,
    operation: Cow<'static, str>,
    input: Document,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    before: Vec<Before>,
}

impl Record for TaskRecord {
    const KIND: &'static str = "delivery-call";
    const VERSION: u16 = 1;
}

/// Carries calls.
pub(crate) struct Calls {
    pub(crate) caller: Arc<dyn Caller>,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
}

impl Carrier for Calls {
    fn carry<'a>(&'a self, carried: &'a Carried) -> BoxFuture<'a, Ending> {
        Box::pin(async move {
            let task = match Task::from_parcel(&carried.parcel) {
                Ok(task) => task,
                Err(error) => return Ending::Refused { why: Failure::new("MalformedDelivery", error.to_string()) },
            };
            match self.run(carried, task).await {
                Ok(answer) => judge(&answer),
                Err(fault) => judge_fault(&fault),
            }
        })
    }
}

impl Calls {
    async fn run(&self, carried: &Carried, task: Task) -> Result<Document, Fault> {
        let call = || carried.call(&self.random, task.acting.principal(), self.clock.elapsed() + PATIENCE);
        for before in task.before {
            let id = self.caller.find(&task.service, &before.operation)?;
            match self.caller.call(id, &call(), before.input).await {
                Err(fault) if before.tolerate.iter().any(|code| *code == fault.code) => {}
                Err(fault) => return Err(fault),
                Ok(_) => {}
            }
        }
        let id = self.caller.find(&task.service, &task.operation)?;
        self.caller.call(id, &call(), task.input).await
    }
}

/// A fault ends a delivery as it would end a client's patience: what may pass is tried again, what is the caller's doing is not.
pub fn judge_fault(fault: &Fault) -> Ending {
    let why = Failure::new(fault.code.clone(), fault.message.clone());
    match fault.cause {
        // The target's own limit, or ours.
        Cause::Throttled | Cause::TimedOut | Cause::Unavailable | Cause::Internal => Ending::Retry { why, after: None },
        Cause::Invalid
        | Cause::Unauthenticated
        | Cause::Denied
        | Cause::NotFound
        | Cause::Conflict
        | Cause::TooLarge
        | Cause::Unserved => Ending::Refused { why },
    }
}

/// Answers of operations that take several things at once tell in themselves what failed. If anything did that may succeed later, all
/// of it is sent again: at least once is promised, not once.
pub fn judge(answer: &Document) -> Ending {
    let failed: Vec<Failure> = match answer {
        Value::Object(members) => {
            // SendMessageBatch and PublishBatch, then PutEvents and PutRecords.
            let batch = members.get("Failed").and_then(Value::as_array).into_iter().flatten();
            let batch =
                batch.filter(|entry| entry.get("Code").is_some()).map(|entry| failure(entry, "Code", "Message"));
            let counted = ["FailedEntryCount", "FailedRecordCount"];
            let any = counted.iter().any(|name| members.get(*name).and_then(Value::as_u64).is_some_and(|n| n > 0));
            let entries = ["Entries", "Records"].iter().filter_map(|name| members.get(*name)?.as_array()).flatten();
            let entries = entries.filter(|entry| any && entry.get("ErrorCode").is_some_and(Value::is_string));
            batch.chain(entries.map(|entry| failure(entry, "ErrorCode", "ErrorMessage"))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Vec::new(),
    };
    match failed.iter().find(|failure| may_pass(&failure.code)).or(failed.first()) {
        None => Ending::DELIVERED,
        Some(why) if may_pass(&why.code) => Ending::Retry { why: why.clone(), after: None },
        Some(why) => Ending::Refused { why: why.clone() },
    }
}

fn failure(entry: &Value, code: &str, message: &str) -> Failure {
    let text = |name| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    Failure::new(text(code), text(message))
}

/// The codes by which batches tell that trying again can help.
fn may_pass(code: &str) -> bool {
    ["Throttl", "Internal", "Unavailable", "Throughput", "Timeout"].iter().any(|part| code.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tasks_survive_their_parcel() {
        let role = Acting::Role { role: "arn:aws:iam::000000000000:role/r".into(), session: "s".into() };
        for acting in [Acting::service("events.amazonaws.com", "arn:aws:events:r:a:rule/x"), role] {
            let mut task = Task::new("sqs", "SendMessage", json!({ "QueueUrl": "q", "MessageBody": "b" }), acting);
            task.before.push(Before {
                operation: "CreateQueue".into(),
                input: json!({}),
                tolerate: vec!["QueueNameExists".into()],
            });
            assert_eq!(Task::from_parcel(&task.to_parcel()).unwrap(), task);
        }
        for bad in ["", "delivery-call/1 {}", "delivery-call/2 {}", "delivery-call/1 {\"service\":1}"] {
            assert!(Task::from_parcel(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn answers_are_judged() {
        let check = |answer: Value, expected: &str| {
            let found = match judge(&answer) {
                Ending::Delivered { .. } => "delivered".to_owned(),
                Ending::Retry { why, .. } => format!("retry {}", why.code),
                Ending::Refused { why } => format!("refused {}", why.code),
                other => panic!("{other:?}"),
            };
            assert_eq!(found, expected, "{answer}");
        };
        check(json!({}), "delivered");
        check(json!(null), "delivered");
        check(json!({ "MessageId": "1" }), "delivered");
        check(json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }] }), "delivered");
        check(
            json!({ "FailedEntryCount": 1, "Entries": [{ "ErrorCode": "InternalFailure" }] }),
            "retry InternalFailure",
        );
        check(
            json!({ "FailedEntryCount": 1, "Entries": [{ "ErrorCode": "InvalidArgument" }] }),
            "refused InvalidArgument",
        );
        check(json!({ "Successful": [], "Failed": [] }), "delivered");
        check(
            json!({ "Failed": [{ "Id": "a", "Code": "InvalidMessageContents" }, { "Id": "b", "Code": "InternalError" }] }),
            "retry InternalError",
        );
    }

    #[test]
    fn the_event_is_found_in_the_input() {
        let acting = || Acting::service("events.amazonaws.com", "s");
        for (service, operation, input, expected) in [
            ("sqs", "SendMessage", json!({ "MessageBody": "b" }), "b"),
            ("sns", "Publish", json!({ "Message": "m" }), "m"),
            ("lambda", "Invoke", json!({ "Payload": "eyJhIjoxfQ==" }), r#"{"a":1}"#),
            ("events", "PutEvents", json!({ "Entries": [{ "Detail": "{}" }] }), "{}"),
            ("dynamodb", "PutItem", json!({ "Item": {} }), r#"{"Item":{}}"#),
        ] {
            assert_eq!(Task::new(service, operation, input, acting()).event(), expected);
        }
    }
}
