//! The attributes of topics: what may be set, and what follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::Policy;
use serde_json::json;

use super::patience::{DeliveryPolicy, show_topic};
use crate::error::Error;

/// What was set, as text, and what it means. Only [`Settings::apply`] changes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    set: BTreeMap<String, String>,
    /// What makes it a topic that keeps order.
    pub fifo: Option<Fifo>,
    /// What its requests are like.
    pub delivery: DeliveryPolicy,
    /// How its messages are signed.
    pub signature: SignatureVersion,
}

/// How a topic with order recognises what it was given before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fifo {
    /// By the message itself, where the publisher gives no id.
    pub content_based: bool,
    /// Among messages of the same group only.
    pub by_group: bool,
}

/// With what messages are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureVersion {
    /// SHA-1, which is what AWS does unless it is told otherwise.
    #[default]
    One,
    /// SHA-256.
    Two,
}

impl SignatureVersion {
    /// As envelopes have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
        }
    }
}

/// Attributes that are kept and shown, and have no effect: encryption, traces, and where AWS would log deliveries.
const KEPT: [&str; 17] = [
    "KmsMasterKeyId",
    "TracingConfig",
    "HTTPSuccessFeedbackRoleArn",
    "HTTPSuccessFeedbackSampleRate",
    "HTTPFailureFeedbackRoleArn",
    "FirehoseSuccessFeedbackRoleArn",
    "FirehoseSuccessFeedbackSampleRate",
    "FirehoseFailureFeedbackRoleArn",
    "LambdaSuccessFeedbackRoleArn",
    "LambdaSuccessFeedbackSampleRate",
    "LambdaFailureFeedbackRoleArn",
    "ApplicationSuccessFeedbackRoleArn",
    "ApplicationSuccessFeedbackSampleRate",
    "ApplicationFailureFeedbackRoleArn",
    "SQSSuccessFeedbackRoleArn",
    "SQSSuccessFeedbackSampleRate",
    "SQSFailureFeedbackRoleArn",
];

const DISPLAY_NAME_CHARS_MAX: usize = 100;

impl Settings {
    /// Those of a new topic.
    pub fn new(fifo: bool) -> Self {
        Self { fifo: fifo.then(Fifo::default), ..Self::default() }
    }

    /// Those that were stored.
    pub fn stored(fifo: bool, set: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut settings = Self::new(fifo);
        set.iter().try_for_each(|(name, value)| settings.apply(name, value))?;
        Ok(settings)
    }

    /// What was set.
    pub fn set(&self) -> &BTreeMap<String, String> {
        &self.set
    }

    /// The policy that was set.
    pub fn policy(&self) -> Option<&str> {
        self.set.get("Policy").map(String::as_str)
    }

    /// Sets one attribute; an empty value takes it back.
    pub fn apply(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let wrong = || Error::Invalid(format!("{name} Reason: invalid value {value}"));
        match name {
            "DisplayName" => {
                let good = value.chars().count() <= DISPLAY_NAME_CHARS_MAX && !value.chars().any(char::is_control);
                if !good {
                    return Err(Error::Invalid("DisplayName".to_owned()));
                }
            }
            "Policy" => drop(compile(value)?),
            "DeliveryPolicy" if value.is_empty() => self.delivery = DeliveryPolicy::default(),
            "DeliveryPolicy" => self.delivery = DeliveryPolicy::of_topic(value)?,
            "SignatureVersion" => {
                self.signature = match value {
                    "1" | "" => SignatureVersion::One,
                    "2" => SignatureVersion::Two,
                    _ => return Err(wrong()),
                }
            }
            "TracingConfig" if !["PassThrough", "Active", ""].contains(&value) => return Err(wrong()),
            "ContentBasedDeduplication" | "FifoThroughputScope" => {
                let fifo = self.fifo.as_mut().ok_or_else(|| Error::Invalid(name.to_owned()))?;
                match (name, value) {
                    ("ContentBasedDeduplication", _) => fifo.content_based = truth(value).ok_or_else(wrong)?,
                    (_, "Topic" | "") => fifo.by_group = false,
                    (_, "MessageGroup") => fifo.by_group = true,
                    _ => return Err(wrong()),
                }
            }
            "ArchivePolicy" if value.is_empty() || value == "{}" => return Ok(()),
            "ArchivePolicy" => {
                let why = "Freehold does not keep messages for replay yet; subscribe a queue to keep them.";
                return Err(Error::because(name, why));
            }
            name if name.ends_with("SampleRate") && KEPT.contains(&name) => {
                if !value.is_empty() && !value.parse::<u8>().is_ok_and(|rate| rate <= 100) {
                    return Err(wrong());
                }
            }
            name if KEPT.contains(&name) => {}
            _ => return Err(Error::Invalid("AttributeName".to_owned())),
        }
        match value {
            "" => drop(self.set.remove(name)),
            value => drop(self.set.insert(name.to_owned(), value.to_owned())),
        }
        Ok(())
    }

