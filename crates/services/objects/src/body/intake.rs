//! A body on its way in: short ones are held, long ones go to a blob as they come, and checksums are made on the way, off the
//! reactor, while the next pieces are written.

use std::sync::{Arc, Mutex, PoisonError};

use ::store::{Held, Stored};
use base::ByteSize;
use bytes::{Bytes, BytesMut};
use contract::Fault;
use futures_util::{StreamExt, TryStreamExt};
use tokio::task::JoinHandle;
use wire::{ByteStream, Payload, Trailers};

use super::seal::{Cipher, Sealing};
use super::sums::{Hashers, Sums, Wanted};
use super::{BESIDE_BYTES_MAX, INLINE_BYTES_MAX};
use crate::error::{Error, refused};
use crate::model::{Body, Sealed};
use crate::store::Shelf;

/// The most bytes that one request may bring.
const BYTES_MAX: u64 = 5 << 30;
/// The same with what sealing adds.
const SEALED_BYTES_MAX: u64 = BYTES_MAX + (BYTES_MAX >> 12) + 16;
/// So many bytes are hashed at a time, away from the reactor; twice as many may wait for it.
const BATCH_BYTES: usize = 512 << 10;

/// A body that was taken in. While this is held no sweep takes its blob.
pub(crate) struct Taken {
    pub(crate) body: Body,
    /// Bytes that go into the transaction.
    pub(crate) data: Bytes,
    pub(crate) size: u64,
    pub(crate) sums: Sums,
    pub(crate) sealed: Option<Sealed>,
    _stored: Option<Stored>,
    _held: Option<Held>,
}

impl Taken {
    /// What lies in a blob already, and was summed up when it came.
    pub(crate) fn shared(body: Body, size: u64, sealed: Option<Sealed>, held: Option<Held>) -> Self {
        let sums = Sums { md5: Vec::new(), checksum: None };
        Self { sealed, body, data: Bytes::new(), size, sums, _stored: None, _held: held }
    }
}

/// Takes bodies in.
pub(crate) struct Intake<'a> {
    pub(crate) shelf: &'a Shelf,
    pub(crate) sealing: &'a Sealing,
}

impl Intake<'_> {
    /// Takes all of it, or tells what is wrong with it.
    pub(crate) async fn take(&self, payload: Payload, wanted: Wanted) -> Result<Taken, Error> {
        if let Some(bytes) = payload.bytes().filter(|bytes| *bytes > BYTES_MAX) {
            return Err(too_large(bytes).into());
        }
        let trailers = payload.trailers();
        let wanted = wanted.or_announced(&trailers);
        if let Some(bytes) = payload.whole() {
            return self.take_stream(futures_util::stream::iter([Ok(bytes.clone())]).boxed(), wanted, trailers).await;
        }
        match payload.take_stream() {
            Some(stream) => self.take_stream(stream, wanted, trailers).await,
            None => Err(crate::error::incomplete_body().into()),
        }
    }

    async fn take_stream(&self, mut stream: ByteStream, wanted: Wanted, trailers: Trailers) -> Result<Taken, Error> {
        let mut held = BytesMut::new();
        let mut first = Bytes::new();
        loop {
            match stream.next().await.transpose()? {
                None => {
                    return self.keep_short(if held.is_empty() { first } else { held.freeze() }, &wanted, &trailers);
                }
                Some(piece) if first.is_empty() && held.is_empty() => first = piece,
                Some(piece) => {
                    if held.is_empty() {
                        held.extend_from_slice(&first);
                    }
                    held.extend_from_slice(&piece);
                }
            }
            if held.len().max(first.len()) > BESIDE_BYTES_MAX {
                let begun = if held.is_empty() { first } else { held.freeze() };
                return self.keep_long(begun, stream, wanted, trailers).await;
            }
        }
    }

    fn keep_short(&self, data: Bytes, wanted: &Wanted, trailers: &Trailers) -> Result<Taken, Error> {
        let mut hashers = wanted.hashers();
        hashers.update(&data);
        let sums = wanted.check(hashers, trailers)?;
        let (sealed, cipher) = self.fresh_seal()?;
        let size = data.len() as u64;
        let body = match data.len() {
            0..=INLINE_BYTES_MAX => Body::Inline,
            _ => Body::Beside(self.shelf.fresh_id()),
        };
        Ok(Taken {
            body,
            size,
            data: cipher.seal_whole(&data)?,
            sums,
            sealed: Some(sealed),
            _stored: None,
            _held: None,
        })
    }

    async fn keep_long(
        &self,
        begun: Bytes,
        rest: ByteStream,
        wanted: Wanted,
        trailers: Trailers,
    ) -> Result<Taken, Error> {
        let tee = Tee::new(Box::pin(futures_util::stream::iter([Ok(begun)]).chain(rest)), wanted, trailers);
        let outcome = Arc::clone(&tee.outcome);
        let pieces =
            futures_util::stream::try_unfold(
                tee,
                |mut tee| async move { Ok(tee.next().await?.map(|piece| (piece, tee))) },
            );
        let (sealed, cipher) = self.fresh_seal()?;
        let pieces = cipher.sealing(Box::pin(pieces)).map_err(std::io::Error::other);
        let stored = self.shelf.blobs.put_stream(Box::pin(pieces), ByteSize(SEALED_BYTES_MAX)).await?;
        let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (size, sums) = outcome.ok_or(Error::Internal)?;
        let body = Body::Blob { id: stored.id.to_string(), owner: self.shelf.fresh_id() };
        Ok(Taken { body, data: Bytes::new(), size, sums, sealed: Some(sealed), _stored: Some(stored), _held: None })
    }

    /// A key that no other body has.
    fn fresh_seal(&self) -> Result<(Sealed, Cipher), Error> {
        let sealed = Sealed { salt: self.shelf.fresh_id(), by: self.sealing.by() };
        let customer = match self.sealing {
            Sealing::Customer(customer) => Some(customer),
            Sealing::Node | Sealing::Kms(_) => None,
        };
        let cipher = Cipher::new(&self.shelf.key, &sealed, customer)?;
        Ok((sealed, cipher))
    }
}

