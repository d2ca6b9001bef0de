//! What lies on disk, in JSON. Converted to and from the working types by hand.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use store::Record;
use uuid::Uuid;

use crate::error::Error;
use crate::model::application::{Application, Endpoint};
use crate::model::settings::compile;
use crate::model::subscription::Wishes;
use crate::model::{Protocol, Scope, Settings, Standing, Subscription, Topic, TopicName};
use crate::signing::Kept;

macro_rules! record {
    ($name:ident, $kind:literal) => {
        impl Record for $name {
            const KIND: &'static str = $kind;
            const VERSION: u16 = 1;
        }
    };
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TopicRecord {
    pub(super) id: Uuid,
    attributes: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data_protection: Option<String>,
    pub(super) subscriptions_deleted: u64,
}
record!(TopicRecord, "topic");

impl TopicRecord {
    pub(super) fn of(topic: &Topic) -> Self {
        Self {
            id: topic.id,
            attributes: topic.settings.set().clone(),
            tags: topic.tags.clone(),
            data_protection: topic.data_protection.clone(),
            subscriptions_deleted: topic.subscriptions_deleted,
        }
    }

    pub(super) fn model(self, scope: &Scope, name: &TopicName) -> Result<Topic, Error> {
        let settings = stored(Settings::stored(name.is_fifo(), &self.attributes))?;
        let policy = stored(compile(settings.policy().unwrap_or_default()))?;
        Ok(Topic {
            id: self.id,
            scope: scope.clone(),
            name: name.clone(),
            settings,
            policy,
            tags: self.tags,
            data_protection: self.data_protection,
            subscriptions_deleted: self.subscriptions_deleted,
        })
    }
}

/// What was checked before it was stored, and cannot be read now, is our fault and not the caller's.
fn stored<T>(read: Result<T, Error>) -> Result<T, Error> {
    read.map_err(|error| {
        tracing::error!(%error, "what was stored of a topic cannot be read");
        Error::Internal
    })
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SubscriptionRecord {
    protocol: String,
    endpoint: String,
    standing: StandingRecord,
    attributes: BTreeMap<String, String>,
    base_url: String,
}
record!(SubscriptionRecord, "subscription");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StandingRecord {
    Confirmed { authenticated: bool, guarded: bool },
    Pending { token: String, until_ms: i64 },
    Left { token: String, until_ms: i64 },
}

impl SubscriptionRecord {
    pub(super) fn of(subscription: &Subscription) -> Self {
        let standing = match subscription.standing.clone() {
            Standing::Confirmed { authenticated, guarded } => StandingRecord::Confirmed { authenticated, guarded },
            Standing::Pending { token, until_ms } => StandingRecord::Pending { token, until_ms },
            Standing::Left { token, until_ms } => StandingRecord::Left { token, until_ms },
        };
        Self {
            protocol: subscription.protocol.as_str().to_owned(),
            endpoint: subscription.endpoint.clone(),
            standing,
            attributes: subscription.wishes.set().clone(),
            base_url: subscription.base_url.clone(),
        }
    }

    pub(super) fn model(self, topic: &Topic, id: Uuid) -> Result<Subscription, Error> {
        let protocol = stored(Protocol::parse(&self.protocol))?;
        let standing = match self.standing {
            StandingRecord::Confirmed { authenticated, guarded } => Standing::Confirmed { authenticated, guarded },
            StandingRecord::Pending { token, until_ms } => Standing::Pending { token, until_ms },
            StandingRecord::Left { token, until_ms } => Standing::Left { token, until_ms },
        };
        Ok(Subscription {
            id,
            scope: topic.scope.clone(),
            topic: topic.name.clone(),
            protocol,
            endpoint: self.endpoint,
            standing,
            wishes: stored(Wishes::read(protocol, "", &self.attributes))?,
            base_url: self.base_url,
        })
    }
}

/// A deleted topic.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Gone {}
record!(Gone, "topic-gone");

/// The last message's place.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) place: u64,
}
record!(Place, "topic-place");

/// A deduplication id, until it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lapse {
    pub(crate) until_ms: i64,
    pub(crate) message: Uuid,
    pub(crate) place: u64,
}
record!(Lapse, "topic-lapse");

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeyRecord {
    pkcs8: String,
    certificate: String,
}
record!(KeyRecord, "topic-key");

impl KeyRecord {
    pub(super) fn of(kept: &Kept) -> Self {
        Self { pkcs8: STANDARD.encode(&kept.pkcs8), certificate: STANDARD.encode(&kept.certificate) }
    }

    pub(super) fn model(&self) -> Result<Kept, Error> {
        let decode = |text: &str| {
            STANDARD.decode(text).map_err(|error| {
                tracing::error!(%error, "the key that signs messages cannot be read");
                Error::Internal
            })
        };
        Ok(Kept { pkcs8: decode(&self.pkcs8)?, certificate: decode(&self.certificate)? })
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ApplicationRecord {
    attributes: BTreeMap<String, String>,
}
record!(ApplicationRecord, "push-application");

impl ApplicationRecord {
    pub(super) fn of(application: &Application) -> Self {
        Self { attributes: application.attributes.clone() }
    }

    pub(super) fn model(self, scope: &Scope, platform: &str, name: &str) -> Application {
        Application {
            scope: scope.clone(),
            platform: platform.to_owned(),
            name: name.to_owned(),
            attributes: self.attributes,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EndpointRecord {
    token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_data: Option<String>,
    enabled: bool,
}
record!(EndpointRecord, "push-endpoint");

impl EndpointRecord {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        Self { token: endpoint.token.clone(), user_data: endpoint.user_data.clone(), enabled: endpoint.enabled }
    }

    pub(super) fn model(self, id: Uuid) -> Endpoint {
        Endpoint { id, token: self.token, user_data: self.user_data, enabled: self.enabled }
    }
}

/// A phone number of the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PhoneRecord {
    pub(super) verified: bool,
    pub(super) password: String,
}
record!(PhoneRecord, "sms-phone");

/// What was set for short messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShortMessagesRecord {
    pub(super) attributes: BTreeMap<String, String>,
}
record!(ShortMessagesRecord, "sms-attributes");
