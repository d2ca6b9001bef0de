//! Long work on whole tables, each a task of its own: backups, restores, exports, imports. What such work is and how far it is lies in the store, so that it
//! goes on where it was when the node starts.
//!
//! Only some of it is done at a time, so that it leaves the node its memory: the rest waits for its turn.

use std::time::Duration;

use base::Backoff;
use base::task::Kind;

use crate::Tables;
use crate::error::Error;
use crate::model::Scope;
use crate::model::backup::{BackupRef, Status};
use crate::model::export::Export;
use crate::model::import::Import;
use crate::model::table::{Recovery, State};
use crate::model::transfer::Outcome;

/// So much of this work is done at a time. Each has some ten megabytes in its hands.
pub(crate) const AT_A_TIME: usize = 4;

/// So much of it may be under way, as on AWS.
pub(crate) const UNDER_WAY_MAX: usize = 50;

/// One work.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    Backup(Scope, BackupRef),
    /// Of a table of that name, by its id.
    Export(Scope, String, String),
    /// Of a table of that name, by its id.
    Import(Scope, String, String),
    /// By the number of the table that is filled.
    Restore(u64),
}

impl Tables {
    /// Begins a work, or goes on with it.
    pub(crate) fn start(&self, job: Job) {
        let Some(tables) = self.itself.upgrade() else { return };
        let stop = self.tasks.stopping();
        self.tasks.spawn(Kind::Work, "tables-job", async move {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));
            while !stop.is_cancelled() {
                let turn = tokio::select! {
                    () = stop.cancelled() => return,
                    turn = tables.turns.acquire() => turn,
                };
                let done = tables.work_at(&job).await;
                drop(turn);
                match done {
                    Ok(()) => return,
                    Err(Error::Stopping) => return,
                    Err(error) => tracing::warn!(%error, ?job, "work on a table could not be done; trying again"),
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tables.clock.sleep(backoff.next(&tables.random)) => {}
                }
            }
        });
    }

    async fn work_at(&self, job: &Job) -> Result<(), Error> {
        match job {
            Job::Backup(scope, of) => self.back_up(scope, of).await,
            Job::Export(scope, table, id) => self.write_export(scope, table, id).await,
            Job::Import(scope, table, id) => self.read_import(scope, table, id).await,
            Job::Restore(target) => self.restore(*target).await,
        }
    }

    /// Work ends here when the node stops; it goes on from what was committed.
    pub(crate) fn check_running(&self) -> Result<(), Error> {
        if self.tasks.stopping().is_cancelled() { Err(Error::Stopping) } else { Ok(()) }
    }

    /// Goes on with all work that was under way, and lets go of tables that none of it reads any more.
    pub(crate) async fn resume_jobs(&self) -> Result<(), Error> {
        let mut jobs = Vec::new();
        let mut held = Vec::new();
        let mut after = None;
        loop {
            let (backups, next) = self.cellar.all_backups(after.as_ref()).await?;
            for (scope, backup) in backups.into_iter().filter(|(_, backup)| backup.status == Status::Creating) {
                held.push(backup.number);
                jobs.push(Job::Backup(scope, backup.reference()));
            }
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let mut after = None;
        loop {
            let (exports, next) = self.cellar.all_transfers::<Export>(after.as_ref()).await?;
            for (scope, export) in exports.into_iter().filter(|(_, export)| export.outcome == Outcome::InProgress) {
                held.push(export.number);
                jobs.push(Job::Export(scope, export.table.name, export.id));
            }
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let mut after = None;
        loop {
            let (imports, next) = self.cellar.all_transfers::<Import>(after.as_ref()).await?;
            for (scope, import) in imports.into_iter().filter(|(_, import)| import.outcome == Outcome::InProgress) {
                jobs.push(Job::Import(scope, import.table, import.id));
            }
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        for restore in self.cellar.restores().await? {
            held.extend(restore.source.job());
            jobs.push(Job::Restore(restore.target));
        }
        for desk in self.desks.all() {
            let table = &desk.sight().table;
            let is_orphan = |job: u64| !held.contains(&job);
            let begins = table.recovery.is_some_and(|recovery| recovery.since_ms == Recovery::SINCE_OPENED);
            if !begins && !table.holds.iter().any(|hold| is_orphan(hold.job)) {
                continue;
            }
            let now_ms = self.now_ms();
            let settle = |table: &mut crate::model::Table| {
                table.holds.retain(|hold| !is_orphan(hold.job));
                if let Some(recovery) = table.recovery.as_mut().filter(|_| begins) {
                    recovery.since_ms = now_ms;
                }
            };
            self.alter(&desk, settle, |_| ()).await?;
        }
        jobs.into_iter().for_each(|job| self.start(job));
        Ok(())
    }

    /// Refuses more work than may be under way.
    pub(crate) async fn check_room(&self) -> Result<(), Error> {
        let desks = self.desks.all();
        let holds: usize = desks.iter().map(|desk| desk.sight().table.holds.len()).sum();
        let made = desks.iter().filter(|desk| desk.sight().table.state == State::Creating).count();
        // A table that is brought back to a moment counts once, and has a hold.
        let both = self.cellar.restores().await?.iter().filter(|restore| restore.source.job().is_some()).count();
        if (holds + made).saturating_sub(both) < UNDER_WAY_MAX {
            return Ok(());
        }
        Err(Error::Limit(format!(
            "Subscriber limit exceeded: There is a limit of {UNDER_WAY_MAX} simultaneous control plane operations per \
             subscriber"
        )))
    }
}
