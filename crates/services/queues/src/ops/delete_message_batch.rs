//! `DeleteMessageBatch`: up to ten messages were handled. Each succeeds or fails by itself.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sqs::{
    DeleteMessageBatch, DeleteMessageBatchRequest, DeleteMessageBatchResult, DeleteMessageBatchResultEntry,
};

use super::{batch, receipt, resource};
use crate::Queues;
use crate::keeper::Command;
use crate::model::Scope;

impl Handle<DeleteMessageBatch> for Queues {
    const EFFECT: Effect = Effect::Write;
    const ACTION: Option<&'static str> = Some("sqs:DeleteMessage");

    fn resource(&self, call: &Call, input: &DeleteMessageBatchRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: DeleteMessageBatchRequest) -> Result<DeleteMessageBatchResult, Fault> {
        let desk = self.desk(&Scope::of(call), &input.queue_url)?;
        batch::check("DeleteMessageBatchRequestEntry", input.entries.iter().map(|entry| entry.id.as_str()))?;
        let (mut ids, mut receipts) = (Vec::new(), Vec::new());
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in input.entries {
            match receipt(&desk, &entry.receipt_handle) {
                Ok(receipt) => {
                    ids.push(entry.id);
                    receipts.push(receipt);
                }
                Err(error) => failed.push(batch::failed(entry.id, error)),
            }
        }
        if !receipts.is_empty() {
            let deleted = desk.ask(|answer| Command::Delete { receipts, answer }).await?;
            for (id, deleted) in ids.into_iter().zip(deleted) {
                match deleted {
                    Ok(()) => successful.push(DeleteMessageBatchResultEntry { id }),
                    Err(error) => failed.push(batch::failed(id, error)),
                }
            }
        }
        Ok(DeleteMessageBatchResult { successful, failed })
    }
}
