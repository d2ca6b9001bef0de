//! Deletes the items whose time is over, oldest first. A table keeps its expiries in the order of time, so nothing else is looked at;
//! and because what lies before the last deleted one is only holes, each look begins where the last one ended, or where a newer expiry
//! has been written since.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::store::{Key, Range, Scan, Transaction};
use bytes::Bytes;

use crate::Tables;
use crate::desk::{Desk, Sight};
use crate::error::Error;
use crate::places::Place;
use crate::store::items::Source;
use crate::store::keys;
use crate::stored::Stored;
use crate::write::{By, Deed, Unwritten, Write, expiry_second};

/// So many items are deleted before somebody else's turn.
const PAGE: usize = 100;

impl Tables {
    pub(crate) async fn expire(&self, desk: &Arc<Desk>, now_ms: i64) -> Result<(), Error> {
        let Ok(now_s) = u64::try_from(now_ms / 1_000) else { return Ok(()) };
        loop {
            let _open = desk.enter().await;
            let sight = desk.sight();
            let Some(expiry) = sight.table.expiry.as_ref().filter(|expiry| expiry.ready) else { return Ok(()) };
            let prefix = keys::expiries(desk.number, expiry.number);
            // Before the look: a write that comes after it says by itself how early its item goes.
            let floor = desk.expired.swap(now_s, Ordering::AcqRel);
            let due = Range::between(&prefix.clone().with(floor), &prefix.with(now_s + 1));
            match self.expire_page(desk, &sight, due, now_ms).await {
                Ok(true) => return Ok(()),
                Ok(false) => desk.expects(floor),
                Err(error) => {
                    desk.expects(floor);
                    return Err(error);
                }
            }
        }
    }

    /// Deletes the first of those that are due; true if no more are.
    async fn expire_page(&self, desk: &Arc<Desk>, sight: &Arc<Sight>, due: Range, now_ms: i64) -> Result<bool, Error> {
        let page = self.cellar.store.snapshot().scan(due, Scan::first(PAGE)).await?;
        for (note, item) in page.items {
            self.expire_one(desk, sight, &note, item, now_ms).await?;
        }
        Ok(page.rest.is_none())
    }

    /// Deletes an item, if its time is over still; the note of it goes in any case.
    async fn expire_one(
        &self,
        desk: &Arc<Desk>,
        sight: &Arc<Sight>,
        note: &Key,
        item: Bytes,
        now_ms: i64,
    ) -> Result<(), Error> {
        let key = &Key::from_bytes(item)?;
        let delete = |tx: Transaction| async move {
            tx.delete(note.clone());
            let Some(stored) = Source::Transaction(&tx).item(key).await? else { return Ok(None) };
            let item = Stored::of_bytes(stored)?.item()?;
            let attribute = sight.table.expiry.as_ref().map(|expiry| expiry.attribute.as_str()).unwrap_or_default();
            let is_over = expiry_second(&item, attribute, now_ms)
                .and_then(|second| i64::try_from(second).ok())
                .is_some_and(|second| second <= now_ms / 1_000);
            if !is_over {
                return Ok(None);
            }
            let place = Place::of_item(&sight.table.keys, &item)?;
            let (desk, sight) = (desk.clone(), sight.clone());
            let write = Write { desk, sight, place, deed: Deed::Delete, condition: None, by: By::Expiry };
            let written = write.apply(&tx, now_ms).await?;
            Ok::<_, Unwritten>(Some(written))
        };
        let written = self.cellar.store.transact(delete).await.map_err(Error::from)?;
        // What a table deletes by itself costs nothing.
        for (of, growth) in written.into_iter().flat_map(|written| written.growth) {
            desk.count(of, growth);
        }
        Ok(())
    }
}
