//! `ListTagsLogGroup`: the older form of `ListTagsForResource`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::logs::{ListTagsLogGroup, ListTagsLogGroupRequest, ListTagsLogGroupResponse};

use super::names::group_resource;
use crate::{Logs, scope};

impl Handle<ListTagsLogGroup> for Logs {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListTagsLogGroupRequest) -> Arn {
        group_resource(call, &input.log_group_name)
    }

    async fn handle(&self, call: &Call, input: ListTagsLogGroupRequest) -> Result<ListTagsLogGroupResponse, Fault> {
        let group = self.archive.group(&self.archive.snapshot(), &scope(call), &input.log_group_name).await?;
        Ok(ListTagsLogGroupResponse { tags: Some(group.tags) })
    }
}
