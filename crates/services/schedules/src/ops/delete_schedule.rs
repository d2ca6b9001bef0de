//! `DeleteSchedule`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::scheduler::{DeleteSchedule, DeleteScheduleInput, DeleteScheduleOutput};

use crate::Schedules;
use crate::error::Error;

impl Handle<DeleteSchedule> for Schedules {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteScheduleInput) -> Arn {
        super::name(call, input.group_name.as_deref(), &input.name).arn()
    }

    async fn handle(&self, call: &Call, input: DeleteScheduleInput) -> Result<DeleteScheduleOutput, Fault> {
        let name = &super::name(call, input.group_name.as_deref(), &input.name);
        self.cabinet
            .change(|drawer| async move {
                let missing = || Error::ScheduleMissing(name.name.to_string());
                drawer.schedule(name).await?.ok_or_else(missing)?;
                drawer.delete_schedule(name).await
            })
            .await?;
        Ok(DeleteScheduleOutput {})
    }
}
