//! `RestoreTableFromBackup`, `RestoreTableToPointInTime`: a table as it was, under a new name. Its items come by themselves (see
//! `background/restore.rs`); until they are there it is `CREATING`, and nobody reads or writes it.

use std::sync::Arc;

use contract::{Arn, Call, Effect, Fault, Handle};
use store::Transaction;
use wire::dynamodb::{
    RestoreTableFromBackup, RestoreTableFromBackupInput, RestoreTableFromBackupOutput, RestoreTableToPointInTime,
    RestoreTableToPointInTimeInput, RestoreTableToPointInTimeOutput, TableDescription,
};

use super::{resource_of_arn, table_resource};
use crate::background::Job;
use crate::describe::{self, moment};
use crate::desk::Desk;
use crate::model::backup::Status;
use crate::model::restore::{self, Identity, Overrides};
use crate::model::table::{Hold, Recovery, Restored};
use crate::model::{Scope, Table, name};
use crate::store::past::Past;
use crate::store::restores::{self, Restore, Source};
use crate::store::versions;
use crate::{Error, Tables};

impl Handle<RestoreTableFromBackup> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &RestoreTableFromBackupInput) -> Arn {
        resource_of_arn(&input.backup_arn)
    }

    async fn handle(
        &self,
        call: &Call,
        input: RestoreTableFromBackupInput,
    ) -> Result<RestoreTableFromBackupOutput, Fault> {
        let scope = Scope::of(call);
        let identity = self.identity(&scope, &input.target_table_name)?;
        let backup = self.find_backup(&scope, &input.backup_arn).await?;
        if backup.status == Status::Creating {
            return Err(Error::BackupInUse("Backup is being created".to_owned()).into());
        }
        self.check_room().await?;
        let restored = Restored {
            backup: Some(input.backup_arn),
            table: Some(backup.table.arn(&scope)),
            moment_ms: backup.created_ms,
        };
        let overrides = Overrides {
            mode: input.billing_mode_override,
            throughput: input.provisioned_throughput_override,
            on_demand_max: input.on_demand_throughput_override,
            encryption: input.sse_specification_override,
            globals: input.global_secondary_index_override,
            locals: input.local_secondary_index_override,
        };
        let identity = Identity { restored: Some(restored), ..identity };
        let table = restore::table(&backup.table, identity, &overrides)?;
        let source = Source::Backup { backup: backup.number, chunk: 0, item: 0 };
        Ok(RestoreTableFromBackupOutput { table_description: Some(self.begin(&scope, &table, &source).await?) })
    }
}

impl Handle<RestoreTableToPointInTime> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &RestoreTableToPointInTimeInput) -> Arn {
        table_resource(call, source_of(input))
    }

    async fn handle(
        &self,
        call: &Call,
        input: RestoreTableToPointInTimeInput,
    ) -> Result<RestoreTableToPointInTimeOutput, Fault> {
        let scope = Scope::of(call);
        let identity = self.identity(&scope, &input.target_table_name)?;
        if source_of(&input).is_empty() {
            return Err(Error::Invalid("Either SourceTableName or SourceTableArn must be specified".to_owned()).into());
        }
        let source = self.backed_up(&scope, source_of(&input))?;
        self.check_room().await?;
        let wanted = (input.use_latest_restorable_time.unwrap_or(false), input.restore_date_time);
        let overrides = Overrides {
            mode: input.billing_mode_override,
            throughput: input.provisioned_throughput_override,
            on_demand_max: input.on_demand_throughput_override,
            encryption: input.sse_specification_override,
            globals: input.global_secondary_index_override,
            locals: input.local_secondary_index_override,
        };
        let (held, table) = self.hold_moment(&source, wanted, identity, &overrides).await?;
        let job = held.job();
        let begun = self.begin(&scope, &table, &held).await;
        if let (Err(_), Some(job)) = (&begun, job) {
            self.let_go(job).await?;
        }
        Ok(RestoreTableToPointInTimeOutput { table_description: Some(begun?) })
    }
}

