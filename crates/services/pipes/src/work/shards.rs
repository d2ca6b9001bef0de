//! A pipe as what handles the records of a stream's shards, and the store as where it keeps how far it is.
//!
//! Records of a shard are in order, so behind one that did not get through all others wait: it is tried again with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::store::{Error, Store, Transaction};
use contract::caller::BoxFuture;
use contract::{Fault, Principal};
use delivery::target::{self, Options};
use delivery::{Delivery, LaneId, Sender};
use mapping::readers::{Lost, ShardSink, Tried};
use mapping::stream::{Attempt, Checkpoint, Discard, Ending, Handler, Origin};
use serde_json::{Value, json};

use super::{Flow, Given, Order, Stuck};
use crate::{faults, store};

/// A pipe that handles the records of a stream's shards.
pub(crate) struct Shards {
    flow: Flow,
    /// Who is told of what is given up.
    dead_letters: Option<String>,
    store: Store,
}

impl Shards {
    pub(crate) fn new(flow: Flow, dead_letters: Option<String>, store: Store) -> Self {
        Self { flow, dead_letters, store }
    }

    /// What became of an attempt. `None` for the ending: it is offered again as it is.
    async fn attempt(&self, attempt: &Attempt) -> (Option<Ending>, Option<String>) {
        let numbers: Vec<String> = attempt.records.iter().map(|record| record.sequence.to_string()).collect();
        // A pipe's records go by their `eventID`; functions written for event source mappings know them by their sequence numbers.
        let names = |(record, number): (&'_ mapping::stream::Record, &'_ String)| {
            let id = record.document.get("eventID").and_then(Value::as_str).map(str::to_owned);
            [id, Some(number.clone())]
        };
        let names: Vec<[Option<String>; 2]> = attempt.records.iter().zip(&numbers).map(names).collect();
        let ids: Vec<Vec<&str>> =
            names.iter().map(|names| names.iter().flatten().map(String::as_str).collect()).collect();
        let events = attempt.records.iter().map(|record| record.document.clone()).collect();
        match self.flow.run(Given { events, ids: &ids, order: Order::Kept }).await {
            Ok(failed) => match failed.first().and_then(|first| attempt.records.get(*first)) {
                Some(first) => (Some(Ending::UpTo { sequence: first.sequence, state: None }), None),
                None => (Some(Ending::Done { state: json!({}) }), None),
            },
            Err(Stuck::Refused(fault)) => {
                let ending = (!fault.is_transient()).then_some(Ending::Failed);
                (ending, Some(format!("{}: {}", fault.code, fault.message)))
            }
            Err(Stuck::Function(why)) => (Some(Ending::Failed), Some(format!("Function call failed: {why}"))),
        }
    }

    /// The message to the destination of what is given up.
    fn farewell(&self, shard: &str, discard: &Discard) -> Option<Delivery> {
        let to = self.dead_letters.as_deref()?;
        let Flow { tools, scope, pipe, arn, .. } = &self.flow;
        let handler = Handler::Pipe { arn };
        let origin = Origin { info: "DDBStreamBatchInfo", stream_arn: &pipe.source, shard, handler };
        let now_ms = tools.clock.now_ms();
        let document = discard.document(&origin, now_ms).to_string();
        let task = target::of_arn(to, Options::new(document, self.flow.acting(), now_ms)).ok()?;
        let base_url = Arc::clone(&tools.base_url);
        let sender = Sender::ticking(scope.account, scope.region.clone(), base_url, &tools.clock, &tools.random);
        Some(Delivery::call(sender, LaneId::any("pipe", format!("{arn} → {to}")), &task))
    }
}

impl ShardSink for Shards {
    fn hand<'a>(&'a self, _shard: &'a str, attempt: &'a Attempt) -> BoxFuture<'a, Tried> {
        Box::pin(async move {
            match self.attempt(attempt).await {
                (Some(ending), problem) => Tried::Ended { ending, request_id: String::new(), problem },
                (None, problem) => Tried::Busy { why: problem.unwrap_or_default() },
            }
        })
    }

    fn principal(&self) -> Principal {
        self.flow.acting().principal()
    }

    fn checkpoints(&self) -> BoxFuture<'_, Result<BTreeMap<String, Checkpoint>, Fault>> {
        Box::pin(async move {
            let reader = &self.flow.pipe.reader;
            let found = self.store.transact(|tx| async move { Checkpoint::all(&tx, reader).await }).await;
            found.map_err(faults::of_store)
        })
    }

    /// Of a pipe that is gone, or was made anew, nothing is kept.
    fn keep<'a>(
        &'a self,
        shard: &'a str,
        checkpoint: &'a Checkpoint,
        lost: Lost<'a>,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            // One for each lane at most, and each says only where the records lie.
            let deliveries: Vec<Delivery> =
                lost.discards.iter().filter_map(|discard| self.farewell(shard, discard)).collect();
            let deliveries = &deliveries;
            let Flow { scope, pipe, .. } = &self.flow;
            let keep = |tx: Transaction| async move {
                let found = store::get(&tx, scope, &pipe.name).await?;
                if found.is_some_and(|found| found.reader == pipe.reader) {
                    checkpoint.save(&tx, &pipe.reader, shard).await?;
                }
                deliveries.iter().for_each(|delivery| delivery::put(&tx, delivery));
                Ok::<_, Error>(())
            };
            self.store.transact(keep).await.map_err(faults::of_store)
        })
    }

    fn forget<'a>(&'a self, shard: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let forget = |tx: Transaction| async move { Checkpoint::forget(&tx, &self.flow.pipe.reader, shard).await };
            self.store.transact(forget).await.map_err(faults::of_store)
        })
    }
}
