//! Versions of a key: finding, placing and removing them, each inside a transaction of the caller's.

use ::store::{Key, Range, Record, Scan, Snapshot, Transaction};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Shelf, bucket_key, completed_key, data_key, join, null_key, object_key, owner_key, restore_key, restores_key,
    split, version_key, versions_of_key,
};
use crate::error::{Error, no_such_version};
use crate::model::{Body, Bucket, Version, Versioning};

/// A version, and the bytes behind its record.
pub(crate) struct Found {
    pub(crate) version: Version,
    pub(crate) data: Bytes,
    /// Whether it is the newest of its key.
    pub(crate) latest: bool,
}

/// A restore that has ended.
pub(crate) struct EndedRestore {
    pub(crate) at: Key,
    pub(crate) until_ms: i64,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version: String,
}

/// What placing a version gave.
pub(crate) struct Placed {
    pub(crate) id: Option<String>,
}

/// What removing gave.
#[derive(Default)]
pub(crate) struct Removed {
    /// A marker was made, or what was removed is one.
    pub(crate) marker: bool,
    /// The version that was made or removed, where the bucket keeps some.
    pub(crate) id: Option<String>,
    /// Whether anything changed.
    pub(crate) changed: bool,
}

/// Where the version without an id is.
#[derive(Serialize, Deserialize)]
struct NullAt {
    order: u64,
}

impl Record for NullAt {
    const KIND: &'static str = "null-version";
    const VERSION: u16 = 1;
}

/// What an upload became. It stands as long as the version does.
#[derive(Serialize, Deserialize)]
struct Completed {
    bucket: String,
    key: String,
    order: u64,
}

impl Record for Completed {
    const KIND: &'static str = "completed-upload";
    const VERSION: u16 = 1;
}

/// The place that an id says of itself.
fn order_of(id: &str) -> Option<u64> {
    let fits = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
    fits.then(|| u64::from_str_radix(&id[..16], 16).ok()).flatten()
}

impl Shelf {
    /// The current version, if it is an object.
    pub(crate) async fn current(&self, snapshot: &Snapshot, bucket: &str, key: &str) -> Result<Option<Found>, Error> {
        let bytes = snapshot.get(&object_key(bucket, key)).await?;
        bytes.map(|bytes| found(&bytes, true)).transpose()
    }

    /// The newest version that is not current: where there is no current one, the marker that hides the key.
    pub(crate) async fn newest_other(
        &self,
        snapshot: &Snapshot,
        bucket: &str,
        key: &str,
    ) -> Result<Option<Found>, Error> {
        let page = snapshot.scan(Range::prefix(&versions_of_key(bucket, key)), Scan::first(1)).await?;
        page.items.first().map(|(_, bytes)| found(bytes, false)).transpose()
    }

    /// Whether the marker that hides a key hides nothing.
    pub(crate) async fn is_alone(&self, snapshot: &Snapshot, bucket: &str, key: &str) -> Result<bool, Error> {
        let page = snapshot.scan(Range::prefix(&versions_of_key(bucket, key)), Scan::first(2)).await?;
        Ok(page.items.len() == 1)
    }

