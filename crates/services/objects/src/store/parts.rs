//! Uploads and their parts.

use std::sync::Arc;

use ::store::{Range, Scan, Snapshot, Transaction, record};
use bytes::Bytes;

use super::{Shelf, data_key, join, owner_key, part_key, parts_key, split, upload_key, uploads_key};
use crate::error::{Error, no_such_upload};
use crate::model::{Body, Part, Upload};

/// A part with its number and the bytes behind its record.
pub(crate) struct NumberedPart {
    pub(crate) number: u32,
    pub(crate) part: Part,
    pub(crate) data: Bytes,
}

/// An object that was made of parts.
#[derive(Clone, Copy)]
pub(crate) struct Made<'a> {
    /// Of which upload.
    pub(crate) upload: &'a str,
    /// How long it is.
    pub(crate) size: u64,
}

/// Where the parts of an object end that has fewer is not remembered: one scan finds them all.
const PARTS_REMEMBERED_MIN: usize = 64;
/// As many parts as the memory for one object would hold beside its own: its name, and its place among the others.
const PARTS_BESIDE: usize = 16;

/// Of the parts of an object their numbers, and where in it they end.
pub(crate) type Ends = Arc<[(u32, u64)]>;

impl Shelf {
    /// An upload that goes on.
    pub(crate) async fn upload(
        &self,
        snapshot: &Snapshot,
        bucket: &str,
        key: &str,
        upload: &str,
    ) -> Result<Upload, Error> {
        let found = snapshot.get_record(&upload_key(bucket, key, upload)).await?;
        found.ok_or_else(|| no_such_upload(upload).into())
    }

    /// The same in a transaction, which commits only while it goes on.
    pub(crate) async fn upload_in(
        &self,
        tx: &Transaction,
        bucket: &str,
        key: &str,
        upload: &str,
    ) -> Result<Upload, Error> {
        tx.get_record(&upload_key(bucket, key, upload)).await?.ok_or_else(|| no_such_upload(upload).into())
    }

    /// Parts of an upload, or of an object that was made of it, in order, from behind `after` on.
    pub(crate) async fn parts(
        &self,
        snapshot: &Snapshot,
        upload: &str,
        after: u32,
        limit: usize,
    ) -> Result<Vec<NumberedPart>, Error> {
        let mut rest = Some(Range::prefix(&parts_key(upload)).after(&part_key(upload, after)));
        let mut found = Vec::new();
        while let Some(range) = rest.take().filter(|_| found.len() < limit) {
            let page = snapshot.scan(range, Scan::first(limit - found.len())).await?;
            for (key, bytes) in &page.items {
                found.push(numbered(key, bytes, upload)?);
            }
            rest = page.rest;
        }
        Ok(found)
    }

    /// Where the parts end of an object that was made of them. They never change, so where there are many, all are gone through once and
    /// remembered: who reads an object stretch by stretch does not go through ten thousand parts for each.
    pub(crate) async fn ends(&self, snapshot: &Snapshot, made: Made<'_>) -> Result<Ends, Error> {
        if let Some(ends) = self.ends.get(made.upload) {
            return Ok(ends);
        }
        let mut end = 0;
        let ends = self.parts(snapshot, made.upload, 0, usize::MAX).await?.into_iter().map(|numbered| {
            end += numbered.part.size;
            (numbered.number, end)
        });
        let ends: Ends = ends.collect();
        // What is not whole is no object's.
        if end == made.size && ends.len() >= PARTS_REMEMBERED_MIN {
            self.ends.put(made.upload.to_owned(), Arc::clone(&ends), ends.len() + PARTS_BESIDE);
        }
        Ok(ends)
    }

    /// The parts of an object in which bytes from `start` up to `end` lie, each with where it begins.
    pub(crate) async fn parts_across(
        &self,
        snapshot: &Snapshot,
        made: Made<'_>,
        (start, end): (u64, u64),
    ) -> Result<Vec<(u64, NumberedPart)>, Error> {
        let ends = self.ends(snapshot, made).await?;
        let first = ends.partition_point(|(_, end)| *end <= start);
        let behind = (ends.partition_point(|(_, known)| *known < end) + 1).min(ends.len());
        let Some((number, _)) = ends.get(first).filter(|_| start < end) else { return Ok(Vec::new()) };
        let mut begins = first.checked_sub(1).map_or(0, |before| ends[before].1);
        let mut placed = Vec::with_capacity(behind - first);
        let parts = self.parts(snapshot, made.upload, number.saturating_sub(1), behind - first).await?;
        // Where one is missing, all others would be taken for what they are not.
        for (numbered, end) in parts.into_iter().zip(&ends[first..behind]) {
            if *end != (numbered.number, begins + numbered.part.size) {
                break;
            }
            placed.push((begins, numbered));
            begins = end.1;
        }
        Ok(placed)
    }

