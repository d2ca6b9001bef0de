//! `UpdateSchedule`: says anew everything that a schedule is. What is left out goes back to its default, as on AWS.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::scheduler::{UpdateSchedule, UpdateScheduleInput, UpdateScheduleOutput};

use super::wanted::Wanted;
use crate::Schedules;
use crate::error::Error;
use crate::model::{Schedule, due};

impl Handle<UpdateSchedule> for Schedules {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdateScheduleInput) -> Arn {
        super::name(call, input.group_name.as_deref(), &input.name).arn()
    }

    async fn handle(&self, call: &Call, input: UpdateScheduleInput) -> Result<UpdateScheduleOutput, Fault> {
        let name = &super::name(call, input.group_name.as_deref(), &input.name);
        let (now_ms, input) = (self.now_ms(), &input);
        self.group(&name.group).await?;
        self.cabinet
            .change(|drawer| async move {
                let missing = || Error::ScheduleMissing(name.name.to_string());
                let before = drawer.schedule(name).await?.ok_or_else(missing)?;
                let settings = wanted(input.clone()).read(&*self.caller, now_ms, Some(&before.settings))?;
                let same_times = settings.same_times(&before.settings);
                let anchor_ms = match same_times {
                    true => before.anchor_ms,
                    false => settings.start_ms.unwrap_or(now_ms),
                };
                let schedule = Schedule { settings, anchor_ms, modified_ms: now_ms, ..before };
                // Whatever else changed, an `at` that was due is not due again.
                let next = match (same_times, drawer.next(name).await?) {
                    (true, None) if schedule.settings.state == before.settings.state => None,
                    (_, _) => due::first(&schedule, now_ms)?,
                };
                drawer.put_schedule(&schedule).await?;
                drawer.set_next(name, next).await
            })
            .await?;
        Ok(UpdateScheduleOutput { schedule_arn: name.arn().to_string() })
    }
}

fn wanted(input: UpdateScheduleInput) -> Wanted {
    Wanted {
        expression: input.schedule_expression,
        zone: input.schedule_expression_timezone,
        start: input.start_date,
        end: input.end_date,
        state: input.state,
        window: input.flexible_time_window,
        target: input.target,
        completion: input.action_after_completion,
        description: input.description,
        kms_key: input.kms_key_arn,
    }
}
