//! `DeleteMessage`: a message was handled. To delete it twice is no fault.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::sqs::{DeleteMessage, DeleteMessageRequest};

use super::{receipt, resource};
use crate::Queues;
use crate::error::Error;
use crate::keeper::Command;
use crate::model::Scope;

impl Handle<DeleteMessage> for Queues {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteMessageRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: DeleteMessageRequest) -> Result<Empty, Fault> {
        let desk = self.desk(&Scope::of(call), &input.queue_url)?;
        let receipts = vec![receipt(&desk, &input.receipt_handle)?];
        let deleted = desk.ask(|answer| Command::Delete { receipts, answer }).await?;
        deleted.into_iter().next().unwrap_or(Err(Error::Internal))?;
        Ok(Empty {})
    }
}