    /// The part of an object whose bytes are those from `start` up to `end`, and no others.
    pub(crate) async fn part_at(
        &self,
        snapshot: &Snapshot,
        made: Made<'_>,
        (start, end): (u64, u64),
    ) -> Result<Option<Part>, Error> {
        let across = self.parts_across(snapshot, made, (start, end)).await?;
        let fits = |(begins, numbered): &(u64, NumberedPart)| *begins == start && begins + numbered.part.size == end;
        Ok(across.into_iter().find(fits).map(|(_, numbered)| numbered.part))
    }

    /// All parts in a transaction.
    pub(crate) async fn parts_in(&self, tx: &Transaction, upload: &str) -> Result<Vec<NumberedPart>, Error> {
        let mut rest = Some(Range::prefix(&parts_key(upload)));
        let mut found = Vec::new();
        while let Some(range) = rest.take() {
            let page = tx.scan(range, Scan::first(Scan::PAGE_MAX)).await?;
            for (key, bytes) in &page.items {
                found.push(numbered(key, bytes, upload)?);
            }
            rest = page.rest;
        }
        Ok(found)
    }

    /// Puts a part, in the place of one of its number.
    pub(crate) async fn place_part(
        &self,
        tx: &Transaction,
        upload: &str,
        number: u32,
        part: &Part,
        data: &Bytes,
    ) -> Result<(), Error> {
        let at = part_key(upload, number);
        if let Some(old) = tx.get(&at).await? {
            let (old, _) = split::<Part>(&old)?;
            self.release(tx, &old.body).await?;
        }
        match &part.body {
            Body::Blob { id, owner } => {
                let id = id.parse().map_err(|_| Error::Internal)?;
                self.blobs.retain(tx, id, &owner_key(owner)).await?;
            }
            Body::Beside(id) => tx.put(data_key(id), data.clone()),
            Body::Inline | Body::Parts(_) => {}
        }
        let behind = if part.body == Body::Inline { data.as_ref() } else { &[] };
        tx.put(at, join(part, behind)?);
        Ok(())
    }

    /// Takes one part away.
    pub(crate) async fn remove_part(&self, tx: &Transaction, upload: &str, part: &NumberedPart) -> Result<(), Error> {
        tx.delete(part_key(upload, part.number));
        // A part is never made of parts, so this does not come back here.
        match &part.part.body {
            Body::Inline | Body::Parts(_) => {}
            Body::Beside(id) => tx.delete(data_key(id)),
            Body::Blob { id, owner } => {
                self.blobs.release(tx, id.parse().map_err(|_| Error::Internal)?, &owner_key(owner));
            }
        }
        Ok(())
    }

    /// Takes all parts away.
    pub(crate) async fn release_parts(&self, tx: &Transaction, upload: &str) -> Result<(), Error> {
        for part in self.parts_in(tx, upload).await? {
            self.remove_part(tx, upload, &part).await?;
        }
        Ok(())
    }

    /// A page of uploads whose keys begin with `prefix`, in the order of their keys and then of their beginnings.
    pub(crate) async fn uploads(
        &self,
        snapshot: &Snapshot,
        bucket: &str,
        range: Range,
        limit: usize,
    ) -> Result<(Vec<(String, String, Upload)>, Option<Range>), Error> {
        let parent = uploads_key(bucket);
        let page = snapshot.scan(range, Scan::first(limit)).await?;
        let mut found = Vec::new();
        for (key, bytes) in &page.items {
            let mut parts = key.parts_after(&parent)?;
            found.push((parts.text()?, parts.text()?, record::decode(bytes)?));
        }
        Ok((found, page.rest))
    }
}

fn numbered(key: &::store::Key, bytes: &Bytes, upload: &str) -> Result<NumberedPart, Error> {
    let number = key.parts_after(&parts_key(upload))?.number()?;
    let (part, data) = split(bytes)?;
    Ok(NumberedPart { number: u32::try_from(number).unwrap_or(u32::MAX), part, data })
}

#[cfg(test)]
mod tests {
    use ::store::{Blobs, Store};
    use base::{Clock, Random};

    use super::*;

    #[tokio::test]
    async fn where_parts_end_is_remembered_for_what_it_weighs() {
        for (parts, size, expected) in [(1, 1, 0), (63, 63, 0), (64, 64, 80), (100, 100, 116), (100, 99, 0)] {
            let clock = Clock::system();
            let shelf = Shelf::new(Store::memory(clock.clone()), Blobs::memory(clock), Random::seeded(7), [0; 32]);
            let (there, part) = (&shelf, &Part { size: 1, body: Body::Inline, ..Part::default() });
            let placed = shelf.store.transact(|tx| async move {
                for number in 1..=parts {
                    there.place_part(&tx, "upload", number, part, &Bytes::from_static(b"a")).await?;
                }
                Ok::<_, Error>(())
            });
            placed.await.expect("placed");
            for _ in 0..2 {
                let ends = shelf.ends(&shelf.snapshot(), Made { upload: "upload", size }).await.expect("read");
                assert_eq!(ends.last(), Some(&(parts, u64::from(parts))));
                assert_eq!(shelf.ends.weight(), expected, "{parts} of {size}");
            }
        }
    }
}
