//! A subscription: who gets a topic's messages, which of them, and how.

use std::collections::BTreeMap;

use contract::Arn;
use serde_json::Value;
use uuid::Uuid;

use super::filter::{Filter, FilterScope};
use super::patience::{DeliveryPolicy, show_subscription};
use super::settings::truth;
use super::{Protocol, Scope, Topic, TopicName};
use crate::error::Error;

/// One subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Its id.
    pub id: Uuid,
    /// Whose, and where.
    pub scope: Scope,
    /// Its topic.
    pub topic: TopicName,
    /// How it is reached.
    pub protocol: Protocol,
    /// Where it is reached.
    pub endpoint: String,
    /// Whether it counts.
    pub standing: Standing,
    /// Its attributes.
    pub wishes: Wishes,
    /// What addresses begin with that it is given: as its subscriber reached the node.
    pub base_url: String,
}

/// The id of the subscription of an endpoint: the same whenever it is made, so that a template can tell it beforehand.
pub fn id_of(topic_arn: &str, protocol: Protocol, endpoint: &str) -> Uuid {
    let text = format!("{topic_arn}\0{}\0{endpoint}", protocol.as_str());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Whether a subscription counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It gets messages.
    Confirmed {
        /// By somebody who could prove who they are, or because nobody had to be asked.
        authenticated: bool,
        /// Only the owner may end it, and not whoever has the address for it.
        guarded: bool,
    },
    /// It waits for its confirmation until then.
    Pending {
        /// What confirms it.
        token: String,
        /// The last moment.
        until_ms: i64,
    },
    /// It was ended, is not shown, and can come back until then.
    Left {
        /// What brings it back.
        token: String,
        /// The last moment.
        until_ms: i64,
    },
}

/// What a subscription's owner set, as text, and what it means. Only [`Wishes::apply`] changes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wishes {
    set: BTreeMap<String, String>,
    /// Messages come as they are.
    pub raw: bool,
    /// Which messages come.
    pub filter: Option<Filter>,
    filter_scope: FilterScope,
    /// What its requests are like.
    pub delivery: DeliveryPolicy,
    /// The queue for what could not be delivered.
    pub dead_letters: Option<String>,
}

impl Subscription {
    /// Its ARN.
    pub fn arn(&self) -> String {
        self.scope.arn(&format!("{}:{}", self.topic, self.id)).to_string()
    }

    /// The ARN of its topic.
    pub fn topic_arn(&self) -> String {
        self.scope.arn(self.topic.as_str()).to_string()
    }

    /// Whether it gets messages.
    pub fn is_confirmed(&self) -> bool {
        matches!(self.standing, Standing::Confirmed { .. })
    }

    /// Whether it waits for its confirmation.
    pub fn is_pending(&self) -> bool {
        matches!(self.standing, Standing::Pending { .. })
    }

    /// Whether people see it.
    pub fn is_shown(&self) -> bool {
        self.is_confirmed() || self.is_pending()
    }

    /// What confirms it, or brings it back, and until when.
    pub fn token(&self) -> Option<(&str, i64)> {
        match &self.standing {
            Standing::Confirmed { .. } => None,
            Standing::Pending { token, until_ms } | Standing::Left { token, until_ms } => Some((token, *until_ms)),
        }
    }

