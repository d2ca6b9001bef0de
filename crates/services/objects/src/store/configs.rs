//! What is set up for a bucket: documents, each under its kind and, where a bucket has several of a kind, its id. A document may be
//! longer than a value of the store (a thousand lifecycle rules are), so it lies in pieces.

use std::collections::BTreeSet;
use std::sync::Arc;

use ::store::{Key, Range, Record, Scan, Snapshot, Transaction};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wire::StaticShape;

use super::{Shelf, bucket_key, configs_key};
use crate::error::Error;
use crate::model::Bucket;

/// Who may do what.
pub(crate) const POLICY: &str = "policy";
/// What goes by itself.
pub(crate) const LIFECYCLE: &str = "lifecycle";
/// How new objects are sealed.
pub(crate) const ENCRYPTION: &str = "encryption";
/// Who owns what others put, and whether lists may grant anything.
pub(crate) const OWNERSHIP: &str = "ownership";
/// What is public is not, whatever policies say.
pub(crate) const PUBLIC_ACCESS: &str = "public-access";
/// What locks new versions get.
pub(crate) const LOCK: &str = "lock";
/// The bucket's own access control list.
pub(crate) const ACL: &str = "acl";
/// The configuration that says who is told of changes.
pub(crate) const NOTIFICATION: &str = "notification";

/// As much of a document as lies in one value: text in JSON may take twice as much.
const PIECE_BYTES: usize = 24 << 10;
/// The most pieces of one document.
const PIECES_MAX: usize = 200;
/// The longest document: all of its pieces have to come in one page of a scan.
const DOCUMENT_BYTES_MAX: usize = ::store::Scan::PAGE_BYTES_MAX / 2 - PIECE_BYTES;

#[derive(Serialize, Deserialize)]
struct Piece {
    text: String,
}

impl Record for Piece {
    const KIND: &'static str = "bucket-config";
    const VERSION: u16 = 1;
}

fn config_key(bucket: &str, kind: &str, id: &str) -> Key {
    configs_key(bucket).with(kind).with(id)
}

impl Shelf {
    /// A document.
    pub(crate) async fn config(
        &self,
        snapshot: &Snapshot,
        bucket: &str,
        kind: &str,
        id: &str,
    ) -> Result<Option<Value>, Error> {
        let page = snapshot.scan(Range::prefix(&config_key(bucket, kind, id)), Scan::first(PIECES_MAX)).await?;
        parsed(&joined(page.items.iter().map(|(_, bytes)| bytes.as_ref()))?)
    }

    /// What a document says of which a bucket has one. It is read once for each change of the bucket's settings, and remembered.
    /// `bucket` is as it is in that snapshot.
    pub(crate) async fn setting<T: StaticShape>(
        &self,
        snapshot: &Snapshot,
        bucket: &Bucket,
        kind: &'static str,
    ) -> Result<Option<Arc<T>>, Error> {
        match self.remembered(bucket, kind) {
            Some(remembered) => Ok(remembered),
            None => {
                let range = Range::prefix(&config_key(&bucket.name, kind, ""));
                self.remember(bucket, kind, snapshot.scan(range, Scan::first(PIECES_MAX)).await?.items)
            }
        }
    }

    /// The same in a transaction, which has read the bucket itself and changes no settings.
    pub(crate) async fn setting_in<T: StaticShape>(
        &self,
        tx: &Transaction,
        bucket: &Bucket,
        kind: &'static str,
    ) -> Result<Option<Arc<T>>, Error> {
        match self.remembered(bucket, kind) {
            Some(remembered) => Ok(remembered),
            None => {
                let range = Range::prefix(&config_key(&bucket.name, kind, ""));
                self.remember(bucket, kind, tx.scan(range, Scan::first(PIECES_MAX)).await?.items)
            }
        }
    }

    /// What is known without a look at the document: that there is none, or what it said when it was read.
    fn remembered<T: StaticShape>(&self, bucket: &Bucket, kind: &'static str) -> Option<Option<Arc<T>>> {
        if !bucket.has.contains(kind) {
            return Some(None);
        }
        let (set_on, shape) = self.settings.get(&(bucket.name.clone(), kind))?;
        shape.downcast().ok().filter(|_| set_on == bucket.set_on).map(Some)
    }

    fn remember<T: StaticShape>(
        &self,
        bucket: &Bucket,
        kind: &'static str,
        pieces: Vec<(Key, Bytes)>,
    ) -> Result<Option<Arc<T>>, Error> {
        let text = joined(pieces.iter().map(|(_, bytes)| bytes.as_ref()))?;
        let Some(document) = parsed(&text)? else { return Ok(None) };
        let shape = Arc::new(read::<T>(document)?);
        self.settings.put((bucket.name.clone(), kind), (bucket.set_on, Arc::clone(&shape) as _), weight(&text));
        Ok(Some(shape))
    }

