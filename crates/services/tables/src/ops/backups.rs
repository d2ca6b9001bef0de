//! `CreateBackup`, `DescribeBackup`, `DeleteBackup`. A backup is the table as it was when the call was answered, whatever is written while
//! it is made (see `background/backup.rs`).

use contract::{Arn, Call, Effect, Fault, Handle};
use store::Transaction;
use wire::dynamodb::{
    BackupDescription, BackupDetails, BackupStatus, BackupType, CreateBackup, CreateBackupInput, CreateBackupOutput,
    DeleteBackup, DeleteBackupInput, DeleteBackupOutput, DescribeBackup, DescribeBackupInput, DescribeBackupOutput,
};

use super::{resource_of_arn, table_resource};
use crate::background::Job;
use crate::describe::{self, moment};
use crate::model::backup::{self, Backup, BackupRef, Origin, Status};
use crate::model::table::{Hold, State};
use crate::model::{Scope, Table};
use crate::store::backups;
use crate::{Error, Tables};

pub(super) fn status(backup: &Backup) -> BackupStatus {
    match backup.status {
        Status::Creating => BackupStatus::Creating,
        Status::Available => BackupStatus::Available,
    }
}

pub(super) fn kind(backup: &Backup) -> BackupType {
    match backup.origin {
        Origin::User => BackupType::User,
        Origin::Deletion { .. } => BackupType::System,
    }
}

/// How many bytes it has, as the wire counts them.
pub(super) fn size(backup: &Backup) -> i64 {
    i64::try_from(backup.bytes).unwrap_or(i64::MAX)
}

fn details(scope: &Scope, backup: &Backup) -> BackupDetails {
    BackupDetails {
        backup_arn: backup.arn(scope),
        backup_name: backup.name.clone(),
        backup_size_bytes: Some(size(backup)),
        backup_status: status(backup),
        backup_type: kind(backup),
        backup_creation_date_time: moment(backup.created_ms),
        backup_expiry_date_time: backup.expires_ms().map(moment),
    }
}

fn description(scope: &Scope, backup: &Backup) -> BackupDescription {
    BackupDescription {
        backup_details: Some(details(scope, backup)),
        source_table_details: Some(describe::source(scope, backup)),
        source_table_feature_details: Some(describe::source_features(&backup.table)),
    }
}

impl Handle<CreateBackup> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateBackupInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(&self, call: &Call, input: CreateBackupInput) -> Result<CreateBackupOutput, Fault> {
        let scope = Scope::of(call);
        let desk = self.backed_up(&scope, &input.table_name)?;
        self.check_room().await?;
        if desk.sight().table.state == State::Creating {
            let name = &desk.sight().table.name;
            return Err(Error::TableInUse(format!("Table is being created: {name}")).into());
        }
        let hold = |table: &mut Table| {
            // Now, while nobody writes: every later change is kept, and what was before is in the table.
            let backup = self.new_backup(&desk, table, input.backup_name.clone(), Origin::User);
            table.holds.push(Hold { job: backup.number, day: backup.past.day });
            Ok(backup)
        };
        let also = |tx: &Transaction, backup: &Backup| backups::put(tx, &scope, backup);
        let (_, backup) = self.change_with(&desk, hold, &also).await?;
        self.start(Job::Backup(scope.clone(), backup.reference()));
        Ok(CreateBackupOutput { backup_details: Some(details(&scope, &backup)) })
    }
}

impl Handle<DescribeBackup> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &DescribeBackupInput) -> Arn {
        resource_of_arn(&input.backup_arn)
    }

    async fn handle(&self, call: &Call, input: DescribeBackupInput) -> Result<DescribeBackupOutput, Fault> {
        let scope = Scope::of(call);
        let backup = self.find_backup(&scope, &input.backup_arn).await?;
        Ok(DescribeBackupOutput { backup_description: Some(description(&scope, &backup)) })
    }
}

impl Handle<DeleteBackup> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &DeleteBackupInput) -> Arn {
        resource_of_arn(&input.backup_arn)
    }

    async fn handle(&self, call: &Call, input: DeleteBackupInput) -> Result<DeleteBackupOutput, Fault> {
        let scope = Scope::of(call);
        let backup = self.delete_backup(&scope, &BackupRef::parse(&scope, &input.backup_arn)?).await?;
        self.sweep();
        let mut deleted = description(&scope, &backup);
        if let Some(details) = &mut deleted.backup_details {
            details.backup_status = BackupStatus::Deleted;
        }
        Ok(DeleteBackupOutput { backup_description: Some(deleted) })
    }
}

impl Tables {
    /// The backup of that ARN.
    pub(super) async fn find_backup(&self, scope: &Scope, arn: &str) -> Result<Backup, Error> {
        let found = self.cellar.backup(scope, &BackupRef::parse(scope, arn)?).await?;
        found.ok_or_else(|| backup::missing(arn))
    }
}