    /// All that `GetSubscriptionAttributes` shows.
    pub fn show(&self, topic: &Topic) -> BTreeMap<String, String> {
        let mut shown = self.wishes.set.clone();
        let (authenticated, pending) = match self.standing {
            Standing::Confirmed { authenticated, .. } => (authenticated, false),
            Standing::Pending { .. } | Standing::Left { .. } => (false, true),
        };
        let (patience, content_type) = DeliveryPolicy::effective(&topic.settings.delivery, &self.wishes.delivery);
        let requests = matches!(self.protocol, Protocol::Http | Protocol::Https);
        if requests && (!self.wishes.set.contains_key("EffectiveDeliveryPolicy")) {
            shown.insert("EffectiveDeliveryPolicy".to_owned(), show_subscription(patience, content_type));
        }
        if self.wishes.filter.is_some() {
            let scope = self.wishes.filter_scope.as_str().to_owned();
            shown.entry("FilterPolicyScope".to_owned()).or_insert(scope);
        }
        for (name, value) in [
            ("SubscriptionArn", self.arn()),
            ("TopicArn", self.topic_arn()),
            ("Owner", self.scope.account.to_string()),
            ("Protocol", self.protocol.as_str().to_owned()),
            ("Endpoint", self.endpoint.clone()),
            ("RawMessageDelivery", self.wishes.raw.to_string()),
            ("PendingConfirmation", pending.to_string()),
            ("ConfirmationWasAuthenticated", authenticated.to_string()),
            ("SubscriptionPrincipal", format!("arn:aws:iam::{}:root", self.scope.account)),
        ] {
            shown.insert(name.to_owned(), value);
        }
        shown
    }
}

impl Wishes {
    /// Those that were given with a subscription, or stored. `before` is what AWS puts before its words: nothing, or what names the
    /// parameter.
    pub fn read(protocol: Protocol, before: &str, given: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut wishes = Self::default();
        // The scope first: the policy is read for it.
        let scope = given.get_key_value("FilterPolicyScope");
        let rest = given.iter().filter(|(name, _)| *name != "FilterPolicyScope");
        scope.into_iter().chain(rest).try_for_each(|(name, value)| wishes.apply(protocol, before, name, value))?;
        Ok(wishes)
    }

    /// What was set.
    pub fn set(&self) -> &BTreeMap<String, String> {
        &self.set
    }

    /// Sets one; an empty value takes it back.
    pub fn apply(&mut self, protocol: Protocol, before: &str, name: &str, value: &str) -> Result<(), Error> {
        let refused = |why: String| Err(Error::Invalid(format!("{before}{why}")));
        match name {
            "RawMessageDelivery" => {
                let Some(raw) = truth(value) else {
                    return refused(format!("RawMessageDelivery: Invalid value [{value}]. Must be true or false."));
                };
                if raw && !protocol.knows_raw() {
                    let protocol = protocol.as_str();
                    return refused(format!(
                        "RawMessageDelivery: Delivery protocol [{protocol}] does not support raw message delivery."
                    ));
                }
                self.raw = raw;
            }
            "FilterPolicyScope" => {
                let Some(scope) = FilterScope::parse(if value.is_empty() { "MessageAttributes" } else { value }) else {
                    return refused(format!(
                        "FilterPolicyScope: Invalid value [{value}]. Please use either MessageBody or MessageAttributes"
                    ));
                };
                let policy = self.set.get("FilterPolicy").map_or("", String::as_str);
                self.filter = read_filter(policy, scope, before)?;
                self.filter_scope = scope;
            }
            "FilterPolicy" => self.filter = read_filter(value, self.filter_scope, before)?,
            "DeliveryPolicy" if value.is_empty() => self.delivery = DeliveryPolicy::default(),
            "DeliveryPolicy" => self.delivery = DeliveryPolicy::of_subscription(value)?,
            "RedrivePolicy" => match read_redrive(value) {
                Ok(target) => self.dead_letters = target,
                Err(why) => return refused(format!("RedrivePolicy: {why}")),
            },
            "SubscriptionRoleArn" if value.is_empty() || Arn::parse(value).is_some_and(|arn| arn.service == "iam") => {}
            "SubscriptionRoleArn" => return refused("SubscriptionRoleArn: must be the ARN of a role".to_owned()),
            "ReplayPolicy" if value.is_empty() || value == "{}" => return Ok(()),
            "ReplayPolicy" => {
                return refused(
                    "ReplayPolicy: the topic has no ArchivePolicy, so there is nothing to replay".to_owned(),
                );
            }
            _ => return refused("AttributeName".to_owned()),
        }
        match value {
            "" | "{}" => drop(self.set.remove(name)),
            value => drop(self.set.insert(name.to_owned(), value.to_owned())),
        }
        Ok(())
    }

