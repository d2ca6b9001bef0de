//! `ChangeMessageVisibilityBatch`: the same for up to ten messages. Each succeeds or fails by itself.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sqs::{
    ChangeMessageVisibilityBatch, ChangeMessageVisibilityBatchRequest, ChangeMessageVisibilityBatchResult,
    ChangeMessageVisibilityBatchResultEntry,
};

use super::change_message_visibility::seconds;
use super::{batch, receipt, resource};
use crate::Queues;
use crate::keeper::Command;
use crate::model::Scope;

impl Handle<ChangeMessageVisibilityBatch> for Queues {
    const EFFECT: Effect = Effect::Write;
    const ACTION: Option<&'static str> = Some("sqs:ChangeMessageVisibility");

    fn resource(&self, call: &Call, input: &ChangeMessageVisibilityBatchRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(
        &self,
        call: &Call,
        input: ChangeMessageVisibilityBatchRequest,
    ) -> Result<ChangeMessageVisibilityBatchResult, Fault> {
        let desk = self.desk(&Scope::of(call), &input.queue_url)?;
        let names = input.entries.iter().map(|entry| entry.id.as_str());
        batch::check("ChangeMessageVisibilityBatchRequestEntry", names)?;
        let (mut ids, mut receipts) = (Vec::new(), Vec::new());
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in input.entries {
            // An entry that says nothing gives the message back.
            let wanted = seconds(entry.visibility_timeout.unwrap_or_default());
            match wanted.and_then(|seconds| Ok((receipt(&desk, &entry.receipt_handle)?, seconds))) {
                Ok(receipt) => {
                    ids.push(entry.id);
                    receipts.push(receipt);
                }
                Err(error) => failed.push(batch::failed(entry.id, error)),
            }
        }
        if !receipts.is_empty() {
            let hidden = desk.ask(|answer| Command::Hide { receipts, answer }).await?;
            for (id, hidden) in ids.into_iter().zip(hidden) {
                match hidden {
                    Ok(()) => successful.push(ChangeMessageVisibilityBatchResultEntry { id }),
                    Err(error) => failed.push(batch::failed(id, error)),
                }
            }
        }
        Ok(ChangeMessageVisibilityBatchResult { successful, failed })
    }
}
