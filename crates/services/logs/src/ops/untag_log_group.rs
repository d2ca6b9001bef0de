//! `UntagLogGroup`: the older form of `UntagResource`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::logs::{UntagLogGroup, UntagLogGroupRequest};

use super::names::group_resource;
use crate::{Logs, scope};

impl Handle<UntagLogGroup> for Logs {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UntagLogGroupRequest) -> Arn {
        group_resource(call, &input.log_group_name)
    }

    async fn handle(&self, call: &Call, input: UntagLogGroupRequest) -> Result<Empty, Fault> {
        let untag = |group: &mut crate::model::Group| {
            group.tags.retain(|name, _| !input.tags.contains(name));
            Ok(())
        };
        self.archive.change_group(&scope(call), &input.log_group_name, untag).await?;
        Ok(Empty)
    }
}
