//! A target's input: what stands in for one that was not given, and the words in it that are replaced when it is sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wire::Schema;
use wire::schema::Kind;

use crate::model::ScheduleName;

/// The longest input.
pub const INPUT_BYTES_MAX: usize = 256 << 10;

/// The one word that is known only when a delivery is tried.
pub const ATTEMPT: &str = "<aws.scheduler.attempt-number>";

/// One execution of a schedule: what the words in its input mean.
#[derive(Clone, Debug)]
pub struct Execution<'a> {
    /// The schedule.
    pub schedule: &'a ScheduleName,
    /// Its id.
    pub id: String,
    /// The time that it was due.
    pub due_ms: i64,
}

impl Execution<'_> {
    /// When it was due, as AWS writes it: `2022-03-22T18:59:43Z`.
    pub fn due(&self) -> String {
        let due = Timestamp::from_millisecond(self.due_ms).unwrap_or_default();
        due.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// The input with all its words replaced but the attempt.
    pub fn fill(&self, input: &str) -> String {
        // Most inputs have none.
        if !input.contains("<aws.scheduler.") {
            return input.to_owned();
        }
        input
            .replace("<aws.scheduler.schedule-arn>", &self.schedule.arn().to_string())
            .replace("<aws.scheduler.scheduled-time>", &self.due())
            .replace("<aws.scheduler.execution-id>", &self.id)
    }

    /// What AWS sends to a target that was given no input.
    pub fn event(&self) -> String {
        let scope = &self.schedule.group.scope;
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": scope.account.to_string(),
            "time": self.due(),
            "region": scope.region.as_str(),
            "resources": [self.schedule.arn().to_string()],
            "detail": "{}",
        })
        .to_string()
    }
}

/// An input of an operation as the operation's own document: members may be written with a capital or a small letter first, as AWS
/// takes them, and bytes as text or as JSON.
pub fn document(input: Value, schema: &'static Schema) -> Value {
    match (&schema.kind, input) {
        (Kind::Structure(_), Value::Object(members)) => {
            let named = members.into_iter().map(|(name, value)| {
                match schema.members().iter().find(|member| is_same(member.name, &name)) {
                    Some(member) => (member.name.to_owned(), document(value, member.target)),
                    None => (name, value),
                }
            });
            Value::Object(named.collect())
        }
        (Kind::List(item), Value::Array(items)) => {
            Value::Array(items.into_iter().map(|value| document(value, item.target)).collect())
        }
        (Kind::Map { value: member, .. }, Value::Object(entries)) => {
            let entries = entries.into_iter().map(|(key, value)| (key, document(value, member.target)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        (Kind::Blob, Value::String(text)) => STANDARD.encode(text).into(),
        (Kind::Blob, value @ (Value::Object(_) | Value::Array(_))) => STANDARD.encode(value.to_string()).into(),
        (_, value) => value,
    }
}

fn is_same(member: &str, name: &str) -> bool {
    let (mut ours, mut theirs) = (member.chars(), name.chars());
    let heads = ours.next().zip(theirs.next()).is_some_and(|(our, their)| our.eq_ignore_ascii_case(&their));
    heads && ours.as_str() == theirs.as_str()
}
