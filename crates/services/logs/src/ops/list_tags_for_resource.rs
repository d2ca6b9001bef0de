//! `ListTagsForResource`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::logs::{ListTagsForResource, ListTagsForResourceRequest, ListTagsForResourceResponse};

use super::names::{group_arn, tagged};
use crate::{Error, Logs, scope};

impl Handle<ListTagsForResource> for Logs {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListTagsForResourceRequest) -> Arn {
        group_arn(call, tagged(call, &input.resource_arn).unwrap_or("*"))
    }

    async fn handle(
        &self,
        call: &Call,
        input: ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceResponse, Fault> {
        let name = tagged(call, &input.resource_arn)?;
        let group = self.archive.group(&self.archive.snapshot(), &scope(call), name).await;
        Ok(ListTagsForResourceResponse { tags: Some(group.map_err(Error::of_resource)?.tags) })
    }
}
