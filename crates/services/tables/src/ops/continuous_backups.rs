//! `DescribeContinuousBackups`, `UpdateContinuousBackups`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::dynamodb::{
    ContinuousBackupsDescription, ContinuousBackupsStatus, DescribeContinuousBackups, DescribeContinuousBackupsInput,
    DescribeContinuousBackupsOutput, PointInTimeRecoveryDescription, PointInTimeRecoveryStatus,
    UpdateContinuousBackups, UpdateContinuousBackupsInput, UpdateContinuousBackupsOutput,
};

use super::table_resource;
use crate::describe::moment;
use crate::model::table::Recovery;
use crate::model::{Scope, Table};
use crate::{Error, Tables};

/// How far back a table can be brought back, where nobody says how far.
const DAYS_MAX: i32 = 35;

fn description(table: &Table, now_ms: i64) -> ContinuousBackupsDescription {
    let recovery = match table.recovery {
        Some(recovery) => PointInTimeRecoveryDescription {
            point_in_time_recovery_status: Some(PointInTimeRecoveryStatus::Enabled),
            recovery_period_in_days: Some(recovery.days),
            earliest_restorable_date_time: Some(moment(recovery.earliest_ms(now_ms))),
            latest_restorable_date_time: Some(moment(now_ms)),
        },
        None => PointInTimeRecoveryDescription {
            point_in_time_recovery_status: Some(PointInTimeRecoveryStatus::Disabled),
            ..Default::default()
        },
    };
    ContinuousBackupsDescription {
        continuous_backups_status: ContinuousBackupsStatus::Enabled,
        point_in_time_recovery_description: Some(recovery),
    }
}

impl Handle<DescribeContinuousBackups> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &DescribeContinuousBackupsInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: DescribeContinuousBackupsInput,
    ) -> Result<DescribeContinuousBackupsOutput, Fault> {
        let sight = self.backed_up(&Scope::of(call), &input.table_name)?.sight();
        let description = description(&sight.table, self.now_ms());
        Ok(DescribeContinuousBackupsOutput { continuous_backups_description: Some(description) })
    }
}

impl Handle<UpdateContinuousBackups> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdateContinuousBackupsInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: UpdateContinuousBackupsInput,
    ) -> Result<UpdateContinuousBackupsOutput, Fault> {
        let desk = self.backed_up(&Scope::of(call), &input.table_name)?;
        let wanted = input.point_in_time_recovery_specification;
        let set = |table: &mut Table| {
            // Now, while nobody writes: every later change is kept.
            let now_ms = self.now_ms();
            // A longer period does not bring back what was let go under a shorter one.
            let since_ms = table.recovery.map_or(now_ms, |recovery| recovery.earliest_ms(now_ms));
            let days = wanted.recovery_period_in_days.unwrap_or(DAYS_MAX);
            table.recovery = wanted.point_in_time_recovery_enabled.then_some(Recovery { since_ms, days });
            Ok(())
        };
        let changed = self.change(&desk, set).await;
        let (sight, ()) = changed.map_err(|error| match error {
            Error::InUse(why) => Error::BackupsUnavailable(why),
            other => other,
        })?;
        let description = description(&sight.table, self.now_ms());
        Ok(UpdateContinuousBackupsOutput { continuous_backups_description: Some(description) })
    }
}