    /// All documents of a kind, in the order of their ids, from behind `after` on, and whether there are more.
    pub(crate) async fn configs(
        &self,
        snapshot: &Snapshot,
        bucket: &str,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<(String, Value)>, bool), Error> {
        let parent = configs_key(bucket).with(kind);
        let mut range = Range::prefix(&parent);
        if let Some(after) = after {
            range = range.after(&parent.clone().with(after));
        }
        let mut found = Vec::new();
        while let Some((key, _)) = snapshot.scan(range.clone(), Scan::first(1)).await?.items.first() {
            if found.len() == limit {
                return Ok((found, true));
            }
            let id = super::text_after(key, &parent)?;
            if let Some(document) = self.config(snapshot, bucket, kind, &id).await? {
                found.push((id.clone(), document));
            }
            range = range.after(&parent.clone().with(id));
        }
        Ok((found, false))
    }

    /// The ids of all documents of a kind.
    pub(crate) async fn config_ids_in(
        &self,
        tx: &Transaction,
        bucket: &str,
        kind: &str,
    ) -> Result<BTreeSet<String>, Error> {
        let parent = configs_key(bucket).with(kind);
        let (mut ids, mut rest) = (BTreeSet::new(), Some(Range::prefix(&parent)));
        while let Some(range) = rest.take() {
            let page = tx.scan(range, Scan::first(Scan::PAGE_MAX)).await?;
            for (key, _) in &page.items {
                ids.insert(key.parts_after(&parent)?.text()?);
            }
            rest = page.rest;
        }
        Ok(ids)
    }

    /// Sets a document, or takes it away, and notes with the bucket that it is there.
    pub(crate) async fn set_config(
        &self,
        tx: &Transaction,
        bucket: &mut Bucket,
        kind: &str,
        id: &str,
        document: Option<&Value>,
    ) -> Result<(), Error> {
        let key = config_key(&bucket.name, kind, id);
        for (old, _) in tx.scan(Range::prefix(&key), Scan::first(PIECES_MAX)).await?.items {
            tx.delete(old);
        }
        match document {
            Some(document) => {
                let text = document.to_string();
                if text.len() > DOCUMENT_BYTES_MAX {
                    let message = "Your request was too big.";
                    return Err(crate::error::refused(400, "MaxMessageLengthExceeded", message).into());
                }
                bucket.has.insert(kind.to_owned());
                let mut rest = text.as_str();
                let mut number = 0_u32;
                while !rest.is_empty() {
                    let (piece, more) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
                    tx.put_record(key.clone().with(number), &Piece { text: piece.to_owned() });
                    (rest, number) = (more, number + 1);
                }
            }
            None => {
                let others = tx.scan(Range::prefix(&configs_key(&bucket.name).with(kind)), Scan::first(1)).await?;
                if others.items.is_empty() {
                    bucket.has.remove(kind);
                }
            }
        }
        bucket.set_on = tx.snapshot_sequence().number();
        tx.put_record(bucket_key(&bucket.name), bucket);
        Ok(())
    }
}

/// A document as the shape that it was.
pub(crate) fn read<T: StaticShape>(document: Value) -> Result<T, Error> {
    let mut shape = T::default();
    match wire::document::read_into(&mut shape, document) {
        Ok(_missing) => Ok(shape),
        Err(error) => {
            tracing::error!(%error, "a bucket's configuration cannot be read");
            Err(Error::Internal)
        }
    }
}

/// About so many bytes what a document means takes: many small values, each with its own memory, and all that is not said.
fn weight(text: &str) -> usize {
    4 * text.len() + 512
}

fn joined<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<String, Error> {
    let mut text = String::new();
    for piece in pieces {
        text.push_str(&::store::record::decode::<Piece>(piece)?.text);
    }
    Ok(text)
}

fn parsed(text: &str) -> Result<Option<Value>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|error| {
        tracing::error!(%error, "a bucket's configuration cannot be read");
        Error::Internal
    })
}

#[cfg(test)]
mod tests {
    use ::store::{Blobs, Store};
    use base::{Clock, Random};
    use wire::s3::PublicAccessBlockConfiguration;

    use super::*;

    #[tokio::test]
    async fn settings_are_remembered_for_what_they_weigh() {
        let clock = Clock::system();
        let shelf = Shelf::new(Store::memory(clock.clone()), Blobs::memory(clock), Random::seeded(7), [0; 32]);
        let block = Value::Object(serde_json::Map::new());
        for (name, expected) in [("a", 520), ("a", 520), ("b", 1040)] {
            let (there, document) = (&shelf, Some(&block));
            let set = shelf.store.transact(|tx| async move {
                let mut bucket = Bucket { name: name.into(), ..Bucket::default() };
                there.set_config(&tx, &mut bucket, PUBLIC_ACCESS, "", document).await
            });
            set.await.expect("set");
            let snapshot = shelf.snapshot();
            let bucket = shelf.bucket(&snapshot, name).await.expect("there");
            for _ in 0..2 {
                let found = shelf.setting::<PublicAccessBlockConfiguration>(&snapshot, &bucket, PUBLIC_ACCESS).await;
                assert!(found.expect("read").is_some());
                assert_eq!(shelf.settings.weight(), expected, "{name}");
            }
        }
    }
}
