//! A result that is handed over while the function still makes it, piece by piece.
//!
//! Whoever wants it so gives its invocation one end ([`Pieces::new`]) and reads the other. Functions that make their result as a whole
//! have it in their [`crate::Outcome`], as always; of the others nothing is left there, and what they are asked for without this is
//! gathered. A slow reader slows the function; one that went away does not: what is left goes nowhere.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use crate::guest::RESPONSE_BYTES_MAX;

/// Pieces that wait for their reader.
const PIECES_MAX: usize = 8;
/// The longest result that comes in pieces: Lambda's limit.
pub const STREAM_BYTES_MAX: usize = 200 << 20;

/// Where the pieces go.
#[derive(Clone, Debug)]
pub struct Pieces(mpsc::Sender<Bytes>);

/// Where they come out.
#[derive(Debug)]
pub struct PieceReader(mpsc::Receiver<Bytes>);

impl Pieces {
    /// Both ends.
    pub fn new() -> (Self, PieceReader) {
        let (here, there) = mpsc::channel(PIECES_MAX);
        (Self(here), PieceReader(there))
    }

    /// Hands over a piece, as soon as there is room. Safe to drop: then it was not handed over.
    pub(crate) async fn send(&self, piece: Bytes) {
        // Whoever went away is not waited for.
        let _ = self.0.send(piece).await;
    }
}

impl PieceReader {
    /// The next piece; none when there will be no more.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.0.recv().await
    }

    /// The next piece, if it is there.
    pub fn ready(&mut self) -> Option<Bytes> {
        self.0.try_recv().ok()
    }
}

/// What came in pieces so far.
#[derive(Default)]
pub(crate) struct Gathered {
    /// What nobody reads while it comes.
    bytes: BytesMut,
    /// How many there were, read or not.
    count: usize,
}

/// A reader did not take a piece in time.
pub(crate) struct Late;

impl Gathered {
    /// Takes a piece. What would make it too long is let go. Safe to drop and call again.
    pub(crate) async fn take(&mut self, piece: &Bytes, to: Option<&Pieces>, until: Instant) -> Result<(), Late> {
        let count = self.count + piece.len();
        if count <= max(to) {
            match to {
                Some(pieces) => {
                    let sent = tokio::time::timeout_at(until.into(), pieces.send(piece.clone()));
                    sent.await.map_err(|_| Late)?;
                }
                None => self.bytes.extend_from_slice(piece),
            }
        }
        self.count = count;
        Ok(())
    }

    /// The whole, with what came last; none if that is too long.
    pub(crate) fn whole(&mut self, last: Bytes, to: Option<&Pieces>) -> Option<Bytes> {
        if self.count == 0 {
            return Some(last);
        }
        if self.count + last.len() > max(to) {
            return None;
        }
        self.bytes.extend_from_slice(&last);
        Some(std::mem::take(&mut self.bytes).freeze())
    }

    /// How many bytes came before the result.
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

/// What may be gathered, or pass.
fn max(to: Option<&Pieces>) -> usize {
    to.map_or(RESPONSE_BYTES_MAX, |_| STREAM_BYTES_MAX)
}
