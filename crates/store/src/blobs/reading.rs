//! A blob's bytes as a stream: read ahead by one batch, so that who sends them and the disk work at the same time.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use tokio::task::JoinHandle;

use super::disk::Trouble;
use super::files::Opened;
use super::sealed::Sealed;
use super::{BlobId, Inner};
use crate::Error;

/// The length of a piece: it is checked while it is still in the processor's cache.
pub(super) const PIECE: u64 = 256 << 10;
/// So many pieces are read in one go: changing threads costs some microseconds each time.
const BATCH: u64 = 4;

type Batch = Result<VecDeque<Bytes>, Trouble>;

/// What is left of a blob on the disk.
struct Reading {
    id: BlobId,
    sealed: Arc<Sealed>,
    ready: VecDeque<Bytes>,
    ahead: Option<JoinHandle<Batch>>,
    rest: Range<u64>,
}

/// The rest of a blob that was opened.
pub(super) fn stream(id: BlobId, opened: Opened, inner: Arc<Inner>) -> BoxStream<'static, Result<Bytes, Error>> {
    let Opened { sealed, bytes, rest } = opened;
    let ready = (!bytes.is_empty()).then_some(bytes).into_iter().collect();
    let mut reading = Reading { id, sealed, ready, ahead: None, rest };
    reading.go_ahead();
    noted(inner, reading.pieces())
}

/// A stream whose errors are taken note of.
pub(super) fn noted(
    inner: Arc<Inner>,
    pieces: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
) -> BoxStream<'static, Result<Bytes, Error>> {
    pieces.map(move |piece| inner.noted(piece)).boxed()
}

impl Reading {
    fn pieces(self) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
        futures_util::stream::try_unfold(self, |mut reading| async move {
            if reading.ready.is_empty() {
                let Some(job) = reading.ahead.take() else { return Ok(None) };
                let batch = job.await.map_err(|error| Error::engine("reading a blob", error))?;
                reading.ready = batch.map_err(|trouble| trouble.of_blob("reading a blob", reading.id))?;
                reading.go_ahead();
            }
            Ok(reading.ready.pop_front().map(|piece| (piece, reading)))
        })
    }

    fn go_ahead(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        // Pieces end where chunks do, so that no chunk is read twice.
        let begin = self.rest.start / PIECE * PIECE;
        let end = self.rest.end.min(begin + BATCH * PIECE);
        let batch = self.rest.start..end;
        self.rest.start = end;
        let sealed = Arc::clone(&self.sealed);
        self.ahead = Some(tokio::task::spawn_blocking(move || {
            let mut pieces = VecDeque::with_capacity(BATCH as usize);
            let mut start = batch.start;
            while start < batch.end {
                let end = batch.end.min(start / PIECE * PIECE + PIECE);
                pieces.push_back(sealed.read(start..end)?);
                start = end;
            }
            Ok(pieces)
        }));
    }
}
