//! Fills tables that are brought back, from a backup or from another table as it was at a moment. How far it is, is written with the
//! items, so that what a crash cuts off goes on there.

use std::sync::Arc;

use ::store::{Key, Transaction};

use crate::Tables;
use crate::desk::Desk;
use crate::error::Error;
use crate::model::Table;
use crate::model::table::State;
use crate::places::Place;
use crate::store::backups::read_key;
use crate::store::past::Past;
use crate::store::restores::{self, Restore, Source};
use crate::store::tables;
use crate::stored::Stored;
use crate::write::{By, Deed, Unwritten, Write};

/// So many items are written in one transaction, which has room for a few bytes of them (and of their entries in indexes) at most.
const ITEMS_MAX: usize = 100;
const BYTES_MAX: usize = 256 << 10;

impl Source {
    /// The job that has a hold on the source.
    pub(crate) fn job(&self) -> Option<u64> {
        match self {
            Self::Moment { job, .. } => Some(*job),
            Self::Done { job } => *job,
            Self::Backup { .. } => None,
        }
    }

    /// The backup that is read.
    pub(crate) fn backup(&self) -> Option<u64> {
        match self {
            Self::Backup { backup, .. } => Some(*backup),
            Self::Moment { .. } | Self::Done { .. } => None,
        }
    }
}

impl Tables {
    pub(super) async fn restore(&self, target: u64) -> Result<(), Error> {
        let Some(mut restore) = self.cellar.restore_of(target).await? else { return Ok(()) };
        let Some(desk) = self.desks.all().into_iter().find(|desk| desk.number == target) else { return Ok(()) };
        loop {
            self.check_running()?;
            restore.source = match restore.source {
                Source::Done { job } => return self.finish_restore(&desk, job).await,
                Source::Backup { backup, chunk, item } => self.restore_chunk(&desk, backup, chunk, item).await?,
                Source::Moment { job, moment_ms, latest, past, is_known: false, next } => {
                    let past = self.found(past, moment_ms, latest).await?;
                    Source::Moment { job, moment_ms, latest, past, is_known: true, next }
                }
                Source::Moment { job, moment_ms, latest, past, is_known: true, next } => {
                    let after = next.as_deref().map(read_key).transpose()?;
                    let page = self.cellar.past(&past, after.as_ref(), ITEMS_MAX).await?;
                    let (rest, done) = (page.next.as_ref(), Source::Done { job: Some(job) });
                    let then = |next: Option<&Key>| match next {
                        Some(key) => {
                            let next = Some(hex::encode(key.as_bytes()));
                            Source::Moment { job, moment_ms, latest, past: past.clone(), is_known: true, next }
                        }
                        None => done.clone(),
                    };
                    self.put_back(&desk, page.items, |is_last| is_last.then(|| then(rest))).await?;
                    then(rest)
                }
            };
        }
    }

    /// With the commit that the moment means.
    async fn found(&self, past: Past, moment_ms: i64, latest: bool) -> Result<Past, Error> {
        if latest {
            return Ok(past);
        }
        let commit = self.cellar.commit_at(past.table, past.has_range, moment_ms, past.commit).await?;
        Ok(Past { commit, ..past })
    }

    /// Puts back what is left of a chunk.
    async fn restore_chunk(&self, desk: &Arc<Desk>, backup: u64, chunk: u64, item: u64) -> Result<Source, Error> {
        let then = Source::Backup { backup, chunk: chunk + 1, item: 0 };
        let Some(items) = self.unpacked(backup, chunk).await? else {
            let done = Source::Done { job: None };
            self.put_back(desk, Vec::new(), |_| Some(done.clone())).await?;
            return Ok(done);
        };
        let mut put = item;
        let rest: Vec<Stored> = items.into_iter().skip(usize::try_from(item).unwrap_or(usize::MAX)).collect();
        let mut rest = rest.into_iter().peekable();
        while rest.peek().is_some() {
            self.check_running()?;
            let page: Vec<Stored> = rest.by_ref().take(ITEMS_MAX).collect();
            put += page.len() as u64;
            let is_end = rest.peek().is_none();
            let so_far = if is_end { then.clone() } else { Source::Backup { backup, chunk, item: put } };
            self.put_back(desk, page, |is_last| is_last.then(|| so_far.clone())).await?;
        }
        Ok(then)
    }

    /// Writes items as they were, in as many transactions as it takes. `progress` says what is noted with each of them; it is told
    /// which one is the last.
    async fn put_back(
        &self,
        desk: &Arc<Desk>,
        items: Vec<Stored>,
        progress: impl Fn(bool) -> Option<Source>,
    ) -> Result<(), Error> {
        let mut rest = &items[..];
        loop {
            let mut bytes = 0;
            let fits = |item: &&Stored| {
                bytes += item.bytes().len();
                bytes <= BYTES_MAX
            };
            let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
            let (page, behind) = rest.split_at(count);
            rest = behind;
            self.put_page(desk, page, progress(rest.is_empty())).await?;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Writes items to a table that nobody else writes to, in one transaction, with what is noted of it.
    pub(super) async fn put_page(
        &self,
        desk: &Arc<Desk>,
        page: &[Stored],
        progress: Option<Source>,
    ) -> Result<(), Error> {
        let _open = desk.enter().await;
        let (sight, now_ms) = (&desk.sight(), self.now_ms());
        let note = &progress.map(|source| Restore { target: desk.number, source });
        let put = |tx: Transaction| async move {
            let mut growth = Vec::new();
            for stored in page {
                let item = stored.item()?;
                let place = Place::of_item(&sight.table.keys, &item)?;
                let (desk, sight) = (desk.clone(), sight.clone());
                let write = Write { desk, sight, place, deed: Deed::Put(item), condition: None, by: By::Caller };
                growth.extend(write.apply(&tx, now_ms).await?.growth);
            }
            // Nobody else writes to the table, so its counts are those of before and what this adds.
            tables::put_counts(&tx, desk.number, &desk.counts_with(&growth));
            if let Some(note) = note {
                restores::put(&tx, note);
            }
            Ok::<_, Unwritten>(growth)
        };
        // One long item alone may be wide, as when it was written.
        let growth = self.cellar.transact_wide(put).await.map_err(Error::from)?;
        growth.into_iter().for_each(|(of, growth)| desk.count(of, growth));
        Ok(())
    }

    /// Lets the source go, and then the table can be used.
    async fn finish_restore(&self, desk: &Arc<Desk>, job: Option<u64>) -> Result<(), Error> {
        if let Some(job) = job {
            self.let_go(job).await?;
        }
        let target = desk.number;
        self.alter(desk, |table: &mut Table| table.state = State::Active, |tx| restores::delete(tx, target)).await
    }

    /// Takes a job's holds from all tables.
    pub(crate) async fn let_go(&self, job: u64) -> Result<(), Error> {
        for desk in self.desks.all() {
            if desk.sight().table.holds.iter().any(|hold| hold.job == job) {
                self.alter(&desk, |table: &mut Table| table.holds.retain(|hold| hold.job != job), |_| ()).await?;
            }
        }
        Ok(())
    }
}
