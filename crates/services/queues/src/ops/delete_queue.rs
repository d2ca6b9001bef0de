//! `DeleteQueue`: the queue and everything in it is gone when this returns; the room comes back in time.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::sqs::{DeleteQueue, DeleteQueueRequest};

use super::resource;
use crate::Queues;
use crate::model::Scope;

impl Handle<DeleteQueue> for Queues {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteQueueRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: DeleteQueueRequest) -> Result<Empty, Fault> {
        let scope = Scope::of(call);
        let _one_at_a_time = self.managing.lock().await;
        let desk = self.desk(&scope, &input.queue_url)?;
        let queue = desk.queue();
        self.cellar.delete(&queue).await?;
        self.table.remove(&scope, queue.name.as_str());
        desk.close();
        Ok(Empty {})
    }
}
