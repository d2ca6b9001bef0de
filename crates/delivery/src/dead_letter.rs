//! Where a delivery goes that is given up: a queue or a topic, with attributes that tell why.

use bytes::Bytes;
use contract::{Arn, Call};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::call::{Acting, Task};
use crate::{Delivery, GivenUp, LaneId, Reason, Sender, call};

/// A queue or a topic for what cannot be delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// The ARN of a queue or a topic.
    pub arn: String,
    /// Who sends it.
    pub acting: Acting,
    /// The body. `None`: the event's text, which [`Task::event`] finds in the input of a call; other carriers' parcels go as they are.
    pub body: Option<String>,
    /// Message attributes, in order.
    pub attributes: Vec<(String, Fill)>,
    /// The message group, where the queue or topic keeps order.
    pub group: Option<String>,
}

/// What an attribute is filled with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// This text.
    Text(String),
    /// What failed, as a name.
    ErrorCode,
    /// What failed, for a person.
    ErrorMessage,
    /// How many retries there were: `RETRY_ATTEMPTS`.
    Retries,
    /// EventBridge's and Scheduler's `EXHAUSTED_RETRY_CONDITION`: `MaximumRetryAttempts` or `MaximumEventAgeInSeconds`; left out where
    /// the target refused.
    Condition,
}

impl DeadLetter {
    /// With EventBridge's attributes: the error, the condition and the retries, after `first`.
    pub fn like_events(arn: impl Into<String>, acting: Acting, first: &[(&str, &str)]) -> Self {
        let first = first.iter().map(|(name, value)| ((*name).to_owned(), Fill::Text((*value).to_owned())));
        let told = [
            ("ERROR_CODE", Fill::ErrorCode),
            ("ERROR_MESSAGE", Fill::ErrorMessage),
            ("EXHAUSTED_RETRY_CONDITION", Fill::Condition),
            ("RETRY_ATTEMPTS", Fill::Retries),
        ];
        let told = told.map(|(name, fill)| (name.to_owned(), fill));
        Self { arn: arn.into(), acting, body: None, attributes: first.chain(told).collect(), group: None }
    }

    /// The delivery that brings it there; in a lane of its own for each queue or topic.
    pub(crate) fn sent(&self, carrier: &str, parcel: &Bytes, sender: &Sender, given_up: &GivenUp) -> Delivery {
        let body = match &self.body {
            Some(body) => body.clone(),
            None if carrier == call::NAME => match Task::from_parcel(parcel) {
                Ok(task) => task.event(),
                Err(_) => String::from_utf8_lossy(parcel).into_owned(),
            },
            None => String::from_utf8_lossy(parcel).into_owned(),
        };
        let attributes: Map<String, Value> = self
            .attributes
            .iter()
            .filter_map(|(name, fill)| {
                let (kind, text) = fill.text(given_up)?;
                Some((name.clone(), json!({ "DataType": kind, "StringValue": text })))
            })
            .collect();
        let is_topic = Arn::parse(&self.arn).is_some_and(|arn| arn.service == "sns");
        let (service, operation, place, text) = match is_topic {
            true => ("sns", "Publish", "TopicArn", "Message"),
            false => ("sqs", "SendMessage", "QueueUrl", "MessageBody"),
        };
        let mut input = json!({ place: self.arn, text: body, "MessageAttributes": attributes });
        if let Some(group) = &self.group {
            input["MessageGroupId"] = group.as_str().into();
        }
        // The end of a loop is told too.
        let sender = Sender { since_ms: given_up.now_ms, hops: sender.hops.min(Call::HOPS_MAX - 1), ..sender.clone() };
        let task = Task::new(service, operation, input, self.acting.clone());
        Delivery::call(sender, LaneId::any("dead-letter", &self.arn), &task)
    }
}

impl Fill {
    /// The attribute's type and value; an attribute cannot be empty, so one that says nothing is left out.
    fn text(&self, given_up: &GivenUp) -> Option<(&'static str, String)> {
        let (kind, text) = match self {
            Self::Text(text) => ("String", text.clone()),
            Self::ErrorCode => ("String", given_up.why.code.clone()),
            Self::ErrorMessage => ("String", given_up.why.message.clone()),
            Self::Retries => ("Number", given_up.retries.to_string()),
            Self::Condition => match given_up.reason {
                Reason::Exhausted => ("String", "MaximumRetryAttempts".to_owned()),
                Reason::Expired => ("String", "MaximumEventAgeInSeconds".to_owned()),
                Reason::Refused => return None,
            },
        };
        (!text.is_empty()).then_some((kind, text))
    }
}
