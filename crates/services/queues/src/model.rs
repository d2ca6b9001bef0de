//! What queues and messages are in memory, and the pure decisions about them.

pub mod attribute;
pub mod message;
pub mod name;
pub mod receipt;
pub mod settings;
pub mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::Policy;

pub use message::{Attribute, Content, Message, Value};
pub use name::{QueueName, Scope};
pub use receipt::Receipt;
pub use settings::Settings;

/// A queue's number in a node; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u64);

/// A queue, without its messages.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Its number.
    pub id: QueueId,
    /// Whose, and where.
    pub scope: Scope,
    /// Its name.
    pub name: QueueName,
    /// When it was made.
    pub created_ms: u64,
    /// When its attributes were last changed.
    pub modified_ms: u64,
    /// Its attributes.
    pub settings: Settings,
    /// The policy among them, compiled.
    pub policy: Option<Arc<Policy>>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Queue {
    /// Its ARN.
    pub fn arn(&self) -> String {
        self.scope.arn(self.name.as_str()).to_string()
    }

    /// Whether it keeps order.
    pub fn is_fifo(&self) -> bool {
        self.name.is_fifo()
    }
}
