//! `ListBackups`: in the order of the names of their tables, and of their times; up to a hundred at once.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::dynamodb::{BackupSummary, BackupTypeFilter, ListBackups, ListBackupsInput, ListBackupsOutput};

use super::{backups, table_resource};
use crate::Tables;
use crate::describe::moment;
use crate::model::backup::{Backup, BackupRef, Origin};
use crate::model::{Scope, TableRef};

/// Backups of one page, where the call does not say how many.
const PAGE_MAX: usize = 100;

/// Backups that are looked at for one page: where few of them are wanted, a page may be short and yet not the last.
const LOOKED_AT_MAX: usize = 1_000;

impl Handle<ListBackups> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListBackupsInput) -> Arn {
        table_resource(call, input.table_name.as_deref().unwrap_or("*"))
    }

    async fn handle(&self, call: &Call, input: ListBackupsInput) -> Result<ListBackupsOutput, Fault> {
        let scope = Scope::of(call);
        let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_MAX);
        let table = input.table_name.as_deref().map(|name| TableRef::parse(&scope, name)).transpose()?;
        let after = input.exclusive_start_backup_arn.as_deref();
        let after = after.map(|arn| BackupRef::parse(&scope, arn)).transpose()?;
        let table = table.map(TableRef::name);
        let found = self.cellar.backups(&scope, table, after.as_ref(), LOOKED_AT_MAX).await?;
        let is_cut = found.len() == LOOKED_AT_MAX;
        let last_seen = found.last().map(|backup| backup.arn(&scope));
        let mut wanted: Vec<Backup> = found.into_iter().filter(|backup| is_wanted(backup, &input)).collect();
        let last = match wanted.len() > limit {
            true => wanted.get(limit - 1).map(|backup| backup.arn(&scope)),
            false => last_seen.filter(|_| is_cut),
        };
        wanted.truncate(limit);
        let summaries = wanted.iter().map(|backup| summary(&scope, backup)).collect();
        Ok(ListBackupsOutput { backup_summaries: Some(summaries), last_evaluated_backup_arn: last })
    }
}

fn is_wanted(backup: &Backup, input: &ListBackupsInput) -> bool {
    let created = moment(backup.created_ms);
    let is_of_kind = match &input.backup_type {
        Some(BackupTypeFilter::All) => true,
        // As DynamoDB does where nobody says anything.
        Some(BackupTypeFilter::User) | None => backup.origin == Origin::User,
        Some(BackupTypeFilter::System) => backup.origin != Origin::User,
        Some(BackupTypeFilter::AwsBackup | BackupTypeFilter::Other(_)) => false,
    };
    is_of_kind
        && input.time_range_lower_bound.is_none_or(|lower| created >= lower)
        && input.time_range_upper_bound.is_none_or(|upper| created < upper)
}

fn summary(scope: &Scope, backup: &Backup) -> BackupSummary {
    BackupSummary {
        table_name: Some(backup.table.name.clone()),
        table_id: Some(backup.table.id.clone()),
        table_arn: Some(backup.table.arn(scope)),
        backup_arn: Some(backup.arn(scope)),
        backup_name: Some(backup.name.clone()),
        backup_creation_date_time: Some(moment(backup.created_ms)),
        backup_expiry_date_time: backup.expires_ms().map(moment),
        backup_status: Some(backups::status(backup)),
        backup_type: Some(backups::kind(backup)),
        backup_size_bytes: Some(backups::size(backup)),
    }
}
