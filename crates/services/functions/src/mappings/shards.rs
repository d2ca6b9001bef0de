//! Functions as what handles the records of streams, and the store as where their checkpoints are.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::store::{Store, Transaction};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::caller::BoxFuture;
use contract::{Document, Fault, Principal};
use delivery::{Acting, Delivery, LaneId, Sender, Task};
use jiff::Timestamp;
use mapping::answer::{self, Report};
use mapping::gathering::BATCH_BYTES_MAX;
use mapping::readers::{Lost, ShardSink, Tried};
use mapping::stream::{Attempt, Checkpoint, Ending, Handler, Origin};
use serde_json::{Value, json};
use uuid::Uuid;

use super::farewell::Farewell;
use super::{Function, judge_fault};
use crate::store::{Refusal, mapping as stored};
use mapping::Handed;

/// A function that handles the records of a stream's shards.
pub(super) struct Shards {
    pub(super) function: Function,
    /// The mapping, and which making of it.
    pub(super) mapping: Uuid,
    pub(super) reader: Uuid,
    pub(super) stream: String,
    pub(super) reports_failures: bool,
    pub(super) on_failure: Option<String>,
}

/// Deliveries of one transaction, however long each is and the window's state, which is kept with them.
const TOGETHER: usize = 2;
const _: () = assert!(TOGETHER * Delivery::PARCEL_BYTES_MAX + BATCH_BYTES_MAX <= Transaction::BYTES_MAX / 8 * 7);

/// Puts what one transaction might not hold, and leaves the last, which go with the checkpoint. Should that one fail then all are put
/// again: what is given up may be told twice, and is never lost.
async fn put_ahead<'a>(store: &Store, deliveries: &'a [Delivery]) -> Result<&'a [Delivery], Refusal> {
    let mut rest = deliveries;
    while rest.len() > TOGETHER {
        let (ahead, others) = rest.split_at(TOGETHER);
        let put = |tx: Transaction| async move {
            ahead.iter().for_each(|delivery| delivery::put(&tx, delivery));
            Ok::<_, Refusal>(())
        };
        store.transact(put).await?;
        rest = others;
    }
    Ok(rest)
}

/// The state that an answer hands on to the next attempt; none where there are no windows. Without one an attempt has failed, as on AWS;
/// of the last attempt of a window nothing is handed on, so it need have none.
fn state_of(attempt: &Attempt, payload: &[u8]) -> Result<Option<Value>, &'static str> {
    if attempt.window.is_none() || attempt.last_of_window {
        return Ok(None);
    }
    let answer = serde_json::from_slice::<Value>(payload).ok();
    let state = answer.and_then(|mut answer| answer.get_mut("state").map(Value::take));
    let state = state.filter(Value::is_object).ok_or("its answer has no state, which tumbling windows need")?;
    // It is handed on once more even where it ends the window.
    match state.to_string().len() > BATCH_BYTES_MAX {
        true => Err("its state is longer than an event can be"),
        false => Ok(Some(state)),
    }
}

/// The node ends: nothing more can be kept.
fn closed() -> Fault {
    Refusal::from(::store::Error::Closed).into()
}

impl Shards {
    /// The event of an attempt.
    fn event(&self, shard: &str, attempt: &Attempt) -> Value {
        let records: Vec<&Document> = attempt.records.iter().map(|record| &record.document).collect();
        let mut event = json!({ "Records": records });
        if let Some(window) = &attempt.window {
            let text = |ms: i64| Timestamp::from_millisecond(ms).map(|time| time.to_string()).unwrap_or_default();
            event["window"] = json!({ "start": text(window.start_ms), "end": text(window.end_ms) });
            event["state"] = window.state.clone();
            event["shardId"] = shard.into();
            event["eventSourceARN"] = self.stream.as_str().into();
            event["isFinalInvokeForWindow"] = attempt.last_of_window.into();
            event["isWindowTerminatedEarly"] = attempt.ended_early.into();
        }
        event
    }

