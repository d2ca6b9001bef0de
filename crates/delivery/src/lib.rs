//! Delivery: the one path from every source to every target. At least once, in order where that is promised, and nothing lost across
//! crashes.
//!
//! A service [`put`]s a [`Delivery`] in the transaction that makes an event true; nothing else has to be called. Once that is
//! committed the delivery is carried, again and again as its [`Retry`] says, until it is delivered or given up; then it goes to its
//! [`DeadLetter`], in the transaction that ends it, or is kept as failed for `freehold deliveries`.
//!
//! What always holds:
//! - A delivery that was committed is carried, whatever happens to the node. A try that a crash cut off is made again.
//! - Tries, and the time of the next one, are in the store: a retry budget survives restarts.
//! - What is slow or dead in one [lane](LaneId) holds back nothing in another; in a lane [in order](Order::InOrder) nothing overtakes.
//! - Nothing polls, and an idle lane costs nothing.
//! - A delivery's call has one hop more than the call that made the event, so loops end with a fault, which is not retried.
//!
//! Limits: parcels of 3 MiB; 2,048 carried at once and 64 of a lane ([`Limits`], [`LaneId`]); 1,000 failed ones of a lane, for 14 days.
//! What waits is bounded by the disk only.
//!
//! Not here: matching events to targets (the services), what operations do (dispatch), functions' asynchronous invocations (functions,
//! which registers a [`Carrier`] of its own).
//!
//! Start reading at `delivery.rs`, then `engine.rs`; `outbox.rs` is how it is kept.
//!
//! ```
//! # async fn example(store: store::Store, call: contract::Call) -> Result<(), Box<dyn std::error::Error>> {
//! use delivery::{Acting, DeadLetter, Delivery, LaneId, Retry, Sender, target};
//!
//! let (rule, queue) = ("arn:aws:events:us-east-1:000000000000:rule/r", "arn:aws:sqs:us-east-1:000000000000:q");
//! let acting = Acting::service("events.amazonaws.com", rule);
//! let now_ms = store.clock().now_ms();
//! let task = target::of_arn(queue, target::Options::new(r#"{"hello":1}"#, acting.clone(), now_ms))?;
//! let delivery = Delivery {
//!     retry: Retry { retries_max: 10, ..Retry::default() },
//!     dead_letter: Some(DeadLetter::like_events("arn:aws:sqs:us-east-1:000000000000:dead", acting, &[("RULE_ARN", rule)])),
//!     ..Delivery::call(Sender::of(&call, now_ms), LaneId::any("rule", format!("{rule} → {queue}")), &task)
//! };
//! store
//!     .transact(|tx| {
//!         let delivery = delivery.clone();
//!         async move {
//!             // … what makes the event true …
//!             delivery::put(&tx, &delivery);
//!             Ok::<_, store::Error>(())
//!         }
//!     })
//!     .await?;
//! # Ok(())
//! # }
//! ```

mod announce;
pub mod call;
mod carrier;
mod counts;
mod dead_letter;
mod delivery;
mod engine;
pub mod http;
mod lanes;
mod outbox;
mod report;
pub mod target;
#[cfg(test)]
mod tests;

pub use announce::{Announcer, Fact};
pub use call::{Acting, Task};
pub use carrier::{Carried, Carrier, Ending, Failure, Farewell, GivenUp, Reason};
pub use counts::KindCounts;
pub use dead_letter::{DeadLetter, Fill};
pub use delivery::{Delivery, LaneId, Order, Retry, Sender};
pub use engine::{Deliveries, Deps};
pub use http::{Post, Reach};
pub use lanes::Limits;
pub use outbox::put;
pub use report::{LaneState, Report};
