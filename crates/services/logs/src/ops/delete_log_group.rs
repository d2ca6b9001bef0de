//! `DeleteLogGroup`. Answers at once, however much there is; the background takes it away.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::logs::{DeleteLogGroup, DeleteLogGroupRequest};

use super::names::group_resource;
use crate::{Logs, scope};

impl Handle<DeleteLogGroup> for Logs {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteLogGroupRequest) -> Arn {
        group_resource(call, &input.log_group_name)
    }

    async fn handle(&self, call: &Call, input: DeleteLogGroupRequest) -> Result<Empty, Fault> {
        self.archive.delete_group(&scope(call), &input.log_group_name).await?;
        Ok(Empty)
    }
}