    /// All that `GetTopicAttributes` shows of them.
    pub fn show(&self, arn: &str, owner: &str) -> BTreeMap<String, String> {
        let mut shown = self.set.clone();
        shown.entry("DisplayName".to_owned()).or_default();
        shown.entry("Policy".to_owned()).or_insert_with(|| default_policy(arn, owner));
        shown.insert("EffectiveDeliveryPolicy".to_owned(), show_topic(&self.delivery));
        if let Some(fifo) = &self.fifo {
            let scope = if fifo.by_group { "MessageGroup" } else { "Topic" };
            shown.insert("FifoTopic".to_owned(), "true".to_owned());
            shown.insert("ContentBasedDeduplication".to_owned(), fifo.content_based.to_string());
            shown.insert("FifoThroughputScope".to_owned(), scope.to_owned());
        }
        shown
    }
}

/// Reads a truth as AWS's tools write them.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The policy that a topic has as nobody gave it one: its owner's account may do everything.
pub fn default_policy(arn: &str, owner: &str) -> String {
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": [
                "SNS:GetTopicAttributes",
                "SNS:SetTopicAttributes",
                "SNS:AddPermission",
                "SNS:RemovePermission",
                "SNS:DeleteTopic",
                "SNS:Subscribe",
                "SNS:ListSubscriptionsByTopic",
                "SNS:Publish",
            ],
            "Resource": arn,
            "Condition": { "StringEquals": { "AWS:SourceOwner": owner } },
        }],
    })
    .to_string()
}

/// Reads a policy; none of an empty one.
pub fn compile(text: &str) -> Result<Option<Arc<Policy>>, Error> {
    const BYTES_MAX: usize = 30 << 10;
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > BYTES_MAX {
        return Err(Error::because(
            "Policy",
            format!("Policy is too long: {} bytes of at most {BYTES_MAX}", text.len()),
        ));
    }
    let read = Policy::parse(text, policy::Kind::Resource);
    read.map(|policy| Some(Arc::new(policy))).map_err(|error| Error::Invalid(format!("Policy Error: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(fifo: bool, name: &str, value: &str) -> Result<BTreeMap<String, String>, String> {
        let mut settings = Settings::new(fifo);
        settings.apply(name, value).map_err(|error| error.to_string())?;
        Ok(settings.show("arn:aws:sns:us-east-1:000000000000:news", "000000000000"))
    }

    #[test]
    fn attributes_are_kept_as_they_were_given() {
        for (name, value) in [
            ("DisplayName", "News"),
            ("SignatureVersion", "2"),
            ("KmsMasterKeyId", "alias/aws/sns"),
            ("TracingConfig", "Active"),
            ("SQSSuccessFeedbackSampleRate", "100"),
        ] {
            assert_eq!(set(false, name, value).expect(name)[name], value);
        }
        assert_eq!(set(true, "ContentBasedDeduplication", "TRUE").expect("reads")["FifoTopic"], "true");
        assert_eq!(
            set(true, "FifoThroughputScope", "MessageGroup").expect("reads")["FifoThroughputScope"],
            "MessageGroup"
        );
    }

    #[test]
    fn what_cannot_be_is_refused_in_awss_words() {
        for (name, value, expected) in [
            ("FifoTopic", "true", "Invalid parameter: AttributeName"),
            ("Nonsense", "1", "Invalid parameter: AttributeName"),
            ("SignatureVersion", "3", "Invalid parameter: SignatureVersion Reason: invalid value 3"),
            ("ContentBasedDeduplication", "true", "Invalid parameter: ContentBasedDeduplication"),
            (
                "SQSSuccessFeedbackSampleRate",
                "101",
                "Invalid parameter: SQSSuccessFeedbackSampleRate Reason: invalid value 101",
            ),
        ] {
            assert_eq!(set(false, name, value).expect_err(name), expected);
        }
        assert!(set(false, "DisplayName", "a\nb").is_err() && set(false, "Policy", "{").is_err());
        assert!(set(true, "ArchivePolicy", r#"{"MessageRetentionPeriod":"7"}"#).is_err());
    }
}
