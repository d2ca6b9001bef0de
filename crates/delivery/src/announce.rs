//! How a service tells the default event bus of what it did, in the transaction in which it did it.
//!
//! A service that has something to tell takes an `Arc<dyn Announcer>` among what it needs and calls it inside its own transaction:
//! what follows from the event (deliveries to the targets of the rules that want it) is committed with the change, or not at all.
//! Without rules that want it, it costs a look in memory.

use serde_json::Value;
use store::Transaction;

use crate::Sender;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// AWS's name of the service that tells, such as `aws.s3`.
    pub source: &'static str,
    /// What kind of thing happened, in AWS's words, such as `Object Created`.
    pub detail_type: &'static str,
    /// ARNs of what it is about.
    pub resources: Vec<String>,
    /// The rest: an object, in AWS's form.
    pub detail: Value,
}

/// Takes facts. The product is the event bus; tests have toys.
pub trait Announcer: Send + Sync + 'static {
    /// Puts what follows from the fact into the transaction. Does not wait, and asks nothing of the store.
    fn announce(&self, tx: &Transaction, sender: &Sender, fact: Fact);
}
