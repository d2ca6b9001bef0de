//! Who is told of what in a bucket: the configuration, checked once and asked for every change. Pure.
//!
//! What S3 promises of overlaps is kept when a configuration is set: no change is ever told twice to one kind of destination by two
//! of its entries.

pub(crate) mod record;

use contract::{Arn, Fault};
use wire::s3;

use crate::error::{invalid_argument, refused};

/// What topics say that it is about.
pub(crate) const SUBJECT: &str = "Amazon S3 Notification";

/// One entry of a configuration.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// Its name, by which records say why they came.
    pub(crate) id: Option<&'a str>,
    /// Where records go.
    pub(crate) arn: &'a str,
    pub(crate) kind: Kind,
    events: &'a [s3::Event],
    filter: Option<&'a s3::NotificationConfigurationFilter>,
}

/// What an entry tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Function,
    Queue,
    Topic,
}

impl Kind {
    /// The word that its ARN must have.
    fn service(self) -> &'static str {
        match self {
            Self::Function => "lambda",
            Self::Queue => "sqs",
            Self::Topic => "sns",
        }
    }
}

/// All entries, whatever they tell.
pub(crate) fn entries(configuration: &s3::NotificationConfiguration) -> Vec<Entry<'_>> {
    let functions = configuration.lambda_function_configurations.iter().flatten().map(|entry| Entry {
        id: entry.id.as_deref(),
        arn: &entry.lambda_function_arn,
        kind: Kind::Function,
        events: &entry.events,
        filter: entry.filter.as_ref(),
    });
    let queues = configuration.queue_configurations.iter().flatten().map(|entry| Entry {
        id: entry.id.as_deref(),
        arn: &entry.queue_arn,
        kind: Kind::Queue,
        events: &entry.events,
        filter: entry.filter.as_ref(),
    });
    let topics = configuration.topic_configurations.iter().flatten().map(|entry| Entry {
        id: entry.id.as_deref(),
        arn: &entry.topic_arn,
        kind: Kind::Topic,
        events: &entry.events,
        filter: entry.filter.as_ref(),
    });
    functions.chain(queues).chain(topics).collect()
}

/// Gives names to entries that have none.
pub(crate) fn name(configuration: &mut s3::NotificationConfiguration, mut fresh: impl FnMut() -> String) {
    let functions = configuration.lambda_function_configurations.iter_mut().flatten().map(|entry| &mut entry.id);
    let queues = configuration.queue_configurations.iter_mut().flatten().map(|entry| &mut entry.id);
    let topics = configuration.topic_configurations.iter_mut().flatten().map(|entry| &mut entry.id);
    for id in functions.chain(queues).chain(topics) {
        id.get_or_insert_with(&mut fresh);
    }
}

impl Entry<'_> {
    /// Whether it wants to know of an event, by S3's name of it, of a key.
    pub(crate) fn wants(&self, event: &str, key: &str) -> bool {
        let (prefix, suffix) = self.affixes();
        self.events.iter().any(|wanted| covers(wanted.as_str(), event))
            && key.starts_with(prefix)
            && key.ends_with(suffix)
    }

    /// The prefix and the suffix; those that are not there are empty.
    fn affixes(&self) -> (&str, &str) {
        let rules = self.filter.and_then(|filter| filter.key.as_ref()).and_then(|key| key.filter_rules.as_deref());
        let value = |name: &str| {
            let rule = rules.unwrap_or_default().iter().find(|rule| is_named(rule, name));
            rule.and_then(|rule| rule.value.as_deref()).unwrap_or_default()
        };
        (value("prefix"), value("suffix"))
    }

    fn check(&self) -> Result<(), Fault> {
        let arn = Arn::parse(self.arn).filter(|arn| arn.service == self.kind.service());
        if arn.is_none() {
            return Err(invalid_argument("The ARN is not well formed", "Arn", self.arn));
        }
        if self.kind != Kind::Function && self.arn.ends_with(".fifo") {
            let message = "Unable to validate the following destination configurations";
            return Err(invalid_argument(message, self.arn, "FIFO queues and topics are not supported"));
        }
        if self.events.is_empty() {
            return Err(crate::error::malformed_xml());
        }
        if let Some(unknown) = self.events.iter().find(|event| !is_known(event.as_str())) {
            let message = "The event is not supported for notifications";
            return Err(invalid_argument(message, "Event", unknown.as_str()));
        }
        let rules = self.filter.and_then(|filter| filter.key.as_ref()).and_then(|key| key.filter_rules.as_deref());
        let rules = rules.unwrap_or_default();
        for rule in rules {
            if !is_named(rule, "prefix") && !is_named(rule, "suffix") {
                let said = rule.name.as_ref().map(|name| name.as_str()).unwrap_or_default();
                return Err(invalid_argument(
                    "filter rule name must be either prefix or suffix",
                    "FilterRule.Name",
                    said,
                ));
            }
            if rule.value.as_deref().unwrap_or_default().len() > 1024 {
                return Err(invalid_argument(
                    "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation",
                    "FilterRule.Value",
                    "",
                ));
            }
        }
        for name in ["prefix", "suffix"] {
            if rules.iter().filter(|rule| is_named(rule, name)).count() > 1 {
                let message = format!("Cannot specify more than one {name} rule in a filter.");
                return Err(invalid_argument(message, "FilterRule.Name", name));
            }
        }
        Ok(())
    }

    /// Whether some change of some key would be told by both.
    fn overlaps(&self, other: &Self) -> bool {
        let ((prefix, suffix), (other_prefix, other_suffix)) = (self.affixes(), other.affixes());
        let events = self.events.iter().any(|one| {
            let one = one.as_str();
            other.events.iter().any(|another| covers(one, another.as_str()) || covers(another.as_str(), one))
        });
        let prefixes = prefix.starts_with(other_prefix) || other_prefix.starts_with(prefix);
        let suffixes = suffix.ends_with(other_suffix) || other_suffix.ends_with(suffix);
        events && prefixes && suffixes
    }
}

