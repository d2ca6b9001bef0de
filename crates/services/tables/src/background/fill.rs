//! Fills new indexes (and expiries, which are an index by time) with what lies in the table already, and empties those that go.
//!
//! Changes go into a new index from its first moment on, so the two meet: an entry is written here only in a transaction that has read
//! the item as it is. Page by page, each a transaction and a snapshot of its own, so that a table of any size needs little memory
//! and holds nothing up.

use std::sync::Arc;

use ::store::{Key, Range, Transaction};
use base::task::Kind;

use super::PATIENCE;
use crate::Tables;
use crate::desk::{Desk, Growth, Sight};
use crate::error::Error;
use crate::model::{Index, IndexStatus, Table, change};
use crate::places::Place;
use crate::store::items::{self, Source, Walk, Way};
use crate::store::keys;
use crate::stored::Stored;
use crate::write;

/// So many items are looked at in one transaction, at most,
const PAGE: usize = 200;
/// and none behind the one that makes them longer than this together: an index may hold all of each.
const PAGE_BYTES: usize = 1 << 20;

/// One thing that is to be made.
#[derive(Clone, Debug)]
enum Job {
    Fill(Index),
    Empty(Index),
    Expiries(u16),
}

impl Job {
    /// The next one of a table.
    fn next(table: &Table) -> Option<Self> {
        let index = table.globals.iter().find_map(|index| match index.status {
            IndexStatus::Active => None,
            IndexStatus::Creating => Some(Self::Fill(index.clone())),
            IndexStatus::Deleting => Some(Self::Empty(index.clone())),
        });
        let expiry = table.expiry.as_ref().filter(|expiry| !expiry.ready);
        index.or(expiry.map(|expiry| Self::Expiries(expiry.number)))
    }

    /// What the table is once it is done.
    fn settle(&self, table: &mut Table) {
        match self {
            Self::Fill(index) => {
                let of_table = table.globals.iter_mut().find(|known| known.number == index.number);
                if let Some(known) = of_table.filter(|known| known.status == IndexStatus::Creating) {
                    known.status = IndexStatus::Active;
                }
            }
            Self::Empty(index) => {
                table.globals.retain(|known| known.number != index.number);
                table.attributes = change::used(std::mem::take(&mut table.attributes), table);
            }
            Self::Expiries(number) => {
                if let Some(expiry) = table.expiry.as_mut().filter(|expiry| expiry.number == *number) {
                    expiry.ready = true;
                }
            }
        }
    }
}

impl Tables {
    /// Goes on with what is being made of a table, until nothing is left to make.
    pub(crate) fn resume(&self, desk: &Arc<Desk>) {
        let is_busy = Job::next(&desk.sight().table).is_some();
        let Some(tables) = self.itself.upgrade().filter(|_| is_busy) else { return };
        let (desk, stop) = (Arc::clone(desk), self.tasks.stopping());
        self.tasks.spawn(Kind::Work, "tables-indexes", async move {
            // One at a time for a table: a second task finds nothing left when it gets here.
            let _alone = desk.filling.lock().await;
            while let Some(job) = Job::next(&desk.sight().table) {
                if stop.is_cancelled() || desk.is_gone() {
                    return;
                }
                if let Err(error) = tables.work(&desk, &job).await {
                    tracing::warn!(%error, table = desk.number, "an index could not be brought up to date; trying again");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tables.clock.sleep(PATIENCE) => {}
                    }
                }
            }
        });
    }

    async fn work(&self, desk: &Arc<Desk>, job: &Job) -> Result<(), Error> {
        match job {
            Job::Empty(index) => {
                let entries = keys::entries(desk.number, index.number);
                while self.cellar.clear(&entries).await? {}
                desk.forget(index.number);
            }
            Job::Fill(_) | Job::Expiries(_) => self.fill(desk, job).await?,
        }
        let settle = |table: &mut Table| {
            job.settle(table);
            Ok(())
        };
        self.change(desk, settle).await?;
        if let Job::Expiries(_) = job {
            // Items of any age were found, not only such as come after what an earlier setting has deleted.
            desk.expects(0);
        }
        Ok(())
    }

    async fn fill(&self, desk: &Arc<Desk>, job: &Job) -> Result<(), Error> {
        let stop = self.tasks.stopping();
        let all = Range::prefix(&keys::items(desk.number));
        let parts = 4 + usize::from(desk.sight().table.keys.range.is_some());
        let mut rest = Some(all);
        while let Some(range) = rest.take() {
            if stop.is_cancelled() || desk.is_gone() {
                return Err(Error::no_table());
            }
            let _open = desk.enter().await;
            let sight = desk.sight();
            if Job::next(&sight.table).is_none() {
                return Ok(());
            }
            let snapshot = self.cellar.store.snapshot();
            let mut walk = Walk::new(Source::Snapshot(&snapshot), range.clone(), parts, Way::Up, Some(PAGE));
            let (mut page, mut bytes) = (Vec::with_capacity(PAGE), 0);
            while page.len() < PAGE && bytes < PAGE_BYTES {
                let Some((key, item)) = walk.next().await? else { break };
                bytes += item.len();
                page.push(key);
            }
            if page.len() == PAGE || bytes >= PAGE_BYTES {
                rest = page.last().map(|last| range.after(last));
            }
            // It holds what it has read ahead.
            drop(walk);
            self.fill_page(desk, &sight, job, &page).await?;
        }
        Ok(())
    }

    async fn fill_page(&self, desk: &Desk, sight: &Sight, job: &Job, page: &[Key]) -> Result<(), Error> {
        let now_ms = self.now_ms();
        let fill = |tx: Transaction| async move {
            let mut growth = Growth::default();
            for key in page {
                let Some(stored) = Source::Transaction(&tx).item(key).await? else { continue };
                fill_one(&tx, sight, job, key, &Stored::of_bytes(stored)?, now_ms, &mut growth).await?;
            }
            Ok::<_, Error>(growth)
        };
        let growth = self.cellar.store.transact(fill).await?;
        if let Job::Fill(index) = job {
            desk.count(Some(index.number), growth);
        }
        Ok(())
    }
}

async fn fill_one(
    tx: &Transaction,
    sight: &Sight,
    job: &Job,
    key: &Key,
    stored: &Stored,
    now_ms: i64,
    growth: &mut Growth,
) -> Result<(), Error> {
    let item = stored.item()?;
    let id = Place::of_item(&sight.table.keys, &item)?.id();
    match job {
        Job::Fill(index) => {
            let Some((at, entry)) = write::entry(sight, index, &id, &item) else { return Ok(()) };
            if Source::Transaction(tx).item(&at).await?.is_none() {
                items::put(tx, &at, entry.bytes(), None);
                growth.items += 1;
                growth.bytes += i64::try_from(entry.size()).unwrap_or(i64::MAX);
            }
        }
        Job::Expiries(number) => {
            let attribute = sight.table.expiry.as_ref().filter(|expiry| expiry.number == *number);
            let second = attribute.and_then(|expiry| write::expiry_second(&item, &expiry.attribute, now_ms));
            if let Some(second) = second {
                tx.put(keys::expiries(sight.table.number, *number).with(second).with(id), key.as_bytes().to_vec());
            }
        }
        Job::Empty(_) => {}
    }
    Ok(())
}
