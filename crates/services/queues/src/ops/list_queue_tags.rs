//! `ListQueueTags`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sqs::{ListQueueTags, ListQueueTagsRequest, ListQueueTagsResult};

use super::resource;
use crate::Queues;
use crate::model::Scope;

impl Handle<ListQueueTags> for Queues {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListQueueTagsRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: ListQueueTagsRequest) -> Result<ListQueueTagsResult, Fault> {
        let tags = self.desk(&Scope::of(call), &input.queue_url)?.queue().tags.clone();
        Ok(ListQueueTagsResult { tags: (!tags.is_empty()).then_some(tags) })
    }
}
