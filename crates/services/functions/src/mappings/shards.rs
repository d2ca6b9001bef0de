//! Functions as what handles the records of streams, and the store as where their checkpoints are.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::caller::BoxFuture;
use contract::{Document, Fault, Principal};
use delivery::target::{self, Options};
use delivery::{Acting, Delivery, LaneId, Sender};
use jiff::Timestamp;
use mapping::answer::{self, Report};
use mapping::readers::{Lost, ShardSink, Tried};
use mapping::stream::{Attempt, Checkpoint, Ending, Handler, Origin};
use serde_json::{Value, json};
use uuid::Uuid;

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
            event["isWindowTerminatedEarly"] = false.into();
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
        if self.reports_failures {
            let ids: Vec<String> = attempt.records.iter().map(|record| record.sequence.to_string()).collect();
            match answer::read(&payload, ids.iter().map(String::as_str)) {
                Report::Failed(failed) => {
                    let first = attempt.records.iter().find(|record| failed.contains(&record.sequence.to_string()));
                    if let Some(first) = first {
                        return (Ending::UpTo(first.sequence), None);
                    }
                }
                Report::Unreadable(why) => return (Ending::Failed, Some(format!("Function call failed: {why}"))),
            }
        }
        let state = attempt.window.as_ref().and_then(|_| {
            serde_json::from_slice::<Value>(&payload).ok()?.get("state").filter(|state| state.is_object()).cloned()
        });
        (Ending::Done { state: state.unwrap_or_else(|| json!({})) }, None)
    }

    /// The message to the destination of what is given up.
    fn farewell(&self, shard: &str, lost: Lost<'_>) -> Option<Delivery> {
        let to = self.on_failure.as_deref()?;
        let Function { tools, scope, arn, .. } = &self.function;
        let origin = Origin {
            info: "DDBStreamBatchInfo",
            stream_arn: &self.stream,
            shard,
            handler: Handler::Function { arn, request_id: lost.request_id },
        };
        let now_ms = tools.clock.now_ms();
        let document = lost.discard.document(&origin, now_ms).to_string();
        let acting = match self.function.principal() {
            Principal::Role { role, session } => Acting::Role { role, session },
            _ => return None,
        };
        let task = target::of_arn(to, Options::new(document, acting, now_ms)).ok()?;
        let base_url = Arc::clone(&tools.base_url);
        let sender = Sender::ticking(scope.account, scope.region.clone(), base_url, &tools.clock, &tools.random);
        Some(Delivery::call(sender, LaneId::any("destination", format!("{arn} → {to}")), &task))
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
            let found = stored::checkpoints(&functions.store.snapshot(), &self.reader.to_string()).await;
            found.map_err(|error| Refusal::from(error).into())
        })
    }

    /// Of a mapping that is gone, or was made anew, nothing is kept.
    fn keep<'a>(
        &'a self,
        shard: &'a str,
        checkpoint: &'a Checkpoint,
        lost: Option<Lost<'a>>,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let functions = self.function.functions.upgrade().ok_or_else(closed)?;
            let delivery = &lost.and_then(|lost| self.farewell(shard, lost));
            let scope = &self.function.scope;
            functions
                .store
                .transact(|tx| async move {
                    let mapping = stored::get(&tx, scope, &self.mapping).await?;
                    let is_ours = |reader: Uuid| reader == self.reader;
                    if mapping.and_then(|mapping| mapping.settings.stream).is_some_and(|stream| is_ours(stream.reader))
                    {
                        checkpoint.save(&tx, &self.reader.to_string(), shard);
                    }
                    if let Some(delivery) = delivery {
                        delivery::put(&tx, delivery);
                    }
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
                    Checkpoint::forget(&tx, &self.reader.to_string(), shard);
                    Ok::<_, Refusal>(())
                })
                .await?;
            Ok(())
        })
    }
}
