//! What an asynchronous invocation's end is told as: the record that destinations get, and the message that dead-letter targets get.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use compute::FunctionError;
use contract::{Arn, Call};
use delivery::{Acting, Delivery, Failure, LaneId, Retry, Sender, Task};
use jiff::Timestamp;
use jiff::fmt::strtime;
use serde_json::{Value, json};

use super::job::Job;

/// `condition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
}

impl Condition {
    fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
        }
    }
}

/// What the function's last attempt gave.
pub(super) struct Response {
    pub(super) payload: Bytes,
    pub(super) error: Option<FunctionError>,
    pub(super) version: String,
}

/// How an event ended.
pub(super) struct Ended<'a> {
    pub(super) job: &'a Job,
    pub(super) condition: Condition,
    /// How often it was tried.
    pub(super) count: u32,
    pub(super) why: &'a Failure,
    /// None if the function did not run.
    pub(super) response: Option<&'a Response>,
}

/// From where to where.
pub(super) struct Route<'a> {
    pub(super) to: &'a str,
    /// With its qualifier.
    pub(super) function: String,
    pub(super) role: String,
    pub(super) session: String,
    pub(super) sender: &'a Sender,
    pub(super) now_ms: i64,
}

impl Ended<'_> {
    /// The record to a queue, a topic, a function or a bus; none if the destination is none of these.
    pub(super) fn destination(&self, route: &Route<'_>) -> Option<Delivery> {
        let arn = Arn::parse(route.to)?;
        let record = self.record(route);
        let task = match arn.service.as_str() {
            "sqs" => ("sqs", "SendMessage", json!({ "QueueUrl": route.to, "MessageBody": record })),
            "sns" => ("sns", "Publish", json!({ "TopicArn": route.to, "Message": record })),
            "lambda" => {
                let payload = STANDARD.encode(&record);
                let input = json!({ "FunctionName": route.to, "InvocationType": "Event", "Payload": payload });
                ("lambda", "Invoke", input)
            }
            "events" => {
                let result = if self.condition == Condition::Success { "Success" } else { "Failure" };
                let entry = json!({
                    "EventBusName": route.to,
                    "Source": "lambda",
                    "DetailType": format!("Lambda Function Invocation Result - {result}"),
                    "Resources": [route.to, route.function],
                    "Detail": record,
                });
                ("events", "PutEvents", json!({ "Entries": [entry] }))
            }
            _ => return None,
        };
        Some(route.delivery(task))
    }

    /// The event itself, with what went wrong as attributes.
    pub(super) fn dead_letter(&self, route: &Route<'_>) -> Delivery {
        let text = |value: &str| json!({ "DataType": "String", "StringValue": value });
        let mut attributes = json!({ "RequestID": text(&self.job.request_id.to_string()) });
        // The status of the invocation: 200 where the function ran, and failed.
        let code = match (self.response, self.why.code.as_str()) {
            (Some(_), _) => "200",
            (None, "TooManyRequestsException") => "429",
            (None, _) => "500",
        };
        attributes["ErrorCode"] = json!({ "DataType": "Number", "StringValue": code });
        if !self.why.message.is_empty() {
            attributes["ErrorMessage"] = text(&self.why.message);
        }
        let body = String::from_utf8_lossy(&self.job.payload);
        let task = match Arn::parse(route.to).is_some_and(|arn| arn.service == "sns") {
            true => {
                let input = json!({ "TopicArn": route.to, "Message": body, "MessageAttributes": attributes });
                ("sns", "Publish", input)
            }
            false => {
                let input = json!({ "QueueUrl": route.to, "MessageBody": body, "MessageAttributes": attributes });
                ("sqs", "SendMessage", input)
            }
        };
        route.delivery(task)
    }

    /// The document that destinations get.
    fn record(&self, route: &Route<'_>) -> String {
        let mut record = json!({
            "version": "1.0",
            "timestamp": timestamp(route.now_ms),
            "requestContext": {
                "requestId": self.job.request_id.to_string(),
                "functionArn": route.function,
                "condition": self.condition.name(),
                "approximateInvokeCount": self.count,
            },
        });
        record["requestPayload"] = json_of(&self.job.payload);
        if let Some(response) = self.response {
            record["responseContext"] = json!({ "statusCode": 200, "executedVersion": response.version });
            if let Some(error) = response.error {
                record["responseContext"]["functionError"] = error.name().into();
            }
            record["responsePayload"] = json_of(&response.payload);
        }
        record.to_string()
    }
}

impl Route<'_> {
    /// The function's role sends it, in a lane of the destination's own.
    fn delivery(&self, (service, operation, input): (&'static str, &'static str, Value)) -> Delivery {
        let acting = Acting::Role { role: self.role.as_str().into(), session: self.session.as_str().into() };
        let hops = self.sender.hops.saturating_add(1);
        let hops = match service {
            // Queues and topics are where the end of a loop is told; what comes out of a topic is one further hop.
            "sqs" | "sns" => hops.min(Call::HOPS_MAX - 1),
            _ => hops,
        };
        let sender = Sender { since_ms: self.now_ms, hops, ..self.sender.clone() };
        let lane = LaneId::any("destination", format!("{} → {}", self.function, self.to));
        let task = Task::new(service, operation, input, acting);
        Delivery { retry: Retry::default(), ..Delivery::call(sender, lane, &task) }
    }
}

/// What a function's error document says, for people.
pub(super) fn message_of(payload: &Bytes) -> String {
    let said: Option<Value> = serde_json::from_slice(payload).ok();
    let message = said.as_ref().and_then(|said| said.get("errorMessage")).and_then(Value::as_str);
    message.map_or_else(|| String::from_utf8_lossy(&payload[..payload.len().min(1_024)]).into_owned(), str::to_owned)
}

/// Payloads are JSON; what a function returned that is not becomes text.
fn json_of(payload: &Bytes) -> Value {
    match serde_json::from_slice(payload) {
        Ok(value) => value,
        Err(_) if payload.is_empty() => Value::Null,
        Err(_) => String::from_utf8_lossy(payload).into(),
    }
}

/// `2026-11-21T02:40:11.000Z`.
fn timestamp(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    strtime::format("%Y-%m-%dT%H:%M:%S.%3fZ", time).expect("the format is good")
}
