//! The four things that a poller asks of a queue, as ordinary calls.

use std::sync::Arc;
use std::time::Duration;

use base::{Backoff, Clock, Random};
use contract::caller::BoxFuture;
use contract::{AccountId, Arn, Call, Caller, Document, Fault, OperationId, Origin, Region, Trace};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::{Message, Sink};

/// The longest that a queue lets a receiver wait.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(20);
/// The most messages of one receive, and of one batch of receipts.
pub(crate) const AT_ONCE: usize = 10;

const RECEIVE: OperationId = OperationId { service: "sqs", name: "ReceiveMessage" };
const DELETE: OperationId = OperationId { service: "sqs", name: "DeleteMessageBatch" };
const HIDE: OperationId = OperationId { service: "sqs", name: "ChangeMessageVisibilityBatch" };
const ATTRIBUTES: OperationId = OperationId { service: "sqs", name: "GetQueueAttributes" };

/// Beyond its own wait, how long a call may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many batches of receipts are under way at once.
const DELETES_AT_ONCE: usize = 8;
/// How often a delete is tried while the store refuses. Afterwards the messages come again: at least once is the promise.
const DELETE_TRIES: u32 = 8;
/// What queues hide a message for, if they cannot be asked.
const HIDDEN_DEFAULT: Duration = Duration::from_secs(30);

/// A queue, and the way to it.
pub(crate) struct Queue {
    pub(crate) arn: Arn,
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) asker: Arc<dyn Sink>,
    pub(crate) caller: Arc<dyn Caller>,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) base_url: Arc<str>,
}

impl Queue {
    /// Up to ten messages, as soon as there is one; after `wait` none.
    pub(crate) async fn receive(&self, most: usize, wait: Duration) -> Result<Vec<Message>, Fault> {
        let answer = self
            .call(
                RECEIVE,
                wait + PATIENCE,
                json!({
                    "MaxNumberOfMessages": most.min(AT_ONCE),
                    "WaitTimeSeconds": wait.min(WAIT_MAX).as_secs(),
                    "MessageSystemAttributeNames": ["All"],
                    "MessageAttributeNames": ["All"],
                }),
            )
            .await?;
        let received = answer.get("Messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Ok(received.iter().filter_map(|message| Message::of_queue(message, &self.arn)).collect())
    }

    /// Deletes messages that were handled. One whose hiding is over already comes again, which is the queue's right.
    pub(crate) async fn delete<'a>(&self, messages: impl IntoIterator<Item = &'a Message>) {
        let receipts: Vec<&str> = messages.into_iter().map(|message| message.receipt.as_str()).collect();
        let mut pending: Vec<BoxFuture<'_, ()>> = Vec::new();
        for chunk in receipts.chunks(AT_ONCE) {
            pending.push(Box::pin(self.delete_patiently(chunk)));
        }
        futures_util::stream::iter(pending).buffer_unordered(DELETES_AT_ONCE).collect::<()>().await;
    }

    async fn delete_patiently(&self, receipts: &[&str]) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        loop {
            let entries = entries(receipts, json!({}));
            match self.call(DELETE, PATIENCE, json!({ "Entries": entries })).await {
                Ok(_) => return,
                Err(fault) if fault.is_transient() && backoff.tries() < DELETE_TRIES => {
                    self.clock.sleep(backoff.next(&self.random)).await;
                }
                Err(fault) => {
                    tracing::warn!(queue = %self.arn, %fault, "handled messages could not be deleted and will come again");
                    return;
                }
            }
        }
    }

    /// Shows messages to others at once.
    pub(crate) async fn release(&self, messages: &[Message]) {
        let receipts: Vec<&str> = messages.iter().map(|message| message.receipt.as_str()).collect();
        for chunk in receipts.chunks(AT_ONCE) {
            let entries = entries(chunk, json!({ "VisibilityTimeout": 0 }));
            if let Err(fault) = self.call(HIDE, PATIENCE, json!({ "Entries": entries })).await {
                tracing::debug!(queue = %self.arn, %fault, "messages come back when their hiding is over, not at once");
            }
        }
    }

    /// How long the queue hides what was received.
    pub(crate) async fn hidden(&self) -> Duration {
        let wanted = json!({ "AttributeNames": ["VisibilityTimeout"] });
        let answer = self.call(ATTRIBUTES, PATIENCE, wanted).await;
        let seconds = answer.ok().as_ref().and_then(|answer| {
            answer.pointer("/Attributes/VisibilityTimeout").and_then(Value::as_str).and_then(|text| text.parse().ok())
        });
        seconds.map_or(HIDDEN_DEFAULT, Duration::from_secs)
    }

    async fn call(&self, operation: OperationId, patience: Duration, mut input: Document) -> Result<Document, Fault> {
        input["QueueUrl"] = self.arn.to_string().into();
        let call = Call {
            id: self.random.uuid(),
            principal: self.asker.principal(),
            account: self.account,
            region: self.region.clone(),
            deadline: self.clock.elapsed() + patience,
            trace: Trace::start(&self.clock, &self.random),
            hops: 1,
            origin: Origin::Inside { part: "mapping", base_url: Arc::clone(&self.base_url) },
        };
        self.caller.call(operation, &call, input).await
    }
}

fn entries(receipts: &[&str], more: Value) -> Vec<Value> {
    let entry = |(index, receipt): (usize, &&str)| {
        let mut entry = more.clone();
        entry["Id"] = index.to_string().into();
        entry["ReceiptHandle"] = (*receipt).into();
        entry
    };
    receipts.iter().enumerate().map(entry).collect()
}