/// Sums up a body that lies somewhere already, and keeps nothing of it.
pub(crate) async fn sum_up(payload: Payload, wanted: Wanted) -> Result<Sums, Error> {
    let trailers = payload.trailers();
    let source = match payload.whole() {
        Some(bytes) => futures_util::stream::iter([Ok(bytes.clone())]).boxed(),
        None => payload.take_stream().ok_or_else(crate::error::incomplete_body)?,
    };
    let mut tee = Tee::new(source, wanted, trailers);
    while tee.next().await?.is_some() {}
    let outcome = tee.outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
    outcome.map(|(_, sums)| sums).ok_or(Error::Internal)
}

/// Looks at a body as it passes.
struct Tee {
    source: ByteStream,
    hashing: Hashing,
    wanted: Wanted,
    trailers: Trailers,
    size: u64,
    /// Told when all of it has passed and is what it should be.
    outcome: Arc<Mutex<Option<(u64, Sums)>>>,
}

impl Tee {
    fn new(source: ByteStream, wanted: Wanted, trailers: Trailers) -> Self {
        Self { source, hashing: Hashing::begin(&wanted), wanted, trailers, size: 0, outcome: Arc::default() }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        match self.source.next().await.transpose()? {
            Some(piece) => {
                self.size += piece.len() as u64;
                if self.size > BYTES_MAX {
                    return Err(too_large(self.size));
                }
                self.hashing.take(piece.clone()).await?;
                Ok(Some(piece))
            }
            None => {
                let hashers = self.hashing.finish().await?;
                let sums = self.wanted.check(hashers, &self.trailers)?;
                *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some((self.size, sums));
                Ok(None)
            }
        }
    }
}

/// Hashes batches of pieces, one at a time, while the next one comes.
struct Hashing {
    idle: Option<Hashers>,
    busy: Option<JoinHandle<Hashers>>,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
}

impl Hashing {
    fn begin(wanted: &Wanted) -> Self {
        Self { idle: Some(wanted.hashers()), busy: None, waiting: Vec::new(), waiting_bytes: 0 }
    }

    async fn take(&mut self, piece: Bytes) -> Result<(), Fault> {
        self.waiting_bytes += piece.len();
        self.waiting.push(piece);
        if self.waiting_bytes >= BATCH_BYTES {
            self.hash_waiting().await?;
        }
        Ok(())
    }

    async fn hash_waiting(&mut self) -> Result<(), Fault> {
        let mut hashers = self.hashers().await?;
        let batch = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        self.busy = Some(tokio::task::spawn_blocking(move || {
            batch.iter().for_each(|piece| hashers.update(piece));
            hashers
        }));
        Ok(())
    }

    async fn hashers(&mut self) -> Result<Hashers, Fault> {
        match (self.busy.take(), self.idle.take()) {
            (Some(busy), _) => busy.await.map_err(|_panic| Fault::internal()),
            (None, Some(idle)) => Ok(idle),
            (None, None) => Err(Fault::internal()),
        }
    }

    async fn finish(&mut self) -> Result<Hashers, Fault> {
        self.hash_waiting().await?;
        self.hashers().await
    }
}

fn too_large(bytes: u64) -> Fault {
    refused(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        .with("ProposedSize", bytes.to_string())
        .with("MaxSizeAllowed", BYTES_MAX.to_string())
}
