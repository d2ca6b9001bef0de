//! A queue's attributes: what may be set, and what each is when nobody sets it.

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::{Kind, Policy};
use serde_json::Value;

use crate::error::Error;

/// The attributes that owners set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Seconds before a new message can be received.
    pub delay_s: u32,
    /// Bytes of a message, with its attributes.
    pub message_bytes_max: u32,
    /// Seconds after which a message is taken away.
    pub retention_s: u32,
    /// Seconds for which a received message is hidden.
    pub visibility_s: u32,
    /// Seconds that a receive waits for a message.
    pub wait_s: u32,
    /// The policy, as it was given.
    pub policy: Option<String>,
    /// Where messages go that nobody could handle.
    pub redrive: Option<Redrive>,
    /// Which queues may name this one as their dead-letter queue.
    pub redrive_allow: Option<RedriveAllow>,
    /// Kept and shown; there is no key service yet, and the store encrypts nothing.
    pub kms_key: Option<String>,
    /// The same.
    pub kms_reuse_s: u32,
    /// The same.
    pub sse_managed: bool,
    /// What only queues that keep order have.
    pub fifo: Option<FifoSettings>,
}

/// A redrive policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// The dead-letter queue.
    pub target: String,
    /// A message that was received as often goes there instead of being received again.
    pub receives_max: u32,
    /// As it was given.
    pub text: String,
}

/// A redrive allow policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedriveAllow {
    /// Which queues.
    pub sources: Sources,
    /// As it was given.
    pub text: String,
}

/// Which queues may name another as their dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sources {
    /// Every one.
    All,
    /// None.
    None,
    /// These.
    These(Vec<String>),
}

/// What only queues that keep order have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FifoSettings {
    /// A message without a deduplication id gets the SHA-256 of its body.
    pub content_based: bool,
    /// Whether duplicates are looked for in the message's own group only.
    pub by_group: bool,
    /// Kept and shown; nothing here is throttled by group.
    pub limit_by_group: bool,
}

const RETENTION_S: u32 = 345_600;
const VISIBILITY_S: u32 = 30;
const KMS_REUSE_S: u32 = 300;
/// The longest message, and the longest batch of messages.
pub const MESSAGE_BYTES_MAX: u32 = 1 << 20;
const ALLOWED_SOURCES_MAX: usize = 10;

impl Settings {
    /// What a queue is when nothing is said.
    pub fn new(fifo: bool) -> Self {
        Self {
            delay_s: 0,
            message_bytes_max: MESSAGE_BYTES_MAX,
            retention_s: RETENTION_S,
            visibility_s: VISIBILITY_S,
            wait_s: 0,
            policy: None,
            redrive: None,
            redrive_allow: None,
            kms_key: None,
            kms_reuse_s: KMS_REUSE_S,
            sse_managed: true,
            fifo: fifo.then_some(FifoSettings { content_based: false, by_group: false, limit_by_group: false }),
        }
    }

    /// Sets attributes; all or none of them.
    pub fn apply(&mut self, attributes: &BTreeMap<String, String>) -> Result<(), Error> {
        let mut changed = self.clone();
        for (name, value) in attributes {
            changed.set(name, value)?;
        }
        if let Some(FifoSettings { by_group: false, limit_by_group: true, .. }) = changed.fifo {
            return Err(Error::InvalidAttributeValue(
                "The parameter FifoThroughputLimit perMessageGroupId requires DeduplicationScope messageGroup."
                    .to_owned(),
            ));
        }
        *self = changed;
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match (name, &mut self.fifo) {
            ("DelaySeconds", _) => self.delay_s = within(name, value, 0, 900)?,
            ("MaximumMessageSize", _) => self.message_bytes_max = within(name, value, 1_024, MESSAGE_BYTES_MAX)?,
            ("MessageRetentionPeriod", _) => self.retention_s = within(name, value, 60, 1_209_600)?,
            ("VisibilityTimeout", _) => self.visibility_s = within(name, value, 0, 43_200)?,
            ("ReceiveMessageWaitTimeSeconds", _) => self.wait_s = within(name, value, 0, 20)?,
            ("KmsDataKeyReusePeriodSeconds", _) => self.kms_reuse_s = within(name, value, 60, 86_400)?,
            ("KmsMasterKeyId", _) => {
                self.kms_key = (!value.is_empty()).then(|| value.to_owned());
                self.sse_managed = self.sse_managed && value.is_empty();
            }
            ("SqsManagedSseEnabled", _) => self.sse_managed = truth(name, value)?,
            ("Policy", _) => {
                compile(value)?;
                self.policy = (!value.is_empty()).then(|| value.to_owned());
            }
            ("RedrivePolicy", _) => self.redrive = Redrive::parse(value)?,
            ("RedriveAllowPolicy", _) => self.redrive_allow = RedriveAllow::parse(value)?,
            ("FifoQueue", Some(_)) if value.eq_ignore_ascii_case("true") => {}
            ("FifoQueue", Some(_)) => {
                return Err(Error::InvalidAttributeValue(
                    "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
                        .to_owned(),
                ));
            }
            ("ContentBasedDeduplication", Some(fifo)) => fifo.content_based = truth(name, value)?,
            ("DeduplicationScope", Some(fifo)) => {
                fifo.by_group = match value {
                    "messageGroup" => true,
                    "queue" => false,
                    _ => return Err(invalid(name)),
                };
            }
            ("FifoThroughputLimit", Some(fifo)) => {
                fifo.limit_by_group = match value {
                    "perMessageGroupId" => true,
                    "perQueue" => false,
                    _ => return Err(invalid(name)),
                };
            }
            _ => return Err(Error::UnknownAttribute(name.to_owned())),
        }
        Ok(())
    }

