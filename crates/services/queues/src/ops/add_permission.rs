//! `AddPermission`: one statement more in the queue's policy, under a label.
//!
//! Limits: seven actions and twenty statements, as AWS has them.

use contract::{Arn, Call, Effect, Fault, Handle};
use serde_json::{Value, json};
use wire::Empty;
use wire::sqs::{AddPermission, AddPermissionRequest};

use super::resource;
use crate::Queues;
use crate::error::Error;
use crate::model::Queue;
use crate::model::name::is_word;
use crate::model::settings::compile;

const ACTIONS: [&str; 8] = [
    "*",
    "SendMessage",
    "ReceiveMessage",
    "DeleteMessage",
    "ChangeMessageVisibility",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
];
const ACTIONS_MAX: usize = 7;
const STATEMENTS_MAX: usize = 20;
const LABEL_CHARS_MAX: usize = 80;

impl Handle<AddPermission> for Queues {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &AddPermissionRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: AddPermissionRequest) -> Result<Empty, Fault> {
        check(&input)?;
        let (label, now_ms) = (&input.label, self.now_ms());
        let principals: Vec<String> =
            input.aws_account_ids.iter().map(|account| format!("arn:aws:iam::{account}:root")).collect();
        let actions: Vec<String> = input.actions.iter().map(|action| format!("SQS:{action}")).collect();
        self.change(call, &input.queue_url, |queue| {
            let mut policy = Statements::of(queue)?;
            if policy.position(label).is_some() {
                return Err(Error::InvalidValue(format!(
                    "Value {label} for parameter Label is invalid. Reason: Already exists."
                )));
            }
            if policy.list.len() >= STATEMENTS_MAX {
                return Err(Error::OverLimit(format!(
                    "{} statements were found, the maximum allowed is {STATEMENTS_MAX}.",
                    policy.list.len() + 1
                )));
            }
            policy.list.push(json!({
                "Sid": label,
                "Effect": "Allow",
                "Principal": { "AWS": one_or_all(&principals) },
                "Action": one_or_all(&actions),
                "Resource": queue.arn(),
            }));
            queue.modified_ms = now_ms;
            policy.put(queue)
        })
        .await?;
        Ok(Empty {})
    }
}

fn check(input: &AddPermissionRequest) -> Result<(), Error> {
    let label = &input.label;
    if !is_word(label) || label.len() > LABEL_CHARS_MAX {
        return Err(Error::InvalidValue(format!(
            "Value {label} for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, or \
             underscores. 1 to 80 in length."
        )));
    }
    if input.actions.is_empty() {
        return Err(Error::MissingParameter("Actions".to_owned()));
    }
    if input.aws_account_ids.is_empty() {
        return Err(Error::MissingParameter("AWSAccountIds".to_owned()));
    }
    if input.actions.len() > ACTIONS_MAX {
        let count = input.actions.len();
        return Err(Error::OverLimit(format!("{count} Actions were found, maximum allowed is {ACTIONS_MAX}.")));
    }
    if let Some(action) = input.actions.iter().find(|action| !ACTIONS.contains(&action.as_str())) {
        return Err(Error::InvalidValue(format!(
            "Value SQS:{action} for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this \
             action."
        )));
    }
    let is_account = |id: &&String| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    match input.aws_account_ids.iter().find(|id| !is_account(id)) {
        Some(id) => Err(Error::InvalidValue(format!(
            "Value {id} for parameter PrincipalId is invalid. Reason: Unable to verify."
        ))),
        None => Ok(()),
    }
}

fn one_or_all(all: &[String]) -> Value {
    match all {
        [one] => json!(one),
        all => json!(all),
    }
}

/// The statements of a queue's policy.
pub(super) struct Statements {
    document: serde_json::Map<String, Value>,
    pub(super) list: Vec<Value>,
}

impl Statements {
    pub(super) fn of(queue: &Queue) -> Result<Self, Error> {
        let Some(text) = &queue.settings.policy else {
            let mut document = serde_json::Map::new();
            document.insert("Version".into(), "2008-10-17".into());
            document.insert("Id".into(), format!("{}/SQSDefaultPolicy", queue.arn()).into());
            return Ok(Self { document, list: Vec::new() });
        };
        // It was compiled before it was stored, so it is an object.
        let mut document: serde_json::Map<String, Value> = serde_json::from_str(text).map_err(|error| {
            tracing::error!(%error, queue = %queue.arn(), "a queue's policy cannot be read");
            Error::Internal
        })?;
        let list = match document.remove("Statement") {
            Some(Value::Array(list)) => list,
            Some(one) => vec![one],
            None => Vec::new(),
        };
        Ok(Self { document, list })
    }

    pub(super) fn position(&self, label: &str) -> Option<usize> {
        self.list.iter().position(|statement| statement.get("Sid").and_then(Value::as_str) == Some(label))
    }

    /// Makes them the queue's policy; without any it has none.
    pub(super) fn put(mut self, queue: &mut Queue) -> Result<(), Error> {
        let text = if self.list.is_empty() {
            String::new()
        } else {
            self.document.insert("Statement".into(), Value::Array(self.list));
            Value::Object(self.document).to_string()
        };
        queue.policy = compile(&text)?;
        queue.settings.policy = (!text.is_empty()).then_some(text);
        Ok(())
    }
}
