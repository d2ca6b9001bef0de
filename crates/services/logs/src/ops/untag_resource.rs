//! `UntagResource`. A tag that is not there is no fault.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::logs::{UntagResource, UntagResourceRequest};

use super::names::{group_arn, tagged};
use crate::{Error, Logs, scope};

impl Handle<UntagResource> for Logs {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UntagResourceRequest) -> Arn {
        group_arn(call, tagged(call, &input.resource_arn).unwrap_or("*"))
    }

    async fn handle(&self, call: &Call, input: UntagResourceRequest) -> Result<Empty, Fault> {
        let name = tagged(call, &input.resource_arn)?;
        let untag = |group: &mut crate::model::Group| {
            group.tags.retain(|name, _| !input.tag_keys.contains(name));
            Ok(())
        };
        self.archive.change_group(&scope(call), name, untag).await.map_err(Error::of_resource)?;
        Ok(Empty)
    }
}