    /// The attributes as they are shown, by name; those that were never set and have no default are left out.
    pub fn show(&self) -> Vec<(&'static str, String)> {
        let mut shown = vec![
            ("DelaySeconds", self.delay_s.to_string()),
            ("MaximumMessageSize", self.message_bytes_max.to_string()),
            ("MessageRetentionPeriod", self.retention_s.to_string()),
            ("VisibilityTimeout", self.visibility_s.to_string()),
            ("ReceiveMessageWaitTimeSeconds", self.wait_s.to_string()),
            ("SqsManagedSseEnabled", self.sse_managed.to_string()),
        ];
        shown.extend(self.policy.clone().map(|text| ("Policy", text)));
        shown.extend(self.redrive.as_ref().map(|redrive| ("RedrivePolicy", redrive.text.clone())));
        shown.extend(self.redrive_allow.as_ref().map(|allow| ("RedriveAllowPolicy", allow.text.clone())));
        if let Some(key) = &self.kms_key {
            shown.push(("KmsMasterKeyId", key.clone()));
            shown.push(("KmsDataKeyReusePeriodSeconds", self.kms_reuse_s.to_string()));
        }
        if let Some(fifo) = &self.fifo {
            let text = |choice: bool, yes: &str, no: &str| if choice { yes.to_owned() } else { no.to_owned() };
            shown.push(("FifoQueue", "true".to_owned()));
            shown.push(("ContentBasedDeduplication", fifo.content_based.to_string()));
            shown.push(("DeduplicationScope", text(fifo.by_group, "messageGroup", "queue")));
            shown.push(("FifoThroughputLimit", text(fifo.limit_by_group, "perMessageGroupId", "perQueue")));
        }
        shown
    }
}

/// The policy, ready to be asked. An empty one is none.
pub fn compile(text: &str) -> Result<Option<Arc<Policy>>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    match Policy::parse(text, Kind::Resource) {
        Ok(policy) => Ok(Some(Arc::new(policy))),
        Err(_) => Err(invalid("Policy")),
    }
}

impl Redrive {
    /// Reads a redrive policy; an empty one is none.
    pub fn parse(text: &str) -> Result<Option<Self>, Error> {
        if text.is_empty() {
            return Ok(None);
        }
        let refused = |reason: String| {
            Error::InvalidValue(format!("Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}"))
        };
        let document = match serde_json::from_str(text) {
            Ok(Value::Object(document)) => document,
            Ok(_) | Err(_) => return Err(refused("Redrive policy is not a valid JSON map.".to_owned())),
        };
        let missing = |name: &str| refused(format!("Redrive policy does not contain mandatory attribute: {name}."));
        let target = document.get("deadLetterTargetArn").and_then(Value::as_str);
        let target = target.ok_or_else(|| missing("deadLetterTargetArn"))?.to_owned();
        let given = document.get("maxReceiveCount").ok_or_else(|| missing("maxReceiveCount"))?;
        let plain = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
        match plain.parse() {
            Ok(receives_max @ 1..=1_000) => Ok(Some(Self { target, receives_max, text: text.to_owned() })),
            Ok(_) | Err(_) => Err(refused(format!(
                "Invalid value for maxReceiveCount: {plain}, valid values are from 1 to 1000 both inclusive."
            ))),
        }
    }
}

impl RedriveAllow {
    /// Reads a redrive allow policy; an empty one is none.
    pub fn parse(text: &str) -> Result<Option<Self>, Error> {
        if text.is_empty() {
            return Ok(None);
        }
        let refused = |reason: &str| {
            Error::InvalidValue(format!("Value {text} for parameter RedriveAllowPolicy is invalid. Reason: {reason}"))
        };
        let document = match serde_json::from_str(text) {
            Ok(Value::Object(document)) => document,
            Ok(_) | Err(_) => {
                return Err(refused(
                    "Amazon SQS can't create the redrive allow policy, as it's in an unsupported format.",
                ));
            }
        };
        let listed = document
            .get("sourceQueueArns")
            .and_then(Value::as_array)
            .map(|arns| arns.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<String>>());
        let sources = match (document.get("redrivePermission").and_then(Value::as_str), listed) {
            (Some("allowAll"), None) => Sources::All,
            (Some("denyAll"), None) => Sources::None,
            (Some("byQueue"), Some(arns)) if (1..=ALLOWED_SOURCES_MAX).contains(&arns.len()) => Sources::These(arns),
            (Some("byQueue"), _) => return Err(refused("sourceQueueArns must name 1 to 10 queues.")),
            (_, _) => {
                return Err(refused(
                    "Amazon SQS can't create the redrive allow policy, as it's in an unsupported format.",
                ));
            }
        };
        Ok(Some(Self { sources, text: text.to_owned() }))
    }

