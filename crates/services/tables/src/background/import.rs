//! Fills tables that are imported: object by object, in the order of their keys. An object that a crash cuts off is read again from its
//! beginning, for items can be put twice; what is counted of it is noted when it ends.
//!
//! An object is unpacked and read on a thread of its own, which hands over what it found a page at a time and waits while that is written.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use item::size;
use store::Transaction;
use tokio::sync::mpsc;
use wire::Payload;

use super::export::{PATIENCE_MS, REMEMBERED_MS};
use super::log::{LINES_MAX, Misfit};
use crate::Tables;
use crate::buckets::{Bucket, Unanswered};
use crate::desk::{Desk, Sight};
use crate::error::Error;
use crate::intake::{Columns, Intake, Pipe};
use crate::model::import::{Counted, Import};
use crate::model::table::State;
use crate::model::transfer::Outcome;
use crate::model::{Scope, Table};
use crate::places::{self, Place};
use crate::store::transfers;
use crate::stored::Stored;

/// Pages are handed over with so many items at most, and end with the one that makes them longer than this.
const ITEMS_MAX: usize = 100;
const BYTES_MAX: usize = 256 << 10;
/// Pieces and pages that wait for the one who takes them.
const WAITING_MAX: usize = 4;

/// How an import ends that brought all that were items, and others.
const MISFITS: &str = "ItemValidationError";

/// What was found in a part of an object.
#[derive(Debug, Default)]
struct Found {
    items: Vec<Stored>,
    counted: Counted,
    misfits: Vec<Misfit>,
}

impl Tables {
    pub(super) async fn read_import(&self, scope: &Scope, table: &str, id: &str) -> Result<(), Error> {
        let Some(mut import) = self.cellar.transfer::<Import>(scope, table, id).await? else { return Ok(()) };
        if import.outcome != Outcome::InProgress {
            return Ok(());
        }
        let desk = self.desks.get(scope, table).filter(|desk| desk.number == import.target).ok_or(Error::Internal)?;
        let outcome = match self.read_objects(scope, &desk, &mut import).await {
            Ok(()) if import.counted.errors > 0 => Outcome::Failed {
                code: MISFITS.to_owned(),
                message:
                    "Some of the items failed validation checks and were not imported. Please check CloudWatch error \
                          logs for more details."
                        .to_owned(),
            },
            Ok(()) => Outcome::Completed,
            Err(Unanswered::Never(code, message)) => Outcome::Failed { code, message },
            // Until it ends nobody can delete the table.
            Err(Unanswered::Later(Error::Unavailable(why))) if self.now_ms() > import.started_ms + PATIENCE_MS => {
                Outcome::Failed {
                    code: "TimedOut".to_owned(),
                    message: format!("For a day the bucket did not answer: {why}"),
                }
            }
            Err(Unanswered::Later(error)) => return Err(error),
        };
        import.ended_ms = Some(self.now_ms());
        import.outcome = outcome;
        let also = |tx: &Transaction| transfers::put(tx, scope, &import);
        match &import.outcome {
            // A table that breaks off somewhere is nobody's. One that lacks what could be no item of it is there, as on AWS.
            Outcome::Failed { code, .. } if code != MISFITS => self.discard(&desk, &also).await,
            Outcome::Failed { .. } | Outcome::Completed | Outcome::InProgress => {
                self.alter(&desk, |table: &mut Table| table.state = State::Active, also).await
            }
        }
    }

    async fn read_objects(&self, scope: &Scope, desk: &Arc<Desk>, import: &mut Import) -> Result<(), Unanswered> {
        let (asker, spot) = (import.asker.clone(), import.spot.clone());
        let bucket = self.bucket(scope, &asker, &spot);
        loop {
            let (keys, more) = bucket.list(import.after.as_deref()).await?;
            if keys.is_empty() && import.after.is_none() {
                let prefix = spot.prefix.clone().unwrap_or_default();
                let message = format!("There is no object under the prefix '{prefix}' in the bucket {}", spot.bucket);
                return Err(Unanswered::Never("NoSuchKey".to_owned(), message));
            }
            for key in keys {
                let counted = self.read_object(&bucket, desk, import, &key).await?;
                import.counted = import.counted.and(counted);
                import.after = Some(key);
                self.cellar.save_transfer(scope, import).await?;
            }
            if !more {
                return Ok(());
            }
        }
    }

