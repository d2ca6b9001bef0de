//! What part of a blob somebody wants, before its length is known.

use std::ops::{Bound, Range, RangeBounds};

use crate::Error;

/// A part of a blob.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    start: Bound<u64>,
    end: Bound<u64>,
    /// The most that may be read.
    max: u64,
}

impl Wish {
    pub(super) fn new(range: &impl RangeBounds<u64>, max: u64) -> Self {
        Self { start: range.start_bound().cloned(), end: range.end_bound().cloned(), max }
    }

    /// The part of a blob of this length.
    pub(super) fn within(&self, len: u64) -> Result<Range<u64>, Error> {
        let start = match self.start {
            Bound::Included(start) => start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match self.end {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => end,
            Bound::Unbounded => len,
        };
        if start > end || end > len {
            return Err(Error::BlobRange { start, end, len });
        }
        match end - start <= self.max {
            true => Ok(start..end),
            false => Err(Error::BlobTooLong { limit: base::ByteSize(self.max) }),
        }
    }
}