/// Whether a configuration can be kept, but for whether its destinations are there.
pub(crate) fn check(configuration: &s3::NotificationConfiguration) -> Result<(), Fault> {
    /// So many entries a bucket may have.
    const ENTRIES_MAX: usize = 100;
    let entries = entries(configuration);
    if entries.len() > ENTRIES_MAX {
        let message = format!("The number of configurations must not exceed {ENTRIES_MAX}");
        return Err(refused(400, "InvalidArgument", message));
    }
    for (number, entry) in entries.iter().enumerate() {
        entry.check()?;
        for other in &entries[..number] {
            if other.id.is_some() && other.id == entry.id {
                let message = "Same ID used for multiple configurations. IDs must be unique.";
                return Err(invalid_argument(message, "Id", entry.id.unwrap_or_default()));
            }
            if entry.overlaps(other) {
                let filtered = entry.affixes() != ("", "") || other.affixes() != ("", "");
                let message = match filtered {
                    true => {
                        "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are \
                         overlapping for the same event type."
                    }
                    false => {
                        "Configurations overlap. Configurations on the same bucket cannot share a common event type."
                    }
                };
                return Err(refused(400, "InvalidArgument", message));
            }
        }
    }
    Ok(())
}

/// S3 takes a rule's name in either case.
fn is_named(rule: &s3::FilterRule, name: &str) -> bool {
    rule.name.as_ref().is_some_and(|said| said.as_str().eq_ignore_ascii_case(name))
}

/// Whether a wish is for an event, or for all of its kind.
fn covers(wanted: &str, event: &str) -> bool {
    wanted == event || wanted.strip_suffix('*').is_some_and(|kind| event.starts_with(kind))
}