    /// What an answer means, and what is wrong.
    fn judge(&self, attempt: &Attempt, answer: &Value) -> (Ending, Option<String>) {
        if answer.get("FunctionError").is_some_and(Value::is_string) {
            return (Ending::Failed, Some("Function call failed".to_owned()));
        }
        let payload = answer.get("Payload").and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
        let payload = payload.unwrap_or_default();
        let state = match state_of(attempt, &payload) {
            Ok(state) => state,
            Err(why) => return (Ending::Failed, Some(format!("Function call failed: {why}"))),
        };
        if self.reports_failures {
            let ids: Vec<String> = attempt.records.iter().map(|record| record.sequence.to_string()).collect();
            match answer::read(&payload, ids.iter().map(String::as_str)) {
                Report::Failed(failed) => {
                    let first = attempt.records.iter().find(|record| failed.contains(&record.sequence.to_string()));
                    if let Some(first) = first {
                        return (Ending::UpTo { sequence: first.sequence, state }, None);
                    }
                }
                Report::Unreadable(why) => return (Ending::Failed, Some(format!("Function call failed: {why}"))),
            }
        }
        (Ending::Done { state: state.unwrap_or_else(|| json!({})) }, None)
    }

    /// What the destination is told of what is given up.
    fn farewell(&self, shard: &str, lost: Lost<'_>) -> Vec<Delivery> {
        let Some(to) = self.on_failure.as_deref().filter(|_| !lost.discards.is_empty()) else { return Vec::new() };
        let Function { tools, scope, arn, .. } = &self.function;
        let handler = Handler::Function { arn, request_id: lost.request_id };
        let acting = match self.function.principal() {
            Principal::Role { role, session } => Acting::Role { role, session },
            Principal::Open { .. } | Principal::Root | Principal::Service { .. } | Principal::Anonymous => {
                return Vec::new();
            }
        };
        let tasks = |discard| {
            let farewell = Farewell {
                discard,
                mapping: self.mapping,
                origin: Origin { info: "DDBStreamBatchInfo", stream_arn: &self.stream, shard, handler },
                acting: acting.clone(),
                now_ms: tools.clock.now_ms(),
                random: &tools.random,
            };
            farewell.tasks(to)
        };
        let delivery = |task: Task| {
            let base_url = Arc::clone(&tools.base_url);
            let sender = Sender::ticking(scope.account, scope.region.clone(), base_url, &tools.clock, &tools.random);
            Delivery::call(sender, LaneId::any("destination", format!("{arn} → {to}")), &task)
        };
        lost.discards.iter().flat_map(tasks).map(delivery).collect()
    }
}