    /// Whether the queue of that ARN may.
    pub fn allows(&self, source: &str) -> bool {
        match &self.sources {
            Sources::All => true,
            Sources::None => false,
            Sources::These(arns) => arns.iter().any(|arn| arn == source),
        }
    }
}

fn within(name: &str, value: &str, min: u32, max: u32) -> Result<u32, Error> {
    value.parse().ok().filter(|number| (min..=max).contains(number)).ok_or_else(|| invalid(name))
}

fn truth(name: &str, value: &str) -> Result<bool, Error> {
    match value {
        _ if value.eq_ignore_ascii_case("true") => Ok(true),
        _ if value.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(invalid(name)),
    }
}

fn invalid(name: &str) -> Error {
    Error::InvalidAttributeValue(format!("Invalid value for the parameter {name}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(fifo: bool, name: &str, value: &str) -> Result<Settings, String> {
        let mut settings = Settings::new(fifo);
        let attributes = [(name.to_owned(), value.to_owned())].into();
        settings.apply(&attributes).map(|()| settings).map_err(|error| error.to_string())
    }

    #[test]
    fn attributes_are_bounded() {
        for (name, good, bad) in [
            ("DelaySeconds", vec!["0", "900"], vec!["-1", "901", "x", ""]),
            ("MaximumMessageSize", vec!["1024", "1048576"], vec!["1023", "1048577"]),
            ("MessageRetentionPeriod", vec!["60", "1209600"], vec!["59", "1209601"]),
            ("VisibilityTimeout", vec!["0", "43200"], vec!["-1", "43201"]),
            ("ReceiveMessageWaitTimeSeconds", vec!["0", "20"], vec!["21"]),
            ("KmsDataKeyReusePeriodSeconds", vec!["60", "86400"], vec!["59"]),
            ("SqsManagedSseEnabled", vec!["true", "false"], vec!["maybe"]),
            ("Policy", vec![""], vec!["{", "[]"]),
        ] {
            for value in good {
                assert!(set(false, name, value).is_ok(), "{name} {value}");
            }
            for value in bad {
                let expected = format!("Invalid value for the parameter {name}.");
                assert_eq!(set(false, name, value).expect_err(value), expected);
            }
        }
    }

    #[test]
    fn only_queues_that_keep_order_have_some() {
        for (name, value) in [
            ("FifoQueue", "true"),
            ("ContentBasedDeduplication", "true"),
            ("DeduplicationScope", "messageGroup"),
            ("FifoThroughputLimit", "perQueue"),
        ] {
            assert!(set(true, name, value).is_ok(), "{name}");
            assert_eq!(set(false, name, value).expect_err(name), format!("Unknown Attribute {name}."));
        }
        assert!(set(true, "FifoThroughputLimit", "perMessageGroupId").is_err());
        assert_eq!(set(true, "QueueArn", "x").expect_err("read only"), "Unknown Attribute QueueArn.");
    }

    #[test]
    fn redrive_policies_are_read_and_refused() {
        let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
        for (count, good) in [("3", true), ("\"3\"", true), ("0", false), ("1001", false), ("\"x\"", false)] {
            let text = format!("{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":{count}}}");
            assert_eq!(Redrive::parse(&text).is_ok(), good, "{text}");
        }
        assert_eq!(Redrive::parse("").expect("reads"), None);
        for text in ["[]", "x", "{}", "{\"maxReceiveCount\":1}"] {
            assert!(Redrive::parse(text).is_err(), "{text}");
        }
        let allow = |text: &str| RedriveAllow::parse(text).map(|allow| allow.is_some_and(|allow| allow.allows("a")));
        assert!(allow(r#"{"redrivePermission":"allowAll"}"#).expect("reads"));
        assert!(!allow(r#"{"redrivePermission":"denyAll"}"#).expect("reads"));
        assert!(allow(r#"{"redrivePermission":"byQueue","sourceQueueArns":["a"]}"#).expect("reads"));
        assert!(!allow(r#"{"redrivePermission":"byQueue","sourceQueueArns":["b"]}"#).expect("reads"));
        assert!(allow(r#"{"redrivePermission":"byQueue"}"#).is_err());
        assert!(allow(r#"{"redrivePermission":"x"}"#).is_err());
    }
}
