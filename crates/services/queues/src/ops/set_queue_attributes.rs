//! `SetQueueAttributes`: all of those that are named, or none.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::sqs::{SetQueueAttributes, SetQueueAttributesRequest};

use super::resource;
use crate::Queues;
use crate::error::Error;
use crate::model::settings::compile;
use crate::model::{Queue, Scope};

impl Handle<SetQueueAttributes> for Queues {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &SetQueueAttributesRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: SetQueueAttributesRequest) -> Result<Empty, Fault> {
        let attributes = &input.attributes;
        let now_ms = self.now_ms();
        self.change(call, &input.queue_url, |queue| {
            queue.settings.apply(attributes)?;
            queue.policy = compile(queue.settings.policy.as_deref().unwrap_or_default())?;
            queue.modified_ms = now_ms;
            if attributes.contains_key("RedrivePolicy") { check_target(self, queue) } else { Ok(()) }
        })
        .await?;
        Ok(Empty {})
    }
}

impl Queues {
    /// Changes a queue, in the store and then in memory.
    pub(super) async fn change(
        &self,
        call: &Call,
        url: &str,
        change: impl Fn(&mut Queue) -> Result<(), Error> + Send + Sync,
    ) -> Result<(), Error> {
        let scope = Scope::of(call);
        let _one_at_a_time = self.managing.lock().await;
        let desk = self.desk(&scope, url)?;
        let changed = self.cellar.change(&scope, &desk.queue().name, change).await?;
        desk.set(changed);
        Ok(())
    }
}

/// A dead-letter queue must be there, be of the same kind, and want what comes.
pub(super) fn check_target(queues: &Queues, queue: &Queue) -> Result<(), Error> {
    let Some(redrive) = &queue.settings.redrive else { return Ok(()) };
    let refused = |reason: &str| {
        Error::InvalidValue(format!("Value {} for parameter RedrivePolicy is invalid. Reason: {reason}", redrive.text))
    };
    let target = queues.desk_of_arn(&queue.scope, &redrive.target);
    let target = target.ok_or_else(|| refused("Dead letter target does not exist."))?.queue();
    if target.is_fifo() != queue.is_fifo() {
        return Err(refused("Dead-letter queue must be same type of queue as the source."));
    }
    match &target.settings.redrive_allow {
        Some(allow) if !allow.allows(&queue.arn()) => {
            Err(refused("The dead letter queue's redrive allow policy doesn't permit this source queue."))
        }
        Some(_) | None => Ok(()),
    }
}
