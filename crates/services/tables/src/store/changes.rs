//! Changes of items as streams keep them, in order. (What items were before is in `versions.rs`.)
//!
//! Of class journal, under `tables`: `s NUMBER LABEL` holds a stream's records. The store adds the number of the commit, and of the
//! entry in it. A change that is longer than a value may be goes on in the next entries of its commit; its first byte says in how many.

use ::store::{Key, Transaction};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use item::{Item, packed, size};

use crate::error::Error;
use crate::model::{Stream, View};
use crate::write::By;

const VERSION: u8 = 1;
/// So many bytes of a change in one entry.
const PIECE_BYTES: usize = (60 << 10) - 1;

fn root() -> Key {
    Key::journal("tables")
}

/// All streams of a table.
pub(crate) fn streams(table: u64) -> Key {
    root().with("s").with(table)
}

/// The records of a stream.
pub(crate) fn stream(table: u64, stream: &Stream) -> Key {
    streams(table).with(stream.label.as_str())
}

/// How changes were kept before they were kept by item: nothing is written there any more.
pub(crate) fn former_recovery(table: u64) -> Key {
    root().with("r").with(table)
}

/// What happened to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Insert,
    Modify,
    Remove,
}

/// A record of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) event: Event,
    pub(crate) by: By,
    pub(crate) at_ms: i64,
    pub(crate) keys: Item,
    pub(crate) old: Option<Item>,
    pub(crate) new: Option<Item>,
}

impl Record {
    /// The record of a change, with as much as the view shows.
    pub(crate) fn new(view: View, by: By, at_ms: i64, keys: Item, old: Option<Item>, new: Option<Item>) -> Self {
        let event = match (&old, &new) {
            (None, _) => Event::Insert,
            (Some(_), Some(_)) => Event::Modify,
            (Some(_), None) => Event::Remove,
        };
        let (shows_old, shows_new) = match view {
            View::KeysOnly => (false, false),
            View::NewImage => (false, true),
            View::OldImage => (true, false),
            View::NewAndOldImages => (true, true),
        };
        Self { event, by, at_ms, keys, old: old.filter(|_| shows_old), new: new.filter(|_| shows_new) }
    }

    /// How many bytes DynamoDB says that it has.
    pub(crate) fn size(&self) -> usize {
        let images = self.old.iter().chain(&self.new).map(size::item).sum::<usize>();
        size::item(&self.keys) + images
    }

    /// The bytes that are kept.
    pub(crate) fn pack(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.put_u8(match self.event {
            Event::Insert => 0,
            Event::Modify => 1,
            Event::Remove => 2,
        });
        out.put_u8(match self.by {
            By::Caller => 0,
            By::Expiry => 1,
        });
        out.put_i64_le(self.at_ms);
        for item in [Some(&self.keys), self.old.as_ref(), self.new.as_ref()] {
            let packed = item.map(packed::pack).unwrap_or_default();
            out.put_u32_le(u32::try_from(packed.len()).expect("items are bounded far below 4 GB"));
            out.put_slice(&packed);
        }
        out
    }

    /// What was kept.
    pub(crate) fn unpack(mut bytes: &[u8]) -> Result<Self, Error> {
        const HEAD: usize = 11;
        if bytes.len() < HEAD || bytes.get_u8() != VERSION {
            return Err(packed::Damaged::Wrong("a record of a stream").into());
        }
        let event = match bytes.get_u8() {
            0 => Event::Insert,
            1 => Event::Modify,
            2 => Event::Remove,
            _ => return Err(packed::Damaged::Wrong("an event").into()),
        };
        let by = if bytes.get_u8() == 1 { By::Expiry } else { By::Caller };
        let at_ms = bytes.get_i64_le();
        let mut items = [None, None, None];
        for item in &mut items {
            let length = bytes.try_get_u32_le().map_err(|_| packed::Damaged::Cut)? as usize;
            let (packed, rest) = bytes.split_at_checked(length).ok_or(packed::Damaged::Cut)?;
            bytes = rest;
            if !packed.is_empty() {
                *item = Some(packed::Packed::new(packed)?.unpack()?);
            }
        }
        let [keys, old, new] = items;
        Ok(Self { event, by, at_ms, keys: keys.ok_or(packed::Damaged::Wrong("keys"))?, old, new })
    }

    /// When it was made, without looking at the rest.
    pub(crate) fn moment_of(entry: &[u8]) -> Option<i64> {
        // Behind the byte that counts the pieces, the version, the event and who made it.
        let bytes = entry.get(4..12)?;
        bytes.try_into().ok().map(i64::from_le_bytes)
    }
}

/// Appends a change.
pub(crate) fn append(tx: &Transaction, prefix: &Key, change: &[u8]) {
    let head = change.len().min(PIECE_BYTES);
    let pieces = (change.len() - head).div_ceil(PIECE_BYTES);
    let mut value = BytesMut::with_capacity(head + 1);
    value.put_u8(u8::try_from(pieces).expect("changes are bounded far below 255 pieces"));
    value.put_slice(&change[..head]);
    tx.append(prefix.clone(), value.freeze());
    for piece in change[head..].chunks(PIECE_BYTES) {
        tx.append(prefix.clone(), Bytes::copy_from_slice(piece));
    }
}

/// Where an entry stands: its commit, and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stand {
    pub(crate) commit: u64,
    pub(crate) entry: u64,
}

impl Stand {
    /// The stand of an entry under a prefix.
    pub(crate) fn read(prefix: &Key, key: &Key) -> Result<Self, Error> {
        let mut parts = key.parts_after(prefix)?;
        Ok(Self { commit: parts.number()?, entry: parts.number()? })
    }

    pub(crate) fn key(self, prefix: &Key) -> Key {
        prefix.clone().with(self.commit).with(self.entry)
    }
}

/// How many entries follow the one that these bytes are, and its own part of the change.
pub(crate) fn split(entry: &Bytes) -> Result<(usize, Bytes), Error> {
    let pieces = *entry.first().ok_or(packed::Damaged::Cut)?;
    Ok((usize::from(pieces), entry.slice(1..)))
}

#[cfg(test)]
mod tests {
    use base::Random;
    use item::Value;

    use super::*;

    #[test]
    fn records_are_read_as_they_were_kept_and_damage_is_found() {
        let item = |n: i64| Item::from([("id".to_owned(), Value::from("a")), ("n".to_owned(), Value::from(n))]);
        let keys = Item::from([("id".to_owned(), Value::from("a"))]);
        for view in [View::KeysOnly, View::NewImage, View::OldImage, View::NewAndOldImages] {
            let record = Record::new(view, By::Expiry, 1_795_262_400_123, keys.clone(), Some(item(1)), Some(item(2)));
            let packed = record.pack();
            assert_eq!(Record::unpack(&packed).unwrap(), record);
            let mut entry = vec![0];
            entry.extend_from_slice(&packed);
            assert_eq!(Record::moment_of(&entry), Some(record.at_ms));
            for seed in 0..2_000 {
                let random = Random::seeded(seed);
                let mut damaged = packed.clone();
                let at = random.below(damaged.len() as u64) as usize;
                match random.below(2) {
                    0 => damaged[at] = random.u64() as u8,
                    _ => damaged.truncate(at),
                }
                // Whatever it is taken for, it is no panic.
                let read = Record::unpack(&damaged);
                assert!(damaged.len() == packed.len() || read.is_err(), "seed {seed}: what was cut off is missed");
            }
        }
    }
}
