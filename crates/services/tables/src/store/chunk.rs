//! The bytes of a chunk of a backup: items as they lie in the store, one behind the other, packed together.
//!
//! ```text
//! chunk = version (1 byte) length-of-the-rest-unpacked (4) LZ4 of item*
//! item  = length (4) bytes                                 numbers are little-endian
//! ```

use bytes::{Buf, BufMut, Bytes};
use item::packed::Damaged;

use crate::error::Error;
use crate::stored::Stored;

const VERSION: u8 = 1;
/// A chunk is full when its items have so many bytes.
const FULL: usize = 4 << 20;
/// No chunk is longer, unpacked: it is full before its last page of items.
const UNPACKED_MAX: usize = 8 << 20;

/// A chunk that items are put into.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    raw: Vec<u8>,
    items: u64,
    bytes: u64,
}

impl Packer {
    pub(crate) fn add(&mut self, item: &Stored) {
        let bytes = item.bytes();
        self.raw.put_u32_le(u32::try_from(bytes.len()).expect("items are bounded far below 4 GB"));
        self.raw.put_slice(bytes);
        self.items += 1;
        self.bytes += item.size() as u64;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.raw.len() >= FULL
    }

    /// How many items are in it, and how many bytes DynamoDB says that they have.
    pub(crate) fn counted(&self) -> (u64, u64) {
        (self.items, self.bytes)
    }

    pub(crate) fn pack(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend(lz4_flex::block::compress_prepend_size(&self.raw));
        out
    }
}

/// The items of a chunk.
pub(crate) fn unpack(chunk: &Bytes) -> Result<Vec<Stored>, Error> {
    let (version, packed) = chunk.split_first().ok_or(Damaged::Cut)?;
    let length = packed.first_chunk().map_or(usize::MAX, |length| u32::from_le_bytes(*length) as usize);
    if *version != VERSION || length > UNPACKED_MAX {
        return Err(Damaged::Wrong("a chunk of a backup").into());
    }
    let raw = lz4_flex::block::decompress_size_prepended(packed).map_err(|_| Damaged::Wrong("a chunk of a backup"))?;
    if raw.len() != length {
        return Err(Damaged::Cut.into());
    }
    let mut rest = Bytes::from(raw);
    let mut items = Vec::new();
    while !rest.is_empty() {
        let length = rest.try_get_u32_le().map_err(|_| Damaged::Cut)? as usize;
        if length > rest.len() {
            return Err(Damaged::Cut.into());
        }
        items.push(Stored::of_bytes(rest.split_to(length))?);
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use base::Random;
    use item::{Item, Value};

    use super::*;

    #[test]
    fn chunks_are_read_as_they_were_packed_and_damage_is_no_panic() {
        let item = |n: i64| Stored::new(&Item::from([("n".to_owned(), Value::from(n))]));
        for count in [0, 1, 100] {
            let items: Vec<Stored> = (0..count).map(item).collect();
            let mut packer = Packer::default();
            items.iter().for_each(|item| packer.add(item));
            let packed = packer.pack();
            assert_eq!(unpack(&packed.clone().into()).unwrap(), items);
            assert_eq!(packer.counted().0, items.len() as u64);
            for seed in 0..1_000 {
                let random = Random::seeded(seed);
                let mut damaged = packed.clone();
                let at = random.below(damaged.len() as u64) as usize;
                match random.below(2) {
                    0 => damaged[at] = random.u64() as u8,
                    _ => damaged.truncate(at),
                }
                let is_cut = damaged.len() < packed.len();
                let read = unpack(&damaged.into());
                assert!(!is_cut || read.is_err() || items.is_empty(), "seed {seed}: what was cut off is missed");
            }
        }
    }
}