    async fn read_object(
        &self,
        bucket: &Bucket<'_>,
        desk: &Arc<Desk>,
        import: &Import,
        key: &str,
    ) -> Result<Counted, Unanswered> {
        let body = bucket.get(key).await?;
        let (give, pieces) = mpsc::channel(WAITING_MAX);
        let (hand, mut pages) = mpsc::channel(WAITING_MAX);
        let columns = Columns::new(&desk.sight().table.attributes);
        let (packing, format, sight) = (import.packing, import.format.clone(), desk.sight());
        let reading = tokio::task::spawn_blocking(move || {
            read_pages(Intake::new(Pipe::new(pieces), packing, &format, columns), &sight, &hand)
        });
        let giving = hand_over(body, give);
        let writing = async {
            let mut counted = Counted::default();
            while let Some(found) = pages.recv().await {
                let found: Found = found;
                self.check_running()?;
                if !found.items.is_empty() {
                    self.put_page(desk, &found.items, None).await?;
                }
                // Those that one may still tell of.
                let told = import.counted.errors + counted.errors;
                let rest = usize::try_from(LINES_MAX.saturating_sub(told)).unwrap_or(usize::MAX);
                let misfits = &found.misfits[..found.misfits.len().min(rest)];
                if !misfits.is_empty() {
                    self.tell_misfits(bucket, import, key, misfits).await;
                }
                counted = counted.and(found.counted);
            }
            // Dropped, so that the reader ends where it is if this ends early.
            drop(pages);
            Ok::<_, Error>(counted)
        };
        let (given, written) = tokio::join!(giving, writing);
        let read = reading.await.map_err(|_| Error::Internal)?;
        let counted = written?;
        given?;
        match read {
            Ok(()) => Ok(counted),
            Err(error) => {
                Err(Unanswered::Never("DamagedObject".to_owned(), format!("The object {key} cannot be read: {error}")))
            }
        }
    }

    /// Forgets imports that ended long ago.
    pub(crate) async fn forget_imports(&self, now_ms: i64) -> Result<(), Error> {
        let mut after = None;
        loop {
            let (page, next) = self.cellar.all_transfers::<Import>(after.as_ref()).await?;
            for (scope, import) in page {
                if import.ended_ms.is_some_and(|ended| ended + REMEMBERED_MS < now_ms) {
                    self.cellar.forget_transfer(&scope, &import).await?;
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

/// Hands a body's pieces to who reads them. Who reads no more takes none.
async fn hand_over(body: Payload, give: mpsc::Sender<std::io::Result<Bytes>>) -> Result<(), Unanswered> {
    if let Some(whole) = body.whole() {
        // Nobody is there when the reader has had enough.
        let _enough = give.send(Ok(whole.clone())).await;
        return Ok(());
    }
    let Some(mut stream) = body.take_stream() else { return Ok(()) };
    loop {
        match stream.try_next().await {
            Ok(Some(piece)) => {
                if give.send(Ok(piece)).await.is_err() {
                    return Ok(());
                }
            }
            Ok(None) => return Ok(()),
            Err(fault) => {
                let _enough = give.send(Err(std::io::Error::other(fault.message.clone()))).await;
                return Err(fault.into());
            }
        }
    }
}

/// Reads an object to its end, a page at a time. Blocks.
fn read_pages(mut intake: Intake<Pipe>, sight: &Sight, hand: &mpsc::Sender<Found>) -> std::io::Result<()> {
    let (mut found, mut bytes, mut told) = (Found::default(), 0, 0);
    let mut indexes = 0..;
    loop {
        let record = intake.next()?;
        let is_end = record.is_none();
        let index = if is_end { None } else { indexes.next() };
        match record.map(|record| record.and_then(|item| checked(sight, &item))) {
            Some(Ok(stored)) => {
                bytes += stored.bytes().len();
                found.items.push(stored);
                (found.counted.items, found.counted.imported) = (found.counted.items + 1, found.counted.imported + 1);
            }
            Some(Err(why)) => {
                found.misfits.push(Misfit::new(index.unwrap_or_default(), &why));
                (found.counted.items, found.counted.errors) = (found.counted.items + 1, found.counted.errors + 1);
            }
            None => {}
        }
        let is_full = found.counted.items >= ITEMS_MAX as u64 || bytes > BYTES_MAX;
        if is_end || is_full {
            found.counted.bytes = intake.bytes() - told;
            (told, bytes) = (intake.bytes(), 0);
            if hand.blocking_send(std::mem::take(&mut found)).is_err() || is_end {
                return Ok(());
            }
        }
    }
}

/// The item, if the table takes it.
fn checked(sight: &Sight, item: &item::Item) -> Result<Stored, String> {
    Place::of_item(&sight.table.keys, item).map_err(|error| error.to_string())?;
    places::check_index_keys(&sight.table, item).map_err(|error| error.to_string())?;
    match size::item(item) > size::ITEM_BYTES_MAX {
        true => Err("Item size has exceeded the maximum allowed size".to_owned()),
        false => Ok(Stored::new(item)),
    }
}
