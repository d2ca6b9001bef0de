//! `GetSchedule`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::scheduler::{GetSchedule, GetScheduleInput, GetScheduleOutput};

use super::wanted::show;
use crate::Schedules;
use crate::error::Error;

impl Handle<GetSchedule> for Schedules {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetScheduleInput) -> Arn {
        super::name(call, input.group_name.as_deref(), &input.name).arn()
    }

    async fn handle(&self, call: &Call, input: GetScheduleInput) -> Result<GetScheduleOutput, Fault> {
        let name = super::name(call, input.group_name.as_deref(), &input.name);
        let missing = || Error::ScheduleMissing(name.name.to_string());
        Ok(show(self.cabinet.schedule(&name).await?.ok_or_else(missing)?))
    }
}
