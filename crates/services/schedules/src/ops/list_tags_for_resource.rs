//! `ListTagsForResource`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::scheduler::{ListTagsForResource, ListTagsForResourceInput, ListTagsForResourceOutput, Tag};

use crate::Schedules;

impl Handle<ListTagsForResource> for Schedules {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListTagsForResourceInput) -> Arn {
        super::tagged_resource(call, &input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: ListTagsForResourceInput) -> Result<ListTagsForResourceOutput, Fault> {
        let group = self.group(&super::tagged(call, &input.resource_arn)?).await?;
        Ok(ListTagsForResourceOutput {
            tags: Some(group.tags.into_iter().map(|(key, value)| Tag { key, value }).collect()),
        })
    }
}
