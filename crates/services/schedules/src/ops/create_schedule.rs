//! `CreateSchedule`: makes a schedule; a call that is repeated with its token makes nothing twice.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::scheduler::{CreateSchedule, CreateScheduleInput, CreateScheduleOutput};

use super::wanted::{Wanted, said};
use crate::Schedules;
use crate::error::Error;
use crate::model::{Schedule, due};

impl Handle<CreateSchedule> for Schedules {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateScheduleInput) -> Arn {
        super::name(call, input.group_name.as_deref(), &input.name).arn()
    }

    async fn handle(&self, call: &Call, input: CreateScheduleInput) -> Result<CreateScheduleOutput, Fault> {
        let name = super::name(call, input.group_name.as_deref(), &input.name);
        let now_ms = self.now_ms();
        let wanted = Wanted {
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
        };
        let settings = wanted.read(&*self.caller, now_ms, None)?;
        let schedule = &Schedule {
            name,
            created_ms: now_ms,
            modified_ms: now_ms,
            made_by: input.client_token.map(|token| (token, said(&settings))),
            anchor_ms: settings.start_ms.unwrap_or(now_ms),
            settings,
        };
        let next = due::first(schedule, now_ms)?;
        self.cabinet
            .change(|drawer| async move {
                let name = &schedule.name;
                self.open_group(&drawer, &name.group).await?;
                match drawer.schedule(name).await? {
                    Some(there) if schedule.made_by.is_some() && there.made_by == schedule.made_by => return Ok(()),
                    Some(_) => return Err(Error::ScheduleExists(name.name.to_string())),
                    None => {}
                }
                drawer.put_schedule(schedule).await?;
                drawer.set_next(name, next).await
            })
            .await?;
        Ok(CreateScheduleOutput { schedule_arn: schedule.name.arn().to_string() })
    }
}
