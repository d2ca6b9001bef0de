//! Maps of sparse files: which parts have data. Four forms say the same.

use super::header::{self, BLOCK};
use crate::error::ArchiveFault;

/// The most parts of one file.
const PARTS_MAX: usize = 65_536;

/// A part of a file that has data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) offset: u64,
    pub(super) len: u64,
}

/// Adds a part, if there may be more.
pub(super) fn push(parts: &mut Vec<Part>, part: Part) -> Result<(), ArchiveFault> {
    if parts.len() == PARTS_MAX {
        return Err(ArchiveFault::Long("map of a sparse file"));
    }
    parts.push(part);
    Ok(())
}

/// Takes pairs of 12 bytes each, until one is empty.
pub(super) fn take_pairs(bytes: &[u8], parts: &mut Vec<Part>) -> Result<(), ArchiveFault> {
    for pair in bytes.chunks_exact(24) {
        if pair[0] == 0 {
            break;
        }
        let read = |field: &[u8]| {
            header::number(field).and_then(|number| u64::try_from(number).ok()).ok_or(ArchiveFault::Sparse)
        };
        push(parts, Part { offset: read(&pair[..12])?, len: read(&pair[12..])? })?;
    }
    Ok(())
}

/// Takes a block of pairs; true if another follows.
pub(super) fn take_block(block: &[u8; BLOCK], parts: &mut Vec<Part>) -> Result<bool, ArchiveFault> {
    take_pairs(&block[..504], parts)?;
    Ok(block[504] != 0)
}

/// From `OFFSET,LENGTH,OFFSET,LENGTH,…`.
pub(super) fn from_map(text: &[u8]) -> Result<Vec<Part>, ArchiveFault> {
    let mut parts = Vec::new();
    if text.is_empty() {
        return Ok(parts);
    }
    let mut numbers = text.split(|byte| *byte == b',').map(|digits| decimal(digits).ok_or(ArchiveFault::Sparse));
    while let Some(offset) = numbers.next() {
        let len = numbers.next().ok_or(ArchiveFault::Sparse)?;
        push(&mut parts, Part { offset: offset?, len: len? })?;
    }
    Ok(parts)
}

/// A map in lines of decimal numbers, taken block by block.
#[derive(Default)]
pub(super) struct Text {
    /// Digits of a number that goes on in the next block.
    begun: Vec<u8>,
    pairs: Option<u64>,
    offset: Option<u64>,
    parts: Vec<Part>,
}

impl Text {
    /// Takes a block; true if the map is whole. What follows it in the block is filler.
    pub(super) fn take(&mut self, block: &[u8; BLOCK]) -> Result<bool, ArchiveFault> {
        for byte in block {
            if self.pairs == Some(self.parts.len() as u64) {
                return Ok(true);
            }
            match byte {
                b'\n' => {
                    let number = decimal(&self.begun).ok_or(ArchiveFault::Sparse)?;
                    self.begun.clear();
                    self.number(number)?;
                }
                // Longer than any number.
                _ if self.begun.len() == 20 => return Err(ArchiveFault::Sparse),
                digit => self.begun.push(*digit),
            }
        }
        Ok(self.pairs == Some(self.parts.len() as u64))
    }

    fn number(&mut self, number: u64) -> Result<(), ArchiveFault> {
        match (self.pairs, self.offset.take()) {
            (None, _) if number > PARTS_MAX as u64 => return Err(ArchiveFault::Long("map of a sparse file")),
            (None, _) => self.pairs = Some(number),
            (Some(_), None) => self.offset = Some(number),
            (Some(_), Some(offset)) => push(&mut self.parts, Part { offset, len: number })?,
        }
        Ok(())
    }

    pub(super) fn into_parts(self) -> Vec<Part> {
        self.parts
    }
}

/// Parts that do not overlap, lie within the file and take exactly what is stored; empty ones left out, the last first.
pub(super) fn checked(parts: Vec<Part>, size: u64, stored: u64) -> Result<Vec<Part>, ArchiveFault> {
    let mut end = 0u64;
    let mut sum = 0u64;
    for part in &parts {
        if part.offset < end {
            return Err(ArchiveFault::Sparse);
        }
        end = part.offset.checked_add(part.len).filter(|end| *end <= size).ok_or(ArchiveFault::Sparse)?;
        sum += part.len;
    }
    if sum != stored {
        return Err(ArchiveFault::Sparse);
    }
    Ok(parts.into_iter().filter(|part| part.len > 0).rev().collect())
}

/// Decimal digits and nothing else.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, digit| match digit {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}
