//! What is delivered: one event (or batch), on its way in one lane, with its patience and its dead letter.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use base::{Clock, Random};
use bytes::Bytes;
use contract::{AccountId, Call, Region, Trace};

use crate::DeadLetter;
use crate::call::{self, Task};
use crate::http::{self, Post};

/// One event (or batch) on its way to one target. Make it with [`Delivery::call`], [`Delivery::http`] or [`Delivery::new`], change
/// what should differ, and [`crate::put`] it in the transaction that makes the event true.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// What it shares its order, its bounds and its troubles with.
    pub lane: LaneId,
    /// The name of the [`crate::Carrier`] that knows how to carry it.
    pub carrier: Cow<'static, str>,
    /// The carrier's own document. At most [`Delivery::PARCEL_BYTES_MAX`].
    pub parcel: Bytes,
    /// How often and for how long it is tried.
    pub retry: Retry,
    /// Not before this time, in milliseconds since the epoch. `None`: at once.
    pub due_ms: Option<i64>,
    /// Where it goes when it is given up. `None`: it is kept as failed for people to look at.
    pub dead_letter: Option<DeadLetter>,
    /// In whose name, where, and after what.
    pub sender: Sender,
}

impl Delivery {
    /// The largest parcel: AWS's largest event of 1 MiB as base64 in a document, and room for what is said about it.
    pub const PARCEL_BYTES_MAX: usize = 3 << 20;

    /// Something that a carrier of a service's own knows how to carry.
    pub fn new(sender: Sender, lane: LaneId, carrier: &'static str, parcel: Bytes) -> Self {
        let (retry, carrier) = (Retry::default(), Cow::Borrowed(carrier));
        Self { lane, carrier, parcel, retry, due_ms: None, dead_letter: None, sender }
    }

    /// A call of an operation.
    pub fn call(sender: Sender, lane: LaneId, task: &Task) -> Self {
        Self::new(sender, lane, call::NAME, task.to_parcel())
    }

    /// A request to the world.
    pub fn http(sender: Sender, lane: LaneId, post: &Post) -> Self {
        Self::new(sender, lane, http::NAME, post.to_parcel())
    }
}

/// From where a delivery comes: it travels into the calls that carry it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sender {
    /// Whose resources are meant.
    pub account: AccountId,
    /// Where they are.
    pub region: Region,
    /// What addresses that are handed out begin with.
    pub base_url: Arc<str>,
    /// How many calls led here. The call that carries the delivery has one more, so that a loop ends with dispatch's fault.
    pub hops: u8,
    /// The trace that this is part of.
    pub trace: Trace,
    /// When the event happened, in milliseconds since the epoch: the age of the delivery counts from here.
    pub since_ms: i64,
}

impl Sender {
    /// The call that makes the event true.
    pub fn of(call: &Call, now_ms: i64) -> Self {
        Self {
            account: call.account,
            region: call.region.clone(),
            base_url: call.base_url().into(),
            hops: call.hops,
            trace: call.trace,
            since_ms: now_ms,
        }
    }

    /// Nobody's call: a clock's tick, for instance.
    pub fn ticking(account: AccountId, region: Region, base_url: Arc<str>, clock: &Clock, random: &Random) -> Self {
        Self { account, region, base_url, hops: 0, trace: Trace::start(clock, random), since_ms: clock.now_ms() }
    }
}

/// What is delivered one source → one target: a rule's target, a subscription, a schedule, a function's asynchronous invocations.
/// What is slow or dead in one lane holds back nothing in any other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId {
    kind: Cow<'static, str>,
    order: Order,
    name: Arc<str>,
}

/// In what order a lane is delivered. It is part of the lane's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// One after the other, in the order of the commits that put them: the next one waits until the one before it is delivered or
    /// given up.
    InOrder,
    /// Up to so many at once.
    Any {
        /// At least 1.
        at_once: u16,
    },
}

impl LaneId {
    /// Longer names are cut, and told apart by their hash.
    pub const NAME_BYTES_MAX: usize = 1_024;

    /// How many a lane without order carries at once, unless it says otherwise.
    pub const AT_ONCE: u16 = 64;

    /// A lane in which order does not matter. `kind` is the kind of the source in a word, such as `rule` or `subscription`; metrics
    /// are counted by it. `name` says what comes from where to where, such as the ARNs of a rule and its target.
    pub fn any(kind: &'static str, name: impl AsRef<str>) -> Self {
        Self::new(kind, Order::Any { at_once: Self::AT_ONCE }, name)
    }

    /// A lane that keeps its order.
    pub fn in_order(kind: &'static str, name: impl AsRef<str>) -> Self {
        Self::new(kind, Order::InOrder, name)
    }

    /// Any lane.
    pub fn new(kind: impl Into<Cow<'static, str>>, order: Order, name: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        let name = match name.len() {
            0..=Self::NAME_BYTES_MAX => name.into(),
            _ => {
                let hash = hex::encode(digest::digest(&digest::SHA256, name.as_bytes()));
                let head = &name[..name.floor_char_boundary(Self::NAME_BYTES_MAX - hash.len() - 1)];
                format!("{head}#{hash}").into()
            }
        };
        Self { kind: kind.into(), order, name }
    }

    /// The kind of its source.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// From where to where.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its order.
    pub fn order(&self) -> Order {
        self.order
    }
}

/// `rule/arn:aws:events:…`: what people name it by.
impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// How often and for how long a delivery is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries after the first one.
    pub retries_max: u32,
    /// After this time it is tried no more.
    pub age_max: Duration,
    /// The longest first wait; each further one may be twice as long (exponential, with full jitter).
    pub wait_first: Duration,
    /// The longest wait of all.
    pub wait_max: Duration,
}

impl Default for Retry {
    /// EventBridge's and Scheduler's: 185 retries within 24 hours.
    fn default() -> Self {
        Self {
            retries_max: 185,
            age_max: Duration::from_secs(24 * 3600),
            wait_first: Duration::from_secs(1),
            wait_max: Duration::from_secs(600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_stay_apart() {
        let long = "a".repeat(5_000);
        let (one, two) = (LaneId::any("rule", &long), LaneId::any("rule", format!("{long}b")));
        assert_eq!(one.name().len(), LaneId::NAME_BYTES_MAX);
        assert_ne!(one, two);
        assert_eq!(one, LaneId::any("rule", long));
        assert_eq!(LaneId::any("rule", "a → b").to_string(), "rule/a → b");
    }
}