impl ShardSink for Shards {
    fn hand<'a>(&'a self, shard: &'a str, attempt: &'a Attempt) -> BoxFuture<'a, Tried> {
        Box::pin(async move {
            let (request_id, answered) = self.function.invoke(&self.event(shard, attempt)).await;
            let (ending, problem) = match answered {
                Ok(answer) => self.judge(attempt, &answer),
                Err(fault) => match judge_fault(&fault) {
                    Handed::Busy { why } => return Tried::Busy { why },
                    Handed::Failed { why } => (Ending::Failed, Some(why)),
                    Handed::Done { .. } => (Ending::Failed, None),
                },
            };
            Tried::Ended { ending, request_id: request_id.to_string(), problem }
        })
    }

    fn principal(&self) -> Principal {
        self.function.principal()
    }

    fn checkpoints(&self) -> BoxFuture<'_, Result<BTreeMap<String, Checkpoint>, Fault>> {
        Box::pin(async move {
            let functions = self.function.functions.upgrade().ok_or_else(closed)?;
            let reader = &self.reader.to_string();
            let found = functions.store.transact(|tx| async move { Checkpoint::all(&tx, reader).await });
            found.await.map_err(|error| Refusal::from(error).into())
        })
    }

    /// Of a mapping that is gone, or was made anew, nothing is kept.
    fn keep<'a>(
        &'a self,
        shard: &'a str,
        checkpoint: &'a Checkpoint,
        lost: Lost<'a>,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let functions = self.function.functions.upgrade().ok_or_else(closed)?;
            let deliveries = self.farewell(shard, lost);
            let deliveries = put_ahead(&functions.store, &deliveries).await?;
            let scope = &self.function.scope;
            functions
                .store
                .transact(|tx| async move {
                    let mapping = stored::get(&tx, scope, &self.mapping).await?;
                    let is_ours = |reader: Uuid| reader == self.reader;
                    if mapping.and_then(|mapping| mapping.settings.stream).is_some_and(|stream| is_ours(stream.reader))
                    {
                        checkpoint.save(&tx, &self.reader.to_string(), shard).await?;
                    }
                    deliveries.iter().for_each(|delivery| delivery::put(&tx, delivery));
                    Ok::<_, Refusal>(())
                })
                .await?;
            Ok(())
        })
    }

    fn forget<'a>(&'a self, shard: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let functions = self.function.functions.upgrade().ok_or_else(closed)?;
            functions
                .store
                .transact(|tx| async move {
                    Checkpoint::forget(&tx, &self.reader.to_string(), shard).await?;
                    Ok::<_, Refusal>(())
                })
                .await?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use ::store::{Key, Range, Scan};
    use base::{Clock, Random};
    use contract::{AccountId, Region};
    use mapping::stream::Window;

    use super::*;

    fn delivery(bytes: usize) -> Delivery {
        let (clock, random) = (Clock::system(), Random::system());
        let sender = Sender::ticking(AccountId::ONLY, Region::default_one(), "http://node".into(), &clock, &random);
        let acting = Acting::Role { role: "role".into(), session: "session".into() };
        let task = Task::new("s3", "PutObject", json!({ "Body": "x".repeat(bytes) }), acting);
        Delivery::call(sender, LaneId::any("destination", "bucket"), &task)
    }

    fn attempt(window: Option<Window>, last_of_window: bool) -> Attempt {
        let record = |sequence: u128| mapping::stream::Record {
            sequence,
            partition: "p".to_owned(),
            arrived_ms: 0,
            document: json!(null),
            bytes: 4,
        };
        Attempt { lane: 0, records: vec![record(1), record(2)], tries: 0, window, last_of_window, ended_early: false }
    }

    #[test]
    fn an_answer_of_a_window_hands_its_state_on() {
        let window = || Some(Window { start_ms: 0, end_ms: 1_000, state: json!({}) });
        let check = |attempt: &Attempt, payload: &str, expected: Option<Option<Value>>| {
            assert_eq!(state_of(attempt, payload.as_bytes()).ok(), expected, "{payload:.40}");
        };
        let sum = || json!({ "sum": 1 });
        check(&attempt(None, false), "nothing of the kind", Some(None));
        check(&attempt(window(), false), r#"{ "state": { "sum": 1 } }"#, Some(Some(sum())));
        check(&attempt(window(), false), r#"{ "state": { "sum": 1 }, "batchItemFailures": [] }"#, Some(Some(sum())));
        for wrong in ["", "null", "{}", r#"{ "state": null }"#, r#"{ "state": "1" }"#, r#"[{ "state": {} }]"#] {
            check(&attempt(window(), false), wrong, None);
            check(&attempt(window(), true), wrong, Some(None));
        }
        let long = |bytes: usize| json!({ "state": { "x": "x".repeat(bytes) } }).to_string();
        assert!(state_of(&attempt(window(), false), long(2 << 20).as_bytes()).is_ok(), "it ends the window early");
        check(&attempt(window(), false), &long(6 << 20), None);
    }

    /// All that a shard has taken in may be given up at once.
    #[tokio::test]
    async fn what_is_given_up_may_be_more_than_a_transaction_holds() {
        let store = Store::memory(Clock::system());
        let longest = delivery(Delivery::PARCEL_BYTES_MAX - (16 << 10));
        let check = async |count: usize, left: usize| {
            let deliveries = vec![longest.clone(); count];
            let rest = put_ahead(&store, &deliveries).await.unwrap();
            assert_eq!(rest.len(), left, "{count}");
            let put = |tx: Transaction| async move {
                rest.iter().for_each(|delivery| delivery::put(&tx, delivery));
                Ok::<_, Refusal>(())
            };
            store.transact(put).await.unwrap();
        };
        for (count, left) in [(0, 0), (1, 1), (TOGETHER, TOGETHER), (TOGETHER + 1, 1), (3 * TOGETHER, TOGETHER)] {
            check(count, left).await;
        }
        let waiting = store.snapshot().scan(Range::prefix(&Key::queue("out")), Scan::first(100)).await.unwrap();
        assert_eq!(waiting.items.len(), 1 + TOGETHER + (TOGETHER + 1) + 3 * TOGETHER);
    }
}
