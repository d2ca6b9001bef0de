//! Archived events: pieces under keys in the order of their commits. A piece begins with when the event was archived and when it
//! happened (milliseconds, eight bytes each) and a byte that says whether another piece follows.

use ::store::{Key, Range, Scan, Snapshot, Transaction};
use bytes::{BufMut, Bytes, BytesMut};

use crate::error::Error;

const HEAD: usize = 17;
const PIECE: usize = 60 << 10;

/// An archived event.
#[derive(Clone, Debug)]
pub(crate) struct Archived {
    /// Its last key: reading goes on after it.
    pub(crate) key: Key,
    pub(crate) time_ms: i64,
    pub(crate) text: Bytes,
}

/// Puts an event into an archive.
pub(crate) fn put(tx: &Transaction, prefix: &Key, text: &str, archived_ms: i64, time_ms: i64) {
    let mut pieces = text.as_bytes().chunks(PIECE).peekable();
    while let Some(piece) = pieces.next() {
        let mut value = BytesMut::with_capacity(HEAD + piece.len());
        value.put_i64(archived_ms);
        value.put_i64(time_ms);
        value.put_u8(u8::from(pieces.peek().is_some()));
        value.put_slice(piece);
        tx.append(prefix.clone(), value.freeze());
    }
}

/// When a piece was archived.
pub(super) fn archived_ms(value: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(value.get(..8)?.try_into().ok()?))
}

/// Reads an archive from a place on.
pub(crate) struct Reader {
    snapshot: Snapshot,
    rest: Option<Range>,
    page: std::vec::IntoIter<(Key, Bytes)>,
}

impl Reader {
    /// From the first event after `after`.
    pub(crate) fn new(snapshot: Snapshot, prefix: &Key, after: Option<&Key>) -> Self {
        let range = Range::prefix(prefix);
        let range = match after {
            Some(after) => range.after(after),
            None => range,
        };
        Self { snapshot, rest: Some(range), page: Vec::new().into_iter() }
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Result<Option<Archived>, Error> {
        let mut text = BytesMut::new();
        loop {
            let Some((key, value)) = self.page.next() else {
                let Some(range) = self.rest.take() else { return Ok(None) };
                let page = self.snapshot.scan(range, Scan::first(100)).await?;
                self.rest = page.rest;
                self.page = page.items.into_iter();
                continue;
            };
            if value.len() < HEAD {
                tracing::error!("a piece of an archived event is too short");
                return Err(Error::Internal);
            }
            let time: [u8; 8] = value[8..16].try_into().expect("eight bytes");
            text.put_slice(&value[HEAD..]);
            if value[16] == 0 {
                return Ok(Some(Archived { key, time_ms: i64::from_be_bytes(time), text: text.freeze() }));
            }
        }
    }
}
