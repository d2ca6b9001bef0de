//! `ChangeMessageVisibility`: a received message is hidden for longer, or shorter, from now; zero gives it back.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::sqs::{ChangeMessageVisibility, ChangeMessageVisibilityRequest};

use super::{receipt, resource};
use crate::Queues;
use crate::error::Error;
use crate::keeper::Command;
use crate::model::Scope;

impl Handle<ChangeMessageVisibility> for Queues {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &ChangeMessageVisibilityRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: ChangeMessageVisibilityRequest) -> Result<Empty, Fault> {
        let desk = self.desk(&Scope::of(call), &input.queue_url)?;
        let receipts = vec![(receipt(&desk, &input.receipt_handle)?, seconds(input.visibility_timeout)?)];
        let hidden = desk.ask(|answer| Command::Hide { receipts, answer }).await?;
        hidden.into_iter().next().unwrap_or(Err(Error::Internal))?;
        Ok(Empty {})
    }
}

/// How long a message is to be hidden.
pub(super) fn seconds(given: i32) -> Result<u32, Error> {
    u32::try_from(given).ok().filter(|seconds| *seconds <= 43_200).ok_or_else(|| {
        Error::InvalidValue(format!(
            "Value {given} for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 \
             and 43200."
        ))
    })
}
