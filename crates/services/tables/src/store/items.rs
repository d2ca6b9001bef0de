//! Items in the store, whole: one that is longer than a value may be is cut, and its pieces lie behind its head.
//!
//! The first byte of a head says how many pieces follow. They lie at its key with their number behind, so that a scan meets them with
//! the item, whichever way it goes, and a read of a short item is one read.

use ::store::{Key, Page, PartValue, Range, Scan, Snapshot, Transaction};
use bytes::{BufMut, Bytes, BytesMut};

use crate::error::Error;

/// So many bytes of an item in one value; the rest of what a value may be is for the head's byte.
const PIECE_BYTES: usize = (60 << 10) - 1;

/// Something that can be read: the store as it is now, or in a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// As it was at one moment.
    Snapshot(&'a Snapshot),
    /// As a transaction sees it, which fails if what it saw changes.
    Transaction(&'a Transaction),
}

impl Source<'_> {
    async fn get(&self, key: &Key) -> Result<Option<Bytes>, Error> {
        Ok(match self {
            Self::Snapshot(snapshot) => snapshot.get(key).await?,
            Self::Transaction(tx) => tx.get(key).await?,
        })
    }

    pub(crate) async fn scan(&self, range: Range, scan: Scan) -> Result<Page, Error> {
        Ok(match self {
            Self::Snapshot(snapshot) => snapshot.scan(range, scan).await?,
            Self::Transaction(tx) => tx.scan(range, scan).await?,
        })
    }

    /// The item at that key.
    pub(crate) async fn item(&self, key: &Key) -> Result<Option<Bytes>, Error> {
        let Some(head) = self.get(key).await? else { return Ok(None) };
        let (pieces, body) = split(&head)?;
        if pieces == 0 {
            return Ok(Some(body));
        }
        let mut whole = BytesMut::from(&body[..]);
        for number in 1..=pieces {
            let piece = self.get(&key.clone().with(u32::from(number))).await?.ok_or_else(torn)?;
            whole.put(piece);
        }
        Ok(Some(whole.freeze()))
    }
}

/// Writes an item. `old_bytes` is how long the one was that lies there, if there is one: pieces of it that are not written over go.
pub(crate) fn put(tx: &Transaction, key: &Key, item: &[u8], old_bytes: Option<usize>) {
    let pieces = pieces_of(item.len());
    let head = item.len().min(PIECE_BYTES);
    let mut value = BytesMut::with_capacity(head + 1);
    value.put_u8(pieces);
    value.put_slice(&item[..head]);
    tx.put(key.clone(), value.freeze());
    for (number, piece) in (1u32..).zip(item[head..].chunks(PIECE_BYTES)) {
        tx.put(key.clone().with(number), Bytes::copy_from_slice(piece));
    }
    for number in u32::from(pieces) + 1..=u32::from(old_bytes.map_or(0, pieces_of)) {
        tx.delete(key.clone().with(number));
    }
}

/// Takes away an item that is so long.
pub(crate) fn delete(tx: &Transaction, key: &Key, old_bytes: usize) {
    tx.delete(key.clone());
    for number in 1..=u32::from(pieces_of(old_bytes)) {
        tx.delete(key.clone().with(number));
    }
}

/// How many pieces follow the head.
fn pieces_of(bytes: usize) -> u8 {
    let rest = bytes.saturating_sub(PIECE_BYTES).div_ceil(PIECE_BYTES);
    u8::try_from(rest).expect("items are bounded far below 255 pieces")
}

fn split(head: &Bytes) -> Result<(u8, Bytes), Error> {
    let pieces = *head.first().ok_or_else(torn)?;
    Ok((pieces, head.slice(1..)))
}

fn torn() -> Error {
    tracing::error!("an item lacks a piece; the store is damaged, or this is a bug");
    Error::Internal
}

/// Which way a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Smallest first.
    Up,
    /// Largest first.
    Down,
}

/// A walk over items (or entries, which look the same) in the order of their keys.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    source: Source<'a>,
    rest: Option<Range>,
    way: Way,
    /// Parts of a key of a head: one more is a piece.
    parts: usize,
    page: std::vec::IntoIter<(Key, Bytes)>,
    step: usize,
    /// Pieces that were met before their head, last one first.
    pieces: Vec<Bytes>,
}

impl<'a> Walk<'a> {
    /// Keys that are read at once, where nobody says how many are wanted: it doubles with each page.
    const STEP_FIRST: usize = 128;

    /// Keys that are read at once, at most.
    const STEP_MAX: usize = 512;

    /// Over a range of keys of so many parts. `expected` is how many items will be asked for, if that is known.
    pub(crate) fn new(source: Source<'a>, range: Range, parts: usize, way: Way, expected: Option<usize>) -> Self {
        let step = expected.unwrap_or(Self::STEP_FIRST).clamp(1, Self::STEP_MAX);
        Self { source, rest: Some(range), way, parts, page: Vec::new().into_iter(), step, pieces: Vec::new() }
    }

    /// The next item with its key; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<(Key, Bytes)>, Error> {
        loop {
            let Some((key, value)) = self.next_pair().await? else { return Ok(None) };
            if self.way == Way::Down && self.is_piece(&key)? {
                // Downwards pieces come before their head. Upwards they are taken with it.
                self.pieces.push(value);
                continue;
            }
            let (count, body) = split(&value)?;
            if count == 0 {
                self.pieces.clear();
                return Ok(Some((key, body)));
            }
            let mut whole = BytesMut::from(&body[..]);
            match self.way {
                Way::Up => {
                    for _ in 0..count {
                        let (_, piece) = self.next_pair().await?.ok_or_else(torn)?;
                        whole.put(piece);
                    }
                }
                Way::Down if self.pieces.len() == usize::from(count) => {
                    self.pieces.drain(..).rev().for_each(|piece| whole.put(piece));
                }
                Way::Down => return Err(torn()),
            }
            return Ok(Some((key, whole.freeze())));
        }
    }

    async fn next_pair(&mut self) -> Result<Option<(Key, Bytes)>, Error> {
        loop {
            if let Some(pair) = self.page.next() {
                return Ok(Some(pair));
            }
            let Some(range) = self.rest.take() else { return Ok(None) };
            let scan = match self.way {
                Way::Up => Scan::first(self.step),
                Way::Down => Scan::last(self.step),
            };
            let page = self.source.scan(range, scan).await?;
            self.rest = page.rest;
            self.page = page.items.into_iter();
            self.step = (self.step * 2).min(Self::STEP_MAX);
        }
    }

    fn is_piece(&self, key: &Key) -> Result<bool, Error> {
        let mut parts = key.parts();
        let mut count = 0;
        let mut last = None;
        while let Some(part) = parts.next_part()? {
            (count, last) = (count + 1, Some(part));
        }
        Ok(count > self.parts && matches!(last, Some(PartValue::Number(_))))
    }
}
