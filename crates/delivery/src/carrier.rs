//! Who carries: knows one kind of delivery, tries once, and says how that ended.

use std::time::Duration;

use base::Random;
use bytes::Bytes;
use contract::{BoxFuture, Call, Origin, Principal};

use crate::{DeadLetter, Delivery, LaneId, Retry, Sender};

/// Knows how to carry one kind of delivery. Registered by name when the node starts ([`crate::Deps::carriers`]).
pub trait Carrier: Send + Sync + 'static {
    /// Tries once. It may be cut off when the node stops, and is then called again after the restart with the same delivery: a try
    /// that was not recorded does not count. It must end within some time of its own.
    fn carry<'a>(&'a self, carried: &'a Carried) -> BoxFuture<'a, Ending>;

    /// Says what becomes of a delivery that is given up.
    fn farewell(&self, carried: &Carried, given_up: &GivenUp) -> Farewell {
        let _ = given_up;
        match carried.dead_letter {
            Some(_) => Farewell::DeadLetter,
            None => Farewell::Keep,
        }
    }
}

/// A delivery in its carrier's hands.
#[derive(Clone, Debug)]
pub struct Carried {
    /// Its lane.
    pub lane: LaneId,
    /// The carrier's own document.
    pub parcel: Bytes,
    /// From where it comes.
    pub sender: Sender,
    /// How often it was tried before, whether or not that counted.
    pub tries: u32,
    /// How many of its retries are used up.
    pub retries: u32,
    /// Its patience.
    pub retry: Retry,
    /// Where it goes when it is given up.
    pub dead_letter: Option<DeadLetter>,
}

impl Carried {
    /// The call that carries it: one hop further in, in its sender's account and region.
    pub fn call(&self, random: &Random, principal: Principal, deadline: Duration) -> Call {
        Call {
            id: random.uuid(),
            principal,
            account: self.sender.account,
            region: self.sender.region.clone(),
            deadline,
            trace: self.sender.trace.child(random),
            hops: self.sender.hops.saturating_add(1),
            origin: Origin::Inside { part: "delivery", base_url: self.sender.base_url.clone() },
        }
    }

    /// Whether it is older than it may become.
    pub fn is_expired(&self, now_ms: i64) -> bool {
        let age_ms = now_ms.saturating_sub(self.sender.since_ms);
        age_ms >= i64::try_from(self.retry.age_max.as_millis()).unwrap_or(i64::MAX)
    }
}

/// How one try ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It is there.
    Delivered {
        /// What follows from that, a success destination's record for instance: put in the transaction that ends this delivery.
        then: Vec<Delivery>,
    },
    /// It is not there, and may be later; one retry is used up.
    Retry {
        /// Why not.
        why: Failure,
        /// Wait so long, and not as [`Retry`] says.
        after: Option<Duration>,
    },
    /// It could not be tried properly (throttled, the node is busy): this costs no retry, and only the age bounds it.
    Later {
        /// Why not.
        why: Failure,
        /// Wait so long, and not as [`Retry`] says.
        after: Option<Duration>,
    },
    /// It will never be there: it is given up at once.
    Refused {
        /// Why not.
        why: Failure,
    },
    /// The carrier itself gives it up, for a reason of its own rules.
    GiveUp {
        /// Why nobody tries any more.
        reason: Reason,
        /// What went wrong.
        why: Failure,
        /// What becomes of it. `None`: what [`Carrier::farewell`] says.
        farewell: Option<Farewell>,
    },
}

impl Ending {
    /// It is there, and nothing follows.
    pub const DELIVERED: Self = Self::Delivered { then: Vec::new() };
}

/// What went wrong, as dead letters tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// A name that programs match on, such as a fault's code or an HTTP status.
    pub code: String,
    /// For a person.
    pub message: String,
}

impl Failure {
    /// What people see of a failure is cut to so many bytes.
    pub const MESSAGE_BYTES_MAX: usize = 1_024;

    /// With a message of a bounded length.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(Self::MESSAGE_BYTES_MAX));
        Self { code: code.into(), message }
    }
}

/// Why nobody tries any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// All retries are used up.
    Exhausted,
    /// It became too old.
    Expired,
    /// It was refused for good.
    Refused,
}

/// A delivery that is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Why.
    pub reason: Reason,
    /// What went wrong in the last try.
    pub why: Failure,
    /// How often it was tried in all.
    pub tries: u32,
    /// How many of its retries were used up.
    pub retries: u32,
    /// When, in milliseconds since the epoch.
    pub now_ms: i64,
}

/// What becomes of a delivery that is given up.
#[derive(Clone, Debug, PartialEq)]
pub enum Farewell {
    /// It goes to its dead letter, or is kept if it has none.
    DeadLetter,
    /// It is kept as failed, for people to look at and to redrive.
    Keep,
    /// These go out instead; with none, nothing is left of it.
    Then(Vec<Delivery>),
}
