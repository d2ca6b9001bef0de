//! `GetScheduleGroup`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::scheduler::{GetScheduleGroup, GetScheduleGroupInput, GetScheduleGroupOutput};

use super::{group_state, timestamp};
use crate::Schedules;
use crate::model::Scope;

impl Handle<GetScheduleGroup> for Schedules {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetScheduleGroupInput) -> Arn {
        Scope::of(call).group(Some(&input.name)).arn()
    }

    async fn handle(&self, call: &Call, input: GetScheduleGroupInput) -> Result<GetScheduleGroupOutput, Fault> {
        let group = self.group(&Scope::of(call).group(Some(&input.name))).await?;
        Ok(GetScheduleGroupOutput {
            arn: Some(group.name.arn().to_string()),
            creation_date: timestamp(group.created_ms),
            last_modification_date: timestamp(group.modified_ms),
            name: Some(group.name.name.to_string()),
            state: Some(group_state(&group)),
        })
    }
}