    /// The version of that id; `null` is the one without.
    pub(crate) async fn version(
        &self,
        snapshot: &Snapshot,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<Option<Found>, Error> {
        if let Some(current) = self.current(snapshot, bucket, key).await?
            && current.version.id() == id
        {
            return Ok(Some(current));
        }
        let order = match id {
            "null" => snapshot.get_record::<NullAt>(&null_key(bucket, key)).await?.map(|null| null.order),
            id => order_of(id),
        };
        let Some(order) = order else { return Ok(None) };
        let bytes = snapshot.get(&version_key(bucket, key, order)).await?;
        let found = bytes.map(|bytes| found(&bytes, false)).transpose()?.filter(|found| found.version.id() == id);
        let Some(mut found) = found else { return Ok(None) };
        if self.current(snapshot, bucket, key).await?.is_none() {
            let newest = self.newest_other(snapshot, bucket, key).await?;
            found.latest = newest.is_some_and(|newest| newest.version.order == order);
        }
        Ok(Some(found))
    }

    /// Where in the history of its key a version lies, or lay: one that is gone still says so itself. Where the version without an id
    /// was, nobody knows once it is gone: in front of all others.
    pub(crate) async fn order_of(&self, snapshot: &Snapshot, bucket: &str, key: &str, id: &str) -> Result<u64, Error> {
        match (id, order_of(id)) {
            ("null", _) => {
                let found = self.version(snapshot, bucket, key, id).await?;
                Ok(found.map_or(u64::MAX, |found| found.version.order))
            }
            (_, Some(order)) => Ok(order),
            (_, None) => Err(missing_version(key, id)),
        }
    }

    /// The current version in a transaction.
    pub(crate) async fn current_in(&self, tx: &Transaction, bucket: &str, key: &str) -> Result<Option<Found>, Error> {
        tx.get(&object_key(bucket, key)).await?.map(|bytes| found(&bytes, true)).transpose()
    }

    /// The version of that id in a transaction.
    pub(crate) async fn version_in(
        &self,
        tx: &Transaction,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<Option<Found>, Error> {
        if let Some(current) = self.current_in(tx, bucket, key).await?
            && current.version.id() == id
        {
            return Ok(Some(current));
        }
        let order = match id {
            "null" => tx.get_record::<NullAt>(&null_key(bucket, key)).await?.map(|null| null.order),
            id => order_of(id),
        };
        let Some(order) = order else { return Ok(None) };
        let bytes = tx.get(&version_key(bucket, key, order)).await?;
        Ok(bytes.map(|bytes| found(&bytes, false)).transpose()?.filter(|found| found.version.id() == id))
    }

    /// The version that an upload became, while it stands.
    pub(crate) async fn completed_in(
        &self,
        tx: &Transaction,
        bucket: &str,
        key: &str,
        upload: &str,
    ) -> Result<Option<Version>, Error> {
        let completed = tx.get_record::<Completed>(&completed_key(upload)).await?;
        let Some(Completed { order, .. }) = completed.filter(|made| made.bucket == bucket && made.key == key) else {
            return Ok(None);
        };
        let current = self.current_in(tx, bucket, key).await?.map(|found| found.version);
        match current.filter(|version| version.order == order) {
            Some(current) => Ok(Some(current)),
            None => {
                let other = tx.get(&version_key(bucket, key, order)).await?;
                Ok(other.map(|bytes| found(&bytes, false)).transpose()?.map(|found| found.version))
            }
        }
    }

    /// Notes when the restore of a version ends, in the place of when it was to end before.
    pub(crate) fn note_restore(
        &self,
        tx: &Transaction,
        (bucket, key): (&str, &str),
        before_ms: Option<i64>,
        version: &Version,
    ) {
        let at = |until_ms| restore_key(u64::try_from(until_ms).unwrap_or_default(), bucket, key, version.id());
        if let Some(before_ms) = before_ms {
            tx.delete(at(before_ms));
        }
        if let Some(until_ms) = version.restored_until_ms {
            tx.put(at(until_ms), Bytes::new());
        }
    }

    /// Lets go of what only a version has that goes: its bytes, and the note of when its restore ends.
    async fn let_go(&self, tx: &Transaction, (bucket, key): (&str, &str), version: &Version) -> Result<(), Error> {
        if let Some(until_ms) = version.restored_until_ms {
            tx.delete(restore_key(u64::try_from(until_ms).unwrap_or_default(), bucket, key, version.id()));
        }
        self.release(tx, &version.body).await
    }

    /// Restores that have ended by now, some of them: when, of which version, and where that is noted.
    pub(crate) async fn ended_restores(&self, now_ms: i64, limit: usize) -> Result<Vec<EndedRestore>, Error> {
        let page = self.snapshot().scan(Range::prefix(&restores_key()), Scan::first(limit)).await?;
        let mut ended = Vec::new();
        for (at, _) in page.items {
            let mut parts = at.parts_after(&restores_key())?;
            let until_ms = i64::try_from(parts.number()?).unwrap_or(i64::MAX);
            if until_ms > now_ms {
                break;
            }
            let (bucket, key, version) = (parts.text()?, parts.text()?, parts.text()?);
            ended.push(EndedRestore { at, until_ms, bucket, key, version });
        }
        Ok(ended)
    }

    /// Writes a version anew that something was said about, where it lies.
    pub(crate) fn rewrite(&self, tx: &Transaction, bucket: &str, key: &str, found: &Found) -> Result<(), Error> {
        let at = match found.latest && !found.version.marker {
            true => object_key(bucket, key),
            false => version_key(bucket, key, found.version.order),
        };
        tx.put(at, join(&found.version, &found.data)?);
        Ok(())
    }

    /// Puts a version in front of all others of its key; where the bucket keeps no versions, in the place of the one without an id.
    /// Its bytes are where it says, except those that belong behind the record. A blob is referred to from now on.
    pub(crate) async fn place(
        &self,
        tx: &Transaction,
        bucket: &Bucket,
        key: &str,
        mut version: Version,
        data: &Bytes,
    ) -> Result<Placed, Error> {
        self.step_back(tx, bucket, key).await?;
        version.order = tx.snapshot_sequence().number();
        version.id = (bucket.versioning == Versioning::Enabled).then(|| self.version_id(version.order));
        match &version.body {
            Body::Blob { id, owner } => {
                let id = id.parse().map_err(|_| Error::Internal)?;
                self.blobs.retain(tx, id, &owner_key(owner)).await?;
            }
            Body::Beside(id) => tx.put(data_key(id), data.clone()),
            Body::Parts(upload) => {
                let (bucket, key) = (bucket.name.clone(), key.to_owned());
                tx.put_record(completed_key(upload), &Completed { bucket, key, order: version.order });
            }
            Body::Inline => {}
        }
        let behind = if version.body == Body::Inline { data.as_ref() } else { &[] };
        tx.put(object_key(&bucket.name, key), join(&version, behind)?);
        Ok(Placed { id: self.shown_id(bucket, &version) })
    }

    /// Deletes a key as callers see it: for good where no versions are kept, else by a marker.
    pub(crate) async fn hide(
        &self,
        tx: &Transaction,
        bucket: &Bucket,
        key: &str,
        at_ms: i64,
    ) -> Result<Removed, Error> {
        if bucket.versioning == Versioning::Never {
            let current = self.current_in(tx, &bucket.name, key).await?;
            if let Some(current) = &current {
                tx.delete(object_key(&bucket.name, key));
                self.let_go(tx, (&bucket.name, key), &current.version).await?;
            }
            return Ok(Removed { changed: current.is_some(), ..Removed::default() });
        }
        self.step_back(tx, bucket, key).await?;
        tx.delete(object_key(&bucket.name, key));
        let order = tx.snapshot_sequence().number();
        let id = (bucket.versioning == Versioning::Enabled).then(|| self.version_id(order));
        let marker = Version { order, id, at_ms, marker: true, ..Version::default() };
        if marker.id.is_none() {
            tx.put_record(null_key(&bucket.name, key), &NullAt { order });
        }
        tx.put(version_key(&bucket.name, key, order), join(&marker, &[])?);
        Ok(Removed { marker: true, id: self.shown_id(bucket, &marker), changed: true })
    }

    /// Removes one version for good. If it was the newest, the one before it is current again.
    pub(crate) async fn remove(
        &self,
        tx: &Transaction,
        bucket: &Bucket,
        key: &str,
        found: &Found,
    ) -> Result<Removed, Error> {
        let name = &bucket.name;
        let current = self.current_in(tx, name, key).await?;
        let version = &found.version;
        let is_current = current.as_ref().is_some_and(|current| current.version.order == version.order);
        if is_current {
            tx.delete(object_key(name, key));
        } else {
            tx.delete(version_key(name, key, version.order));
            if version.id.is_none() {
                tx.delete(null_key(name, key));
            }
        }
        self.let_go(tx, (name, key), version).await?;
        if is_current || current.is_none() {
            self.promote(tx, name, key).await?;
        }
        Ok(Removed { marker: version.marker, id: Some(version.id().to_owned()), changed: true })
    }

    /// Makes the newest version current, if it is an object.
    async fn promote(&self, tx: &Transaction, bucket: &str, key: &str) -> Result<(), Error> {
        let page = tx.scan(Range::prefix(&versions_of_key(bucket, key)), Scan::first(1)).await?;
        let Some((at, bytes)) = page.items.into_iter().next() else { return Ok(()) };
        let newest = found(&bytes, true)?;
        if !newest.version.marker {
            tx.delete(at);
            if newest.version.id.is_none() {
                tx.delete(null_key(bucket, key));
            }
            tx.put(object_key(bucket, key), bytes);
        }
        Ok(())
    }

    /// Makes room for a new version: the current one goes to the others, or away if the new one takes its place.
    async fn step_back(&self, tx: &Transaction, bucket: &Bucket, key: &str) -> Result<(), Error> {
        let name = &bucket.name;
        let current = self.current_in(tx, name, key).await?;
        let replaces_null = bucket.versioning != Versioning::Enabled;
        if let Some(current) = current {
            let version = &current.version;
            match (&version.id, replaces_null) {
                (None, true) => self.let_go(tx, (name, key), version).await?,
                (None, false) => {
                    tx.put_record(null_key(name, key), &NullAt { order: version.order });
                    tx.put(version_key(name, key, version.order), join(version, &current.data)?);
                }
                (Some(_), _) => tx.put(version_key(name, key, version.order), join(version, &current.data)?),
            }
        }
        if bucket.versioning == Versioning::Suspended
            && let Some(null) = tx.get_record::<NullAt>(&null_key(name, key)).await?
        {
            let at = version_key(name, key, null.order);
            if let Some(bytes) = tx.get(&at).await? {
                self.let_go(tx, (name, key), &found(&bytes, false)?.version).await?;
            }
            tx.delete(at);
            tx.delete(null_key(name, key));
        }
        Ok(())
    }

    /// Lets go of bytes that no version has any more.
    pub(crate) async fn release(&self, tx: &Transaction, body: &Body) -> Result<(), Error> {
        match body {
            Body::Inline => {}
            Body::Beside(id) => tx.delete(data_key(id)),
            Body::Blob { id, owner } => {
                self.blobs.release(tx, id.parse().map_err(|_| Error::Internal)?, &owner_key(owner));
            }
            Body::Parts(upload) => {
                tx.delete(completed_key(upload));
                self.release_parts(tx, upload).await?;
            }
        }
        Ok(())
    }

    /// The id of a version, which says where it lies and is guessed by nobody.
    fn version_id(&self, order: u64) -> String {
        format!("{order:016x}{:016x}", self.random.u64())
    }

    fn shown_id(&self, bucket: &Bucket, version: &Version) -> Option<String> {
        (bucket.versioning != Versioning::Never).then(|| version.id().to_owned())
    }

    /// Fails unless the bucket has nothing in it.
    pub(crate) async fn check_empty(&self, snapshot: &Snapshot, bucket: &str) -> Result<(), Error> {
        for parent in [super::objects_key(bucket), super::versions_key(bucket)] {
            if !snapshot.scan(Range::prefix(&parent), Scan::first(1)).await?.items.is_empty() {
                return Err(not_empty(bucket));
            }
        }
        Ok(())
    }

    /// Removes the bucket and what is set up for it. Fails unless it has nothing in it.
    pub(crate) async fn delete_bucket(&self, tx: &Transaction, bucket: &Bucket) -> Result<(), Error> {
        for parent in [super::objects_key(&bucket.name), super::versions_key(&bucket.name)] {
            if !tx.scan(Range::prefix(&parent), Scan::first(1)).await?.items.is_empty() {
                return Err(not_empty(&bucket.name));
            }
        }
        let mut rest = Some(Range::prefix(&super::configs_key(&bucket.name)));
        while let Some(range) = rest.take() {
            let page = tx.scan(range, Scan::first(Scan::PAGE_MAX)).await?;
            page.items.into_iter().for_each(|(config, _)| tx.delete(config));
            rest = page.rest;
        }
        tx.delete(bucket_key(&bucket.name));
        Ok(())
    }
}

fn not_empty(bucket: &str) -> Error {
    let message = "The bucket you tried to delete is not empty";
    crate::error::refused(409, "BucketNotEmpty", message).with("BucketName", bucket).into()
}

/// The fault for an id that no version of the key has.
pub(crate) fn missing_version(key: &str, id: &str) -> Error {
    match id == "null" || order_of(id).is_some() {
        true => no_such_version(key, id).into(),
        false => crate::error::invalid_argument("Invalid version id specified", "versionId", id).into(),
    }
}

pub(crate) fn found(bytes: &Bytes, latest: bool) -> Result<Found, Error> {
    let (version, data) = split(bytes)?;
    Ok(Found { version, data, latest })
}