/// Names that S3 knows. Of some no change here ever tells: nothing is replicated or lost.
fn is_known(event: &str) -> bool {
    const KINDS: [(&str, &[&str]); 7] = [
        ("s3:ObjectCreated:", &["*", "Put", "Post", "Copy", "CompleteMultipartUpload"]),
        ("s3:ObjectRemoved:", &["*", "Delete", "DeleteMarkerCreated"]),
        ("s3:ObjectRestore:", &["*", "Post", "Completed", "Delete"]),
        (
            "s3:Replication:",
            &[
                "*",
                "OperationFailedReplication",
                "OperationNotTracked",
                "OperationMissedThreshold",
                "OperationReplicatedAfterThreshold",
            ],
        ),
        ("s3:LifecycleExpiration:", &["*", "Delete", "DeleteMarkerCreated"]),
        ("s3:ObjectTagging:", &["*", "Put", "Delete"]),
        ("s3:ObjectAcl:", &["Put"]),
    ];
    const ALONE: [&str; 3] = ["s3:ReducedRedundancyLostObject", "s3:LifecycleTransition", "s3:IntelligentTiering"];
    ALONE.contains(&event)
        || KINDS.iter().any(|(kind, names)| event.strip_prefix(kind).is_some_and(|name| names.contains(&name)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn configuration(queues: &[Value]) -> s3::NotificationConfiguration {
        let mut shape = s3::NotificationConfiguration::default();
        let document = json!({ "QueueConfigurations": queues });
        wire::document::read_into(&mut shape, document).expect("a configuration");
        shape
    }

    fn queue(name: &str, events: &[&str], rules: &[(&str, &str)]) -> Value {
        let rules: Vec<Value> = rules.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect();
        json!({
            "QueueArn": format!("arn:aws:sqs:us-east-1:000000000000:{name}"),
            "Events": events,
            "Filter": { "Key": { "FilterRules": rules } },
        })
    }

    #[test]
    fn changes_are_told_to_who_wants_them() {
        let created = ["s3:ObjectCreated:*"];
        for (events, rules, event, key, expected) in [
            (&created[..], &[][..], "s3:ObjectCreated:Put", "a", true),
            (&created, &[], "s3:ObjectCreated:CompleteMultipartUpload", "a", true),
            (&created, &[], "s3:ObjectRemoved:Delete", "a", false),
            (&["s3:ObjectCreated:Put"], &[], "s3:ObjectCreated:Copy", "a", false),
            (&["s3:ObjectRemoved:Delete", "s3:ObjectTagging:*"], &[], "s3:ObjectTagging:Put", "a", true),
            (&created, &[("prefix", "in/"), ("Suffix", ".jpg")], "s3:ObjectCreated:Put", "in/a.jpg", true),
            (&created, &[("prefix", "in/"), ("Suffix", ".jpg")], "s3:ObjectCreated:Put", "in/a.png", false),
            (&created, &[("Prefix", "in/")], "s3:ObjectCreated:Put", "out/a", false),
        ] {
            let configuration = configuration(&[queue("q", events, rules)]);
            assert_eq!(entries(&configuration)[0].wants(event, key), expected, "{events:?} {rules:?} {event} {key}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused_in_s3s_words() {
        let created = ["s3:ObjectCreated:*"];
        let one = |events: &[&str], rules: &[(&str, &str)]| vec![queue("q", events, rules)];
        let two = |rules: &[(&str, &str)], others: &[(&str, &str)]| {
            vec![queue("q", &created, rules), queue("r", &["s3:ObjectCreated:Put"], others)]
        };
        let twice = "Configurations overlap. Configurations on the same bucket cannot share a common event type.";
        let ambiguous = "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are \
                         overlapping for the same event type.";
        for (queues, expected) in [
            (one(&created, &[]), None),
            (one(&["s3:ObjectEaten:*"], &[]), Some("The event is not supported for notifications")),
            (one(&created, &[("infix", "a")]), Some("filter rule name must be either prefix or suffix")),
            (
                one(&created, &[("prefix", "a"), ("Prefix", "b")]),
                Some("Cannot specify more than one prefix rule in a filter."),
            ),
            (two(&[], &[]), Some(twice)),
            (two(&[("prefix", "a/")], &[("prefix", "b/")]), None),
            (two(&[("prefix", "a/")], &[("prefix", "a/b")]), Some(ambiguous)),
            (two(&[("suffix", ".jpg")], &[("suffix", ".png")]), None),
            (two(&[("prefix", "a"), ("suffix", ".jpg")], &[("suffix", "g")]), Some(ambiguous)),
            (vec![queue("q", &created, &[]), queue("r", &["s3:ObjectRemoved:*"], &[])], None),
            (vec![queue("q.fifo", &created, &[])], Some("Unable to validate the following destination configurations")),
            (vec![json!({ "QueueArn": "q", "Events": created })], Some("The ARN is not well formed")),
            (
                vec![json!({ "QueueArn": "arn:aws:sns:us-east-1:000000000000:t", "Events": created })],
                Some("The ARN is not well formed"),
            ),
        ] {
            let found = check(&configuration(&queues)).err().map(|fault| fault.message);
            assert_eq!(found.as_deref(), expected, "{queues:?}");
        }
    }

    #[test]
    fn entries_without_a_name_get_one() {
        let mut named = configuration(&[queue("q", &["s3:ObjectCreated:*"], &[])]);
        name(&mut named, || "fresh".to_owned());
        name(&mut named, || "other".to_owned());
        assert_eq!(entries(&named)[0].id, Some("fresh"));
    }
}
