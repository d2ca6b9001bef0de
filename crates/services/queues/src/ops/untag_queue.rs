//! `UntagQueue`: takes tags away; those that are not there are no fault.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::sqs::{UntagQueue, UntagQueueRequest};

use super::resource;
use crate::Queues;
use crate::error::Error;

impl Handle<UntagQueue> for Queues {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UntagQueueRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: UntagQueueRequest) -> Result<Empty, Fault> {
        let keys = &input.tag_keys;
        if keys.is_empty() {
            return Err(
                Error::InvalidValue("Tag keys must be between 1 and 128 characters in length.".to_owned()).into()
            );
        }
        self.change(call, &input.queue_url, |queue| {
            queue.tags.retain(|key, _| !keys.contains(key));
            Ok(())
        })
        .await?;
        Ok(Empty {})
    }
}
