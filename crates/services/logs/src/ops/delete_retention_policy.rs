//! `DeleteRetentionPolicy`: events stay for ever. A group that had no retention is fine too.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::logs::{DeleteRetentionPolicy, DeleteRetentionPolicyRequest};

use super::names::group_resource;
use crate::{Logs, scope};

impl Handle<DeleteRetentionPolicy> for Logs {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteRetentionPolicyRequest) -> Arn {
        group_resource(call, &input.log_group_name)
    }

    async fn handle(&self, call: &Call, input: DeleteRetentionPolicyRequest) -> Result<Empty, Fault> {
        let retain = |group: &mut crate::model::Group| {
            group.retention_days = None;
            Ok(())
        };
        self.archive.change_group(&scope(call), &input.log_group_name, retain).await?;
        Ok(Empty)
    }
}
