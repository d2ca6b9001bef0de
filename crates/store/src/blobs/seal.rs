//! What stands behind a blob's bytes where it is kept: a sum for every 64 KiB, and a footer.
//!
//! A SHA-256 can only be checked over the whole, so a part of a large blob could not be trusted without reading all of it.
//! With a sum for each chunk any part is checked by what it touches, at some ten times a disk's speed. The sums guard
//! against what disks and memory do, not against people who can write to the folder: the name alone, a SHA-256, does, and
//! the scrub checks that too. They stand in the same file because then one sync makes both durable, and none can be
//! without the other.
//!
//! `bytes, sums (8 bytes each), mark (8), SHA-256 (32), length (8), sum of the footer (8)`; numbers are little-endian. A
//! chunk's sum knows its place, so that chunks that changed places are found.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::BlobId;

/// What one sum is for.
pub(super) const CHUNK: u64 = 64 << 10;

/// What a sealed blob's name ends with: the version of this layout.
pub(super) const SEALED: &str = ".1";

const SUM: u64 = 8;
const MARK: [u8; 8] = *b"blob\r\n\x1a\x01";
const FOOTER: usize = 56;

/// Why kept bytes are not what was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw(pub(super) String);

/// The sums of what is being written, in order.
#[derive(Debug, Default)]
pub(super) struct Sums(Vec<u8>);

impl Sums {
    /// Adds bytes. All but the last time they are a whole number of chunks.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(CHUNK as usize) {
            let number = self.0.len() as u64 / SUM;
            self.0.extend_from_slice(&sum(number, chunk));
        }
    }

    /// What stands behind the bytes.
    pub(super) fn seal(mut self, id: BlobId, len: u64) -> Vec<u8> {
        let footer = self.0.len();
        self.0.extend_from_slice(&MARK);
        self.0.extend_from_slice(id.sha256());
        self.0.extend_from_slice(&len.to_le_bytes());
        let own = sum(0, &self.0[footer..]);
        self.0.extend_from_slice(&own);
        self.0
    }
}

/// Where everything lies in a sealed blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// The blob's own length.
    pub(super) len: u64,
}

/// What has to be read for a part of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// The chunks that the part touches.
    pub(super) chunks: Range<u64>,
    /// Their sums.
    pub(super) sums: Range<u64>,
    /// The part, within the chunks.
    pub(super) part: Range<usize>,
}

impl Layout {
    /// The length of what is behind the sums.
    pub(super) const FOOTER: u64 = FOOTER as u64;

    /// Reads the last [`Layout::FOOTER`] bytes of what holds `kept` bytes altogether.
    pub(super) fn read(footer: &[u8], kept: u64, id: BlobId) -> Result<Self, Flaw> {
        let flaw = |why: &str| Err(Flaw(why.to_owned()));
        let Ok(footer) = <[u8; FOOTER]>::try_from(footer) else { return flaw("it is cut off") };
        let (said, own) = footer.split_at(FOOTER - SUM as usize);
        if said[..8] != MARK || sum(0, said) != own {
            return flaw("its footer is not what was written");
        }
        if said[8..40] != id.sha256()[..] {
            return flaw("it is another blob");
        }
        let len = u64::from_le_bytes(said[40..].try_into().expect("eight bytes are left"));
        match Self::kept(len) == Some(kept) {
            true => Ok(Self { len }),
            false => flaw("it does not have the length that was written"),
        }
    }

    /// What has to be read for a part, which lies within the blob.
    pub(super) fn need(self, part: &Range<u64>) -> Need {
        let (first, end) = (part.start / CHUNK, part.end.div_ceil(CHUNK));
        let chunks = first * CHUNK..self.len.min(end * CHUNK);
        let within = |at: u64| usize::try_from(at - chunks.start).unwrap_or(usize::MAX);
        let part = within(part.start)..within(part.end);
        Need { chunks, sums: self.len + first * SUM..self.len + end * SUM, part }
    }

    /// The length of a blob that takes so much, if it is whole.
    pub(super) fn len_of(kept: u64) -> u64 {
        let rest = kept.saturating_sub(Self::FOOTER);
        rest.saturating_sub(rest.div_ceil(CHUNK + SUM) * SUM)
    }

    /// How much a blob of this length takes.
    fn kept(len: u64) -> Option<u64> {
        len.div_ceil(CHUNK).checked_mul(SUM)?.checked_add(len)?.checked_add(Self::FOOTER)
    }
}