    /// Whether what is given is so already.
    pub fn agrees(&self, given: &Self) -> bool {
        let plain = |wishes: &Self| {
            let mut set = wishes.set.clone();
            set.retain(|name, value| !(name == "RawMessageDelivery" && value.eq_ignore_ascii_case("false")));
            set
        };
        plain(self) == plain(given)
    }
}

fn read_filter(policy: &str, scope: FilterScope, before: &str) -> Result<Option<Filter>, Error> {
    if policy.is_empty() {
        return Ok(None);
    }
    Filter::parse(policy, scope).map_err(|why| match why.starts_with("Filter policy scope") {
        true => Error::Invalid(format!("{before}{why}")),
        false => Error::Invalid(format!("{before}FilterPolicy: {why}")),
    })
}

fn read_redrive(policy: &str) -> Result<Option<String>, String> {
    if policy.is_empty() || policy == "{}" {
        return Ok(None);
    }
    let document: Value = serde_json::from_str(policy).map_err(|_| "failed to parse JSON.".to_owned())?;
    let target = document["deadLetterTargetArn"].as_str().unwrap_or_default();
    match Arn::parse(target) {
        Some(arn) if arn.service == "sqs" => Ok(Some(target.to_owned())),
        Some(_) | None => Err("deadLetterTargetArn is an invalid arn".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_in_awss_words() {
        let check = |protocol: Protocol, name: &str, value: &str, expected: &str| {
            let given = [(name.to_owned(), value.to_owned())].into();
            let found =
                Wishes::read(protocol, "", &given).map_or_else(|error| error.to_string(), |_| "good".to_owned());
            assert_eq!(found, expected, "{name} {value}");
        };
        check(Protocol::Sqs, "RawMessageDelivery", "true", "good");
        check(
            Protocol::Sqs,
            "RawMessageDelivery",
            "x",
            "Invalid parameter: RawMessageDelivery: Invalid value [x]. Must be true or false.",
        );
        check(
            Protocol::Lambda,
            "RawMessageDelivery",
            "true",
            "Invalid parameter: RawMessageDelivery: Delivery protocol [lambda] does not support raw message delivery.",
        );
        check(Protocol::Sqs, "FilterPolicy", r#"{"a":["b"]}"#, "good");
        check(
            Protocol::Sqs,
            "FilterPolicy",
            r#"{"a":"b"}"#,
            "Invalid parameter: FilterPolicy: \"a\" must be an object or an array",
        );
        check(
            Protocol::Sqs,
            "FilterPolicyScope",
            "x",
            "Invalid parameter: FilterPolicyScope: Invalid value [x]. Please use either MessageBody or MessageAttributes",
        );
        check(
            Protocol::Sqs,
            "RedrivePolicy",
            r#"{"deadLetterTargetArn":"x"}"#,
            "Invalid parameter: RedrivePolicy: deadLetterTargetArn is an invalid arn",
        );
        check(Protocol::Sqs, "Nonsense", "x", "Invalid parameter: AttributeName");
    }

    #[test]
    fn the_scope_counts_whenever_it_is_set() {
        let mut wishes = Wishes::default();
        wishes.apply(Protocol::Sqs, "", "FilterPolicyScope", "MessageBody").expect("applies");
        wishes.apply(Protocol::Sqs, "", "FilterPolicy", r#"{"a":{"b":["c"]}}"#).expect("applies");
        assert_eq!(wishes.filter.as_ref().map(Filter::scope), Some(FilterScope::MessageBody));
        assert!(wishes.apply(Protocol::Sqs, "", "FilterPolicyScope", "MessageAttributes").is_err());
        wishes.apply(Protocol::Sqs, "", "FilterPolicy", "{}").expect("applies");
        assert_eq!(wishes.filter, None);
    }
}
