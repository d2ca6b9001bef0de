//! `RemovePermission`: takes the statement of that label out of the queue's policy.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::sqs::{RemovePermission, RemovePermissionRequest};

use super::add_permission::Statements;
use super::resource;
use crate::Queues;
use crate::error::Error;

impl Handle<RemovePermission> for Queues {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &RemovePermissionRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: RemovePermissionRequest) -> Result<Empty, Fault> {
        let (label, now_ms) = (&input.label, self.now_ms());
        self.change(call, &input.queue_url, |queue| {
            let mut policy = Statements::of(queue)?;
            let position = policy.position(label).ok_or_else(|| {
                Error::InvalidValue(format!("Value {label} for parameter Label is invalid. Reason: can't find label."))
            })?;
            policy.list.remove(position);
            queue.modified_ms = now_ms;
            policy.put(queue)
        })
        .await?;
        Ok(Empty {})
    }
}
