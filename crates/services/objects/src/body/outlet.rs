//! A body on its way out: the pieces of an object, wherever they lie, one after the other.
//!
//! A reading ends as it began, whatever becomes of the object meanwhile: blobs that are still to be read are held, so that no sweep
//! takes them.

use ::store::{BlobId, Held, Snapshot};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use wire::{ByteStream, Payload};

use super::seal::{Cipher, Customer, frames};
use crate::error::Error;
use crate::model::{Body, Sealed, Version};
use crate::store::{Made, NumberedPart, Shelf, data_key, owner_key};

/// A stretch of an object that lies in one place.
pub(crate) enum Piece {
    /// Bytes that are there.
    Held(Bytes),
    /// A part of a blob.
    Blob {
        /// Which.
        id: BlobId,
        /// From where.
        start: u64,
        /// Up to where.
        end: u64,
        /// What opens it, and how long it is when opened.
        cipher: Option<(Cipher, u64)>,
        /// Who refers to it.
        owner: String,
        /// Keeps it until it was read.
        held: Held,
    },
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::Blob { start, end, .. } => end - start,
        }
    }
}

/// The bytes of a version or a part, as they are kept.
struct Kept<'a> {
    body: &'a Body,
    data: &'a Bytes,
    sealed: Option<&'a Sealed>,
    size: u64,
}

impl Shelf {
    /// The bytes of a version from `start` up to `end`, which lie inside it.
    pub(crate) async fn read(
        &self,
        snapshot: &Snapshot,
        version: &Version,
        data: &Bytes,
        customer: Option<&Customer>,
        (start, end): (u64, u64),
    ) -> Result<Payload, Error> {
        let mut pieces = Vec::new();
        match &version.body {
            Body::Parts(upload) => {
                let made = Made { upload, size: version.size };
                for (offset, NumberedPart { part, data, .. }) in
                    &self.parts_across(snapshot, made, (start, end)).await?
                {
                    let within = (start.max(*offset) - offset, end.min(offset + part.size) - offset);
                    let kept = Kept { body: &part.body, data, sealed: part.sealed.as_ref(), size: part.size };
                    pieces.push(self.piece(snapshot, kept, customer, within).await?);
                }
            }
            body if start < end => {
                let kept = Kept { body, data, sealed: version.sealed.as_ref(), size: version.size };
                pieces.push(self.piece(snapshot, kept, customer, (start, end)).await?);
            }
            _ => {}
        }
        if pieces.iter().map(Piece::len).sum::<u64>() != end - start {
            tracing::error!(body = ?version.body, "the parts of an object are not where they should be");
            return Err(Error::Internal);
        }
        self.check_held(&pieces).await?;
        Ok(self.joined(pieces, end - start))
    }

    /// Whether all blobs are there that are held: between the snapshot and the hold a sweep may have taken them. Bytes are let go of
    /// all together, so one that is referred to still tells of all.
    async fn check_held(&self, pieces: &[Piece]) -> Result<(), Error> {
        let blobs = pieces.iter().filter_map(|piece| match piece {
            Piece::Blob { id, owner, .. } => Some((*id, owner)),
            Piece::Held(_) => None,
        });
        let Some((last, owner)) = blobs.clone().last() else { return Ok(()) };
        if self.blobs.is_retained(&self.snapshot(), last, &owner_key(owner)).await? {
            return Ok(());
        }
        for (id, _) in blobs {
            if let Err(error) = self.blobs.len(id).await {
                return Err(Error::Unavailable(format!("the object was replaced while it was read ({error})")));
            }
        }
        Ok(())
    }

    async fn piece(
        &self,
        snapshot: &Snapshot,
        kept: Kept<'_>,
        customer: Option<&Customer>,
        (start, end): (u64, u64),
    ) -> Result<Piece, Error> {
        let cipher = kept.sealed.map(|sealed| Cipher::new(&self.key, sealed, customer)).transpose()?;
        let cut = |bytes: &Bytes| {
            let range = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
            (range.end <= bytes.len()).then(|| bytes.slice(range))
        };
        let held = match kept.body {
            Body::Inline => Some(kept.data.clone()),
            Body::Beside(id) => snapshot.get(&data_key(id)).await?,
            Body::Blob { id, owner } => {
                let id = id.parse().map_err(|_| Error::Internal)?;
                let (owner, held) = (owner.clone(), self.blobs.hold(id).await);
                let cipher = cipher.map(|cipher| (cipher, kept.size));
                return Ok(Piece::Blob { id, start, end, cipher, owner, held });
            }
            Body::Parts(_) => None,
        };
        let opened = match (held, cipher) {
            (Some(held), Some(cipher)) => Some(cipher.open_whole(&held)?),
            (held, _) => held,
        };
        opened.as_ref().and_then(cut).map(Piece::Held).ok_or_else(|| {
            tracing::error!(body = ?kept.body, "the bytes of an object are not where they should be");
            Error::Internal
        })
    }

    fn joined(&self, pieces: Vec<Piece>, bytes: u64) -> Payload {
        if let [] | [Piece::Held(_)] = &pieces[..] {
            let held = pieces.into_iter().next().map(|piece| match piece {
                Piece::Held(bytes) => bytes,
                Piece::Blob { .. } => Bytes::new(),
            });
            return Payload::from(held.unwrap_or_default());
        }
        let blobs = self.blobs.clone();
        let stream = futures_util::stream::iter(pieces).then(move |piece| {
            let blobs = blobs.clone();
            async move {
                let stream: ByteStream = match piece {
                    Piece::Held(bytes) => Box::pin(futures_util::stream::iter([Ok(bytes)])),
                    Piece::Blob { id, start, end, cipher, held, .. } => {
                        let stream: ByteStream = match cipher {
                            Some((cipher, size)) => {
                                let (from, to) = frames(start, end, size);
                                let stream = blobs.stream(id, from..to).await.map_err(Error::from)?;
                                cipher.opening(stream, start, end)
                            }
                            None => {
                                let stream = blobs.stream(id, start..end).await.map_err(Error::from)?;
                                Box::pin(stream.map_err(|error| Error::from(error).into()))
                            }
                        };
                        Box::pin(stream.inspect(move |_piece| {
                            let _until_the_end = &held;
                        }))
                    }
                };
                Ok::<_, contract::Fault>(stream)
            }
        });
        Payload::stream(Box::pin(stream.try_flatten()), Some(bytes))
    }
}
