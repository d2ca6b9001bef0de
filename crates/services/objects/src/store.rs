//! The only file, with those under it, that knows keys and touches the store.
//!
//! Keys begin with `s3`; then `bucket`, `config`, `object` (current versions that are no markers), `version` (all others, newest
//! first), `null` (where among the others the version without an id is), `data` (bytes beside records), `upload`, `part`,
//! `completed` (what uploads became), `restored` (when restores end).

mod configs;
mod keys;
mod parts;
mod versions;

use std::any::Any;
use std::sync::Arc;

use ::store::{Blobs, Held, Key, Range, Record, Scan, Snapshot, Store, Transaction, record};
use base::Random;
use bytes::{BufMut, Bytes, BytesMut};

pub(crate) use self::configs::*;
pub(crate) use self::keys::*;
pub(crate) use self::parts::{Ends, Made, NumberedPart};
pub(crate) use self::versions::{EndedRestore, Found, Removed, found, missing_version};

use crate::error::{Error, no_such_bucket};
use crate::model::{Body, Bucket};
use crate::remembered::Remembered;

/// So many bytes of what settings mean are remembered.
const SETTINGS_BYTES_MAX: usize = 16 << 20;

/// So many parts are remembered for where they end, 16 bytes for each: those of a hundred of the objects that have most.
const ENDS_MAX: usize = 1_000_000;

/// A bucket's setting as the shape that it is, and as of which change of the bucket's settings.
type Setting = (u64, Arc<dyn Any + Send + Sync>);

/// Everything that is kept.
#[derive(Clone)]
pub(crate) struct Shelf {
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    pub(crate) random: Random,
    /// What bodies are sealed with.
    pub(crate) key: [u8; 32],
    /// What settings of buckets say, by bucket and kind: every request asks.
    settings: Arc<Remembered<(String, &'static str), Setting>>,
    /// Where the parts of objects end, by upload.
    ends: Arc<Remembered<String, Ends>>,
}

impl Shelf {
    pub(crate) fn new(store: Store, blobs: Blobs, random: Random, key: [u8; 32]) -> Self {
        let settings = Arc::new(Remembered::new(SETTINGS_BYTES_MAX));
        let ends = Arc::new(Remembered::new(ENDS_MAX));
        Self { store, blobs, random, key, settings, ends }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.store.snapshot()
    }

    /// An id that nothing else has.
    pub(crate) fn fresh_id(&self) -> String {
        format!("{:016x}{:016x}", self.random.u64(), self.random.u64())
    }

    /// Keeps a body's blob from being swept, until something refers to it.
    pub(crate) async fn hold(&self, body: &Body) -> Result<Option<Held>, Error> {
        match body {
            Body::Blob { id, .. } => Ok(Some(self.blobs.hold(id.parse().map_err(|_| Error::Internal)?).await)),
            Body::Inline | Body::Beside(_) | Body::Parts(_) => Ok(None),
        }
    }

    /// The bucket of that name.
    pub(crate) async fn bucket(&self, snapshot: &Snapshot, name: &str) -> Result<Bucket, Error> {
        let bucket = snapshot.get_record(&bucket_key(name)).await?;
        bucket.ok_or_else(|| no_such_bucket(name).into())
    }

    /// The same, in a transaction, which then commits only while the bucket stays as it is.
    pub(crate) async fn bucket_in(&self, tx: &Transaction, name: &str) -> Result<Bucket, Error> {
        tx.get_record(&bucket_key(name)).await?.ok_or_else(|| no_such_bucket(name).into())
    }

    /// A page of buckets, in the order of their names, from behind `after` on.
    pub(crate) async fn buckets(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Bucket>, bool), Error> {
        let mut range = Range::text_prefix(&buckets_key(), prefix);
        if let Some(after) = after {
            range = range.after(&bucket_key(after));
        }
        let page = self.snapshot().scan(range, Scan::first(limit)).await?;
        let buckets: Result<Vec<Bucket>, _> = page.items.iter().map(|(_, bytes)| record::decode(bytes)).collect();
        Ok((buckets?, page.rest.is_some()))
    }
}

/// A record with bytes behind it: the record's length in four bytes, the record, the bytes.
pub(crate) fn join<R: Record>(head: &R, data: &[u8]) -> Result<Bytes, Error> {
    let head = record::encode(head)?;
    let mut joined = BytesMut::with_capacity(4 + head.len() + data.len());
    joined.put_u32(u32::try_from(head.len()).unwrap_or(u32::MAX));
    joined.put_slice(&head);
    joined.put_slice(data);
    Ok(joined.freeze())
}

/// What [`join`] made.
pub(crate) fn split<R: Record>(joined: &Bytes) -> Result<(R, Bytes), Error> {
    let length = joined.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize);
    match length.and_then(|length| Some((joined.get(4..4 + length)?, 4 + length))) {
        Some((head, end)) => Ok((record::decode(head)?, joined.slice(end..))),
        None => {
            tracing::error!(kind = R::KIND, "a record is shorter than it says");
            Err(Error::Internal)
        }
    }
}

/// The last part of a key, where it is text.
pub(crate) fn text_after(key: &Key, parent: &Key) -> Result<String, Error> {
    Ok(key.parts_after(parent)?.text()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Version;

    #[test]
    fn records_with_bytes_come_back_and_damage_is_told() {
        let version = Version { order: 7, etag: "abc".into(), ..Version::default() };
        let joined = join(&version, b"bytes").expect("it fits");
        let (again, data) = split::<Version>(&joined).expect("whole");
        assert_eq!((again, &data[..]), (version, &b"bytes"[..]));
        let random = Random::seeded(11);
        for _ in 0..5_000 {
            let mut damaged = joined.to_vec();
            for _ in 0..=random.below(3) {
                let at = random.below(damaged.len() as u64) as usize;
                damaged[at] = random.below(256) as u8;
            }
            damaged.truncate(random.below(damaged.len() as u64 + 1) as usize);
            // Either it is told, or what changed was a value: never a panic.
            let _told = split::<Version>(&damaged.into());
        }
    }
}
