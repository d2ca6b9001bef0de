//! Backups as they lie in the store: their records, and the chunks that their items are in.
//!
//! Of class record, under `tables`:
//!
//! | then | record |
//! |---|---|
//! | `backup ACCOUNT REGION TABLE ID` | a backup |
//! | `chunk BACKUP NUMBER` | a part of its items: which blob, and behind which item the next begins |
//! | `backup-gone BACKUP` | a deleted backup whose chunks are still to be let go |
//!
//! What always holds: a chunk's blob is retained in the transaction that writes its record, and let go in the one that deletes it.

use ::store::{BlobId, Blobs, Key, Range, Record, Scan, Transaction};
use contract::{AccountId, Region};
use serde::{Deserialize, Serialize};

use super::{Cellar, keys};
use crate::error::Error;
use crate::model::Scope;
use crate::model::backup::{Backup, BackupRef};

impl Record for Backup {
    const KIND: &'static str = "table-backup";
    const VERSION: u16 = 1;
}

/// A part of a backup's items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Chunk {
    /// The blob, in hexadecimal.
    blob: String,
    pub(crate) items: u64,
    /// How many bytes DynamoDB says that they have.
    pub(crate) bytes: u64,
    /// The item, by its key in hexadecimal, behind which the next chunk begins; none in the last one.
    next: Option<String>,
}

impl Record for Chunk {
    const KIND: &'static str = "table-backup-chunk";
    const VERSION: u16 = 1;
}

/// A deleted backup.
#[derive(Debug, Serialize, Deserialize)]
struct Gone {}

impl Record for Gone {
    const KIND: &'static str = "table-backup-gone";
    const VERSION: u16 = 1;
}

impl Chunk {
    pub(crate) fn new(blob: BlobId, (items, bytes): (u64, u64), next: Option<&Key>) -> Self {
        let next = next.map(|key| hex::encode(key.as_bytes()));
        Self { blob: blob.to_string(), items, bytes, next }
    }

    pub(crate) fn blob(&self) -> Result<BlobId, Error> {
        self.blob.parse().map_err(|_| Error::Internal)
    }

    pub(crate) fn next(&self) -> Result<Option<Key>, Error> {
        self.next.as_deref().map(read_key).transpose()
    }
}

/// A key that a record names.
pub(crate) fn read_key(text: &str) -> Result<Key, Error> {
    Ok(Key::from_bytes(hex::decode(text).map_err(|_| Error::Internal)?)?)
}

fn all() -> Key {
    keys::root().with("backup")
}

fn of_scope(scope: &Scope) -> Key {
    all().with(scope.account.to_string()).with(scope.region.as_str())
}

fn key(scope: &Scope, of: &BackupRef) -> Key {
    of_scope(scope).with(of.table.as_str()).with(of.id.as_str())
}

fn chunks(backup: u64) -> Key {
    keys::root().with("chunk").with(backup)
}

fn all_gone() -> Key {
    keys::root().with("backup-gone")
}

fn read_scope(key: &Key) -> Result<Scope, Error> {
    let mut parts = key.parts_after(&all())?;
    let account = AccountId::parse(&parts.text()?).ok_or(Error::Internal)?;
    let region = Region::parse(&parts.text()?).ok_or(Error::Internal)?;
    Ok(Scope { account, region })
}

/// Writes what a backup is now.
pub(crate) fn put(tx: &Transaction, scope: &Scope, backup: &Backup) {
    tx.put_record(key(scope, &backup.reference()), backup);
}

/// A backup, as a transaction sees it.
pub(crate) async fn get(tx: &Transaction, scope: &Scope, of: &BackupRef) -> Result<Option<Backup>, Error> {
    Ok(tx.get_record(&key(scope, of)).await?)
}

/// Deletes a backup; its chunks are let go by [`Cellar::sweep_backups`].
pub(crate) fn delete(tx: &Transaction, scope: &Scope, backup: &Backup) {
    tx.delete(key(scope, &backup.reference()));
    tx.put_record(all_gone().with(backup.number), &Gone {});
}

impl Cellar {
    /// A backup.
    pub(crate) async fn backup(&self, scope: &Scope, of: &BackupRef) -> Result<Option<Backup>, Error> {
        Ok(self.store.snapshot().get_record(&key(scope, of)).await?)
    }

    /// A scope's backups behind one, in the order of their tables and times: of one table or of all, at most so many.
    pub(crate) async fn backups(
        &self,
        scope: &Scope,
        table: Option<&str>,
        after: Option<&BackupRef>,
        limit: usize,
    ) -> Result<Vec<Backup>, Error> {
        let root = table.map_or(of_scope(scope), |table| of_scope(scope).with(table));
        let range = Range::prefix(&root);
        let range = after.map_or(range.clone(), |after| range.after(&key(scope, after)));
        let page = self.store.snapshot().scan(range, Scan::first(limit)).await?;
        page.items.iter().map(|(_, value)| Ok(::store::record::decode(value)?)).collect()
    }

    /// All backups of the node, behind a key that an earlier page ended with.
    pub(crate) async fn all_backups(&self, after: Option<&Key>) -> Result<(Vec<(Scope, Backup)>, Option<Key>), Error> {
        const PAGE: usize = 200;
        let range = Range::prefix(&all());
        let range = after.map_or(range.clone(), |after| range.after(after));
        let page = self.store.snapshot().scan(range, Scan::first(PAGE)).await?;
        let last = page.rest.and(page.items.last().map(|(key, _)| key.clone()));
        let read = |(key, value): &(Key, bytes::Bytes)| Ok((read_scope(key)?, ::store::record::decode(value)?));
        Ok((page.items.iter().map(read).collect::<Result<_, Error>>()?, last))
    }

    /// A chunk of a backup.
    pub(crate) async fn chunk(&self, backup: u64, number: u64) -> Result<Option<Chunk>, Error> {
        Ok(self.store.snapshot().get_record(&chunks(backup).with(number)).await?)
    }

    /// Adds a chunk.
    pub(crate) async fn add_chunk(&self, blobs: &Blobs, backup: u64, number: u64, chunk: &Chunk) -> Result<(), Error> {
        let (key, blob) = (&chunks(backup).with(number), chunk.blob()?);
        let write = |tx: Transaction| async move {
            blobs.retain(&tx, blob, key).await?;
            tx.put_record(key.clone(), chunk);
            Ok::<_, Error>(())
        };
        self.store.transact(write).await
    }

    /// Lets go what deleted backups held, a page at a time. False when nothing is left.
    pub(crate) async fn sweep_backups(&self, blobs: &Blobs) -> Result<bool, Error> {
        const PAGE: usize = 500;
        let page = self.store.snapshot().scan(Range::prefix(&all_gone()), Scan::first(1)).await?;
        let Some((note, _)) = page.items.into_iter().next() else { return Ok(false) };
        let backup = note.parts_after(&all_gone())?.number()?;
        let page = self.store.snapshot().scan(Range::prefix(&chunks(backup)), Scan::first(PAGE)).await?;
        let (is_last, held, note) = (page.rest.is_none(), &page.items, &note);
        let write = |tx: Transaction| async move {
            for (key, value) in held {
                blobs.release(&tx, ::store::record::decode::<Chunk>(value)?.blob()?, key);
                tx.delete(key.clone());
            }
            if is_last {
                tx.delete(note.clone());
            }
            Ok::<_, Error>(())
        };
        self.store.transact(write).await?;
        Ok(true)
    }
}
