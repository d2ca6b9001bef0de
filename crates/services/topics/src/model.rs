//! What topics, subscriptions and messages are in memory, and the pure decisions about them.

pub mod application;
pub mod attribute;
pub mod envelope;
pub mod filter;
pub mod message;
pub mod name;
pub mod patience;
pub mod permission;
pub mod protocol;
pub mod settings;
pub mod subscription;

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::Policy;
use uuid::Uuid;

pub use application::{Application, Endpoint};
pub use attribute::Attributes;
pub use envelope::Envelope;
pub use filter::{Filter, FilterScope};
pub use message::Message;
pub use name::{Scope, TopicName};
pub use patience::Patience;
pub use protocol::Protocol;
pub use settings::Settings;
pub use subscription::{Standing, Subscription};

/// A topic, without its subscriptions.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its id, never used again: a topic of the same name that comes later has another.
    pub id: Uuid,
    /// Whose, and where.
    pub scope: Scope,
    /// Its name.
    pub name: TopicName,
    /// Its attributes.
    pub settings: Settings,
    /// The policy among them, compiled; none of the default one, which says what is so anyway.
    pub policy: Option<Arc<Policy>>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Kept and shown, and not applied.
    pub data_protection: Option<String>,
    /// How many subscriptions it had that are no more.
    pub subscriptions_deleted: u64,
}

impl Topic {
    /// Its ARN.
    pub fn arn(&self) -> String {
        self.scope.arn(self.name.as_str()).to_string()
    }

    /// Whether it keeps order.
    pub fn is_fifo(&self) -> bool {
        self.name.is_fifo()
    }
}
