//! The statements of a topic's policy: `AddPermission` and `RemovePermission` in memory.

use serde_json::{Map, Value, json};

use super::Topic;
use super::settings::default_policy;
use crate::error::Error;

/// Actions that others can be allowed.
const ACTIONS: [&str; 9] = [
    "Publish",
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Receive",
];

/// Allows those accounts those actions.
pub fn add(topic: &mut Topic, label: &str, accounts: &[String], actions: &[String]) -> Result<(), Error> {
    const LABEL_CHARS_MAX: usize = 80;
    if !super::name::is_word(label) || label.len() > LABEL_CHARS_MAX {
        return Err(Error::Invalid("Label".to_owned()));
    }
    if actions.is_empty() || accounts.is_empty() {
        let name = if actions.is_empty() { "ActionName" } else { "AWSAccountId" };
        return Err(Error::Invalid(name.to_owned()));
    }
    if actions.iter().any(|action| !ACTIONS.contains(&action.as_str())) {
        return Err(Error::Invalid("Policy statement action out of service scope!".to_owned()));
    }
    if accounts.iter().any(|account| account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(Error::Invalid("AWSAccountId".to_owned()));
    }
    let (mut document, mut statements) = read(topic)?;
    if position(&statements, label).is_some() {
        return Err(Error::Invalid("Statement already exists".to_owned()));
    }
    let principals: Vec<String> = accounts.iter().map(|account| format!("arn:aws:iam::{account}:root")).collect();
    let actions: Vec<String> = actions.iter().map(|action| format!("SNS:{action}")).collect();
    statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": { "AWS": one_or_all(&principals) },
        "Action": one_or_all(&actions),
        "Resource": topic.arn(),
    }));
    document.insert("Statement".to_owned(), statements.into());
    topic.settings.apply("Policy", &Value::Object(document).to_string())
}

/// Takes the statement of that label away.
pub fn remove(topic: &mut Topic, label: &str) -> Result<(), Error> {
    let (mut document, mut statements) = read(topic)?;
    // AWS is silent where there is none.
    let Some(position) = position(&statements, label) else { return Ok(()) };
    statements.remove(position);
    let text = if statements.is_empty() {
        String::new()
    } else {
        document.insert("Statement".to_owned(), statements.into());
        Value::Object(document).to_string()
    };
    topic.settings.apply("Policy", &text)
}

fn read(topic: &Topic) -> Result<(Map<String, Value>, Vec<Value>), Error> {
    let owner = topic.scope.account.to_string();
    let text = topic.settings.policy().map_or_else(|| default_policy(&topic.arn(), &owner), str::to_owned);
    // It was compiled before it was stored, so it is an object.
    let mut document: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
        tracing::error!(%error, topic = topic.arn(), "a topic's policy cannot be read");
        Error::Internal
    })?;
    let statements = match document.remove("Statement") {
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
        None => Vec::new(),
    };
    Ok((document, statements))
}

fn position(statements: &[Value], label: &str) -> Option<usize> {
    statements.iter().position(|statement| statement["Sid"].as_str() == Some(label))
}

fn one_or_all(all: &[String]) -> Value {
    match all {
        [one] => json!(one),
        all => json!(all),
    }
}
