//! `TagLogGroup`: the older form of `TagResource`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::logs::{TagLogGroup, TagLogGroupRequest};

use super::names::{add_tags, group_arn, group_resource};
use crate::error::Error;
use crate::{Logs, scope};

impl Handle<TagLogGroup> for Logs {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &TagLogGroupRequest) -> Arn {
        group_resource(call, &input.log_group_name)
    }

    async fn handle(&self, call: &Call, input: TagLogGroupRequest) -> Result<Empty, Fault> {
        let arn = group_arn(call, &input.log_group_name).to_string();
        let tag = |group: &mut crate::model::Group| match add_tags(&mut group.tags, &input.tags, &arn) {
            // This form has no exception of its own for it.
            Err(error @ Error::TooManyTags { .. }) => Err(Error::Invalid(error.to_string())),
            other => other,
        };
        self.archive.change_group(&scope(call), &input.log_group_name, tag).await?;
        Ok(Empty)
    }
}