impl Need {
    /// Checks what was read.
    pub(super) fn check(&self, chunks: &[u8], sums: &[u8]) -> Result<(), Flaw> {
        let first = self.chunks.start / CHUNK;
        let mut expected = sums.chunks_exact(SUM as usize);
        for (number, chunk) in (first..).zip(chunks.chunks(CHUNK as usize)) {
            if expected.next() != Some(&sum(number, chunk)) {
                let start = number * CHUNK;
                let end = start + chunk.len() as u64;
                return Err(Flaw(format!("its bytes {start} to {end} are not what was written")));
            }
        }
        Ok(())
    }
}

fn sum(number: u64, bytes: &[u8]) -> [u8; SUM as usize] {
    xxh3_64_with_seed(bytes, number).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A blob of this length, sealed.
    fn sealed(len: usize) -> (BlobId, Vec<u8>) {
        let bytes: Vec<u8> = (0..len).map(|at| (at / 7 + at) as u8).collect();
        let id = BlobId::of(&bytes);
        let mut sums = Sums::default();
        // As it is written: in steps of whole chunks.
        bytes.chunks(3 * CHUNK as usize).for_each(|step| sums.add(step));
        let seal = sums.seal(id, len as u64);
        (id, [bytes, seal].concat())
    }

    fn read(kept: &[u8], id: BlobId, part: Range<u64>) -> Result<Vec<u8>, Flaw> {
        let footer = kept.len().saturating_sub(FOOTER);
        let layout = Layout::read(&kept[footer..], kept.len() as u64, id)?;
        let need = layout.need(&part);
        let slice = |range: &Range<u64>| &kept[range.start as usize..range.end as usize];
        need.check(slice(&need.chunks), slice(&need.sums))?;
        Ok(slice(&need.chunks)[need.part.clone()].to_vec())
    }

    #[test]
    fn parts_are_found_and_checked() {
        let chunk = CHUNK;
        for (len, part) in [
            (0, 0..0),
            (1, 0..1),
            (chunk, 0..chunk),
            (chunk, chunk..chunk),
            (chunk + 1, chunk..chunk + 1),
            (10 * chunk, 3 * chunk - 1..3 * chunk + 1),
            (10 * chunk + 9, 17..10 * chunk + 9),
        ] {
            let (id, kept) = sealed(len as usize);
            let expected = kept[part.start as usize..part.end as usize].to_vec();
            assert_eq!(read(&kept, id, part.clone()), Ok(expected), "{part:?} of {len}");
        }
    }

    /// Whatever single byte is changed, and wherever it is cut: all of it is never read as if nothing were.
    #[test]
    fn every_change_is_seen() {
        let (id, kept) = sealed(CHUNK as usize + 100);
        let len = CHUNK + 100;
        for at in
            (0..kept.len()).step_by(977).chain(CHUNK as usize - 2..CHUNK as usize + 2).chain(len as usize..kept.len())
        {
            let mut damaged = kept.clone();
            damaged[at] ^= 0x10;
            assert!(read(&damaged, id, 0..len).is_err(), "byte {at}");
            assert!(read(&kept[..at], id, 0..len).is_err(), "cut at {at}");
        }
        let mut longer = kept.clone();
        longer.push(0);
        assert!(read(&longer, id, 0..len).is_err());
        assert_eq!(read(&kept, BlobId::of(b"other"), 0..len), Err(Flaw("it is another blob".to_owned())));
        let two = 2 * CHUNK as usize;
        let (id, mut swapped) = sealed(two);
        let (first, rest) = swapped.split_at_mut(CHUNK as usize);
        first.swap_with_slice(&mut rest[..CHUNK as usize]);
        let flaw = Flaw(format!("its bytes 0 to {CHUNK} are not what was written"));
        assert_eq!(read(&swapped, id, 0..two as u64), Err(flaw));
    }

    #[test]
    fn lengths_follow_from_what_is_kept() {
        for len in [0, 1, 7, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 1_000_000_007] {
            assert_eq!(Layout::kept(len).map(Layout::len_of), Some(len));
        }
        // Nothing of it can be trusted, and nothing of it panics.
        for kept in 0..200 {
            assert!(Layout::len_of(kept) <= kept);
        }
    }

    #[test]
    fn a_part_is_trusted_without_the_rest() {
        let (id, mut kept) = sealed(4 * CHUNK as usize);
        kept[CHUNK as usize + 5] ^= 1;
        assert!(read(&kept, id, 2 * CHUNK..3 * CHUNK).is_ok());
        assert!(read(&kept, id, 2 * CHUNK - 1..3 * CHUNK).is_err());
    }
}
