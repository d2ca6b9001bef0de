//! `PurgeQueue`: everything that was sent until now is out of reach when this returns. Once in sixty seconds.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::sqs::{PurgeQueue, PurgeQueueRequest};

use super::resource;
use crate::Queues;
use crate::keeper::Command;
use crate::model::Scope;

impl Handle<PurgeQueue> for Queues {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &PurgeQueueRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: PurgeQueueRequest) -> Result<Empty, Fault> {
        let desk = self.desk(&Scope::of(call), &input.queue_url)?;
        desk.ask(|answer| Command::Purge { answer }).await?;
        Ok(Empty {})
    }
}
