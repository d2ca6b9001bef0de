//! Makes backups: reads a table as it was after a commit, and puts it away in chunks. A chunk says behind which item the next one begins,
//! so that what a crash cuts off goes on there, with the same end. And takes away those whose time is over.

use std::sync::atomic::Ordering;

use ::store::{BlobId, Transaction};

use crate::Tables;
use crate::error::Error;
use crate::model::backup::{Backup, BackupRef, Origin, Status};
use crate::model::{Scope, Table};
use crate::store::backups::{self, Chunk};
use crate::store::chunk::Packer;
use crate::store::tables;

/// Places of items that are looked at in one read.
const PAGE: usize = 500;

impl Tables {
    pub(super) async fn back_up(&self, scope: &Scope, of: &BackupRef) -> Result<(), Error> {
        let Some(backup) = self.cellar.backup(scope, of).await? else { return Ok(()) };
        if backup.status == Status::Available {
            return Ok(());
        }
        let mut counted = (0, 0);
        let (mut number, mut next) = (0, None);
        let mut is_whole = false;
        // What was put away before is not counted in memory: it is read again, chunk by chunk.
        while let Some(chunk) = self.cellar.chunk(backup.number, number).await? {
            counted = (counted.0 + chunk.items, counted.1 + chunk.bytes);
            next = chunk.next()?;
            is_whole = next.is_none();
            number += 1;
        }
        while !is_whole {
            let mut packer = Packer::default();
            while !packer.is_full() {
                self.check_running()?;
                let page = self.cellar.past(&backup.past, next.as_ref(), PAGE).await?;
                page.items.iter().for_each(|item| packer.add(item));
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
            is_whole = next.is_none();
            let (items, bytes) = packer.counted();
            counted = (counted.0 + items, counted.1 + bytes);
            let blob = self.blobs.put(packer.pack()).await?;
            let chunk = Chunk::new(blob.id, (items, bytes), next.as_ref());
            self.cellar.add_chunk(&self.blobs, backup.number, number, &chunk).await?;
            number += 1;
        }
        let made = Backup { status: Status::Available, items: counted.0, bytes: counted.1, ..backup };
        self.finish_backup(scope, &made).await
    }

    /// It is made: what it was read from is let go in the same transaction.
    async fn finish_backup(&self, scope: &Scope, made: &Backup) -> Result<(), Error> {
        let desk = self.desks.get(scope, &made.table.name).filter(|desk| desk.number == made.table.number);
        match (desk, made.origin) {
            (Some(desk), Origin::User) => {
                let release = |table: &mut Table| table.holds.retain(|hold| hold.job != made.number);
                self.alter(&desk, release, |tx| backups::put(tx, scope, made)).await?;
            }
            (None, Origin::User) | (_, Origin::Deletion { .. }) => {
                let write = |tx: Transaction| {
                    backups::put(&tx, scope, made);
                    if matches!(made.origin, Origin::Deletion { .. }) {
                        tables::note_gone(&tx, made.table.number);
                    }
                    std::future::ready(Ok::<_, Error>(()))
                };
                self.cellar.store.transact(write).await?;
                self.sweep();
            }
        }
        Ok(())
    }

    /// The items of a chunk; none where there is no such chunk.
    pub(super) async fn unpacked(&self, backup: u64, number: u64) -> Result<Option<Vec<crate::stored::Stored>>, Error> {
        let Some(chunk) = self.cellar.chunk(backup, number).await? else { return Ok(None) };
        let blob: BlobId = chunk.blob()?;
        crate::store::chunk::unpack(&self.blobs.read(blob, ..).await?).map(Some)
    }

    /// Deletes the backups of deleted tables, and what is known of exports and imports, whose time is over. Looked at now and then: nobody waits
    /// for it.
    pub(crate) async fn expire_backups(&self, now_ms: i64) -> Result<(), Error> {
        const EVERY_MS: i64 = 3_600_000;
        let last = self.backups_expired_ms.load(Ordering::Acquire);
        if now_ms < last.saturating_add(EVERY_MS) {
            return Ok(());
        }
        let mut after = None;
        let mut found = false;
        loop {
            let (page, next) = self.cellar.all_backups(after.as_ref()).await?;
            for (scope, backup) in page {
                let is_over =
                    backup.status == Status::Available && backup.expires_ms().is_some_and(|end| end <= now_ms);
                if is_over {
                    found |= self.delete_backup(&scope, &backup.reference()).await.is_ok();
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        self.forget_exports(now_ms).await?;
        self.forget_imports(now_ms).await?;
        self.backups_expired_ms.store(now_ms, Ordering::Release);
        if found {
            self.sweep();
        }
        Ok(())
    }

    /// Deletes a backup that nobody makes or reads.
    pub(crate) async fn delete_backup(&self, scope: &Scope, of: &BackupRef) -> Result<Backup, Error> {
        let delete = |tx: Transaction| async move {
            let Some(backup) = backups::get(&tx, scope, of).await? else {
                return Err(crate::model::backup::missing(&of.arn(scope)));
            };
            let restores = crate::store::restores::list(&tx).await?;
            let is_read = restores.iter().any(|restore| restore.source.backup() == Some(backup.number));
            if is_read || backup.status == Status::Creating {
                return Err(Error::BackupInUse(
                    "There is another ongoing conflicting backup control plane operation on the table. The backup is either being \
                     created, deleted or restored to a table."
                        .to_owned(),
                ));
            }
            backups::delete(&tx, scope, &backup);
            Ok(backup)
        };
        self.cellar.store.transact(delete).await
    }
}
