//! What functions print goes to the logs.

use std::collections::BTreeMap;
use std::sync::Arc;

use compute::{LogBatch, LogSink};
use contract::{AccountId, Arn, Region};
use futures_util::future::{BoxFuture, join_all};
use logs::{Lines, Logs, Output};

/// Hands lines over; waits where the logs have no room, so that only whoever prints too much is slowed down.
pub(crate) struct Sink(pub(crate) Arc<Logs>);

impl LogSink for Sink {
    fn write(&self, batches: Vec<LogBatch>) -> BoxFuture<'_, ()> {
        // Side by side, group by group: one that has no room must not hold up the others.
        let mut groups: BTreeMap<String, Vec<LogBatch>> = BTreeMap::new();
        for batch in batches {
            groups.entry(batch.stream.group.clone()).or_default().push(batch);
        }
        Box::pin(async move {
            join_all(groups.into_values().map(|batches| self.hand_over(batches))).await;
        })
    }
}

impl Sink {
    /// The batches of one group, in order.
    async fn hand_over(&self, batches: Vec<LogBatch>) {
        for batch in batches {
            let stream = Arc::clone(&batch.stream);
            if let Err(error) = self.0.ingest(output(batch)).await {
                tracing::warn!(function = %stream.arn, %error, "what a function printed could not be kept");
            }
        }
    }
}

fn output(batch: LogBatch) -> Output {
    let stream = Arc::clone(&batch.stream);
    // The ARN is compute's own copy of what the functions service wrote: well-formed, or nobody's.
    let arn = Arn::parse(&stream.arn);
    let region = arn.as_ref().and_then(|arn| Region::parse(&arn.region)).unwrap_or_else(Region::default_one);
    let account = arn.as_ref().and_then(|arn| AccountId::parse(&arn.account)).unwrap_or(AccountId::ONLY);
    let (text, ends) = batch.into_parts();
    let ends = ends.into_iter().map(|(time_ms, end)| (u64::try_from(time_ms).unwrap_or(0), end));
    let (group, stream) = (stream.group.clone(), stream.name.clone());
    Output { account, region, group, stream, lines: Lines::of(text, ends) }
}
