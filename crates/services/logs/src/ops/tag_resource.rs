//! `TagResource`, for log groups, which are all that can be tagged here.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::logs::{TagResource, TagResourceRequest};

use super::names::{add_tags, group_arn, tagged};
use crate::{Error, Logs, scope};

impl Handle<TagResource> for Logs {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &TagResourceRequest) -> Arn {
        group_arn(call, tagged(call, &input.resource_arn).unwrap_or("*"))
    }

    async fn handle(&self, call: &Call, input: TagResourceRequest) -> Result<Empty, Fault> {
        let name = tagged(call, &input.resource_arn)?;
        let tag = |group: &mut crate::model::Group| add_tags(&mut group.tags, &input.tags, &input.resource_arn);
        self.archive.change_group(&scope(call), name, tag).await.map_err(Error::of_resource)?;
        Ok(Empty)
    }
}