fn source_of(input: &RestoreTableToPointInTimeInput) -> &str {
    input.source_table_arn.as_deref().or(input.source_table_name.as_deref()).unwrap_or_default()
}

/// The moment that is wanted, if the table can be brought back to it; and whether it is the last one.
pub(super) fn wanted_moment(
    (latest, wanted): (bool, Option<jiff::Timestamp>),
    recovery: Recovery,
    now_ms: i64,
) -> Result<(i64, bool), Error> {
    let earliest_ms = recovery.earliest_ms(now_ms);
    match (latest, wanted.map(|wanted| wanted.as_millisecond())) {
        (true, Some(_)) => {
            Err(Error::Invalid("RestoreDateTime and UseLatestRestorableTime cannot both be specified".to_owned()))
        }
        (true, None) => Ok((now_ms, true)),
        (false, Some(wanted_ms)) if (earliest_ms..=now_ms).contains(&wanted_ms) => Ok((wanted_ms, false)),
        // The earliest moment is often taken from an answer that leaves out its milliseconds.
        (false, Some(wanted_ms)) if wanted_ms == earliest_ms - earliest_ms.rem_euclid(1_000) => {
            Ok((earliest_ms, false))
        }
        (false, Some(wanted_ms)) => Err(Error::RestoreTime(format!(
            "The time {} is not within EarliestRestorableDateTime {} and LatestRestorableDateTime {}",
            moment(wanted_ms),
            moment(earliest_ms),
            moment(now_ms)
        ))),
        (false, None) => {
            Err(Error::Invalid("Either RestoreDateTime or UseLatestRestorableTime must be specified".to_owned()))
        }
    }
}

/// What is said of a table whose changes are not kept.
pub(super) fn recovery_of(table: &Table) -> Result<Recovery, Error> {
    table
        .recovery
        .ok_or_else(|| Error::RecoveryOff(format!("Point in time recovery is not enabled for table '{}'", table.name)))
}

impl Tables {
    fn identity(&self, scope: &Scope, target: &str) -> Result<Identity, Error> {
        name::check("targetTableName", "TableName", target)?;
        if self.desks.get(scope, target).is_some() {
            return Err(Error::TableExists(format!("Table already exists: {target}")));
        }
        let id = self.random.uuid().to_string();
        Ok(Identity { name: target.to_owned(), id, now_ms: self.now_ms(), restored: None })
    }

    /// Takes hold of a table as it was at a moment, and says what the new table is.
    async fn hold_moment(
        &self,
        source: &Arc<Desk>,
        wanted: (bool, Option<jiff::Timestamp>),
        identity: Identity,
        overrides: &Overrides,
    ) -> Result<(Source, Table), Error> {
        let arn = source.sight().arn.clone();
        let hold = |table: &mut Table| {
            let now_ms = self.now_ms();
            let (moment_ms, latest) = wanted_moment(wanted, recovery_of(table)?, now_ms)?;
            let restored = Restored { backup: None, table: Some(arn), moment_ms };
            let identity = Identity { restored: Some(restored), ..identity };
            let new = restore::table(table, identity, overrides)?;
            let past = Past { day: versions::day(moment_ms).saturating_sub(1), ..self.past_now(table, now_ms) };
            let job = self.random.u64();
            table.holds.push(Hold { job, day: past.day });
            Ok((Source::Moment { job, moment_ms, latest, past, is_known: false, next: None }, new))
        };
        Ok(self.change(source, hold).await?.1)
    }

    /// Makes the table and begins to fill it.
    async fn begin(&self, scope: &Scope, table: &Table, source: &Source) -> Result<TableDescription, Error> {
        let also = |tx: &Transaction, made: &Table| {
            restores::put(tx, &Restore { target: made.number, source: source.clone() });
        };
        let desk = self.make_with(scope, table, &also).await.map_err(|error| match error {
            Error::InUse(why) => Error::TableExists(why),
            other => other,
        })?;
        self.start(Job::Restore(desk.number));
        Ok(describe::table(&desk, &desk.sight()))
    }
}
