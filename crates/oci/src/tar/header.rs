//! One header block, taken apart.

use super::sparse::{self, Part};
use crate::error::ArchiveFault;

/// Everything in an archive comes in blocks of this size.
pub(super) const BLOCK: usize = 512;

/// A header whose sum is right.
pub(super) struct Header(Box<[u8; BLOCK]>);

impl Header {
    pub(super) fn new(block: Box<[u8; BLOCK]>) -> Result<Self, ArchiveFault> {
        // The field of the sum itself counts as spaces. Some old writers added signed bytes.
        let counted = block[..148].iter().chain(&[b' '; 8]).chain(&block[156..]);
        let (mut unsigned, mut signed) = (0i64, 0i64);
        for byte in counted {
            unsigned += i64::from(*byte);
            signed += i64::from(byte.cast_signed());
        }
        match number(&block[148..156]) {
            Some(sum) if sum == unsigned || sum == signed => Ok(Self(block)),
            Some(_) | None => Err(ArchiveFault::Checksum),
        }
    }

    /// The letter that says what it is.
    pub(super) fn kind(&self) -> u8 {
        self.0[156]
    }

    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        // In GNU's own form that place has other things.
        let prefix = if &self.0[257..263] == b"ustar\0" { text(&self.0[345..500]) } else { b"" };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    pub(super) fn link(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub(super) fn mode(&self) -> Result<u32, ArchiveFault> {
        // Some writers put the kind of file above the permissions.
        self.number(100..108, "mode").map(|mode| u32::try_from(mode & 0o7777).unwrap_or_default())
    }

    pub(super) fn size(&self) -> Result<u64, ArchiveFault> {
        let size = self.number(124..136, "size")?;
        u64::try_from(size).map_err(|_| ArchiveFault::Number("size"))
    }

    pub(super) fn modified(&self) -> Result<i64, ArchiveFault> {
        self.number(136..148, "time")
    }

    /// The beginning of a sparse file's map, in GNU's own form.
    pub(super) fn sparse_parts(&self) -> Result<Vec<Part>, ArchiveFault> {
        let mut parts = Vec::new();
        sparse::take_pairs(&self.0[386..482], &mut parts)?;
        Ok(parts)
    }

    /// True if the map goes on in blocks of its own.
    pub(super) fn sparse_goes_on(&self) -> bool {
        self.0[482] != 0
    }

    /// A sparse file's size with its holes.
    pub(super) fn real_size(&self) -> Result<u64, ArchiveFault> {
        u64::try_from(self.number(483..495, "size")?).map_err(|_| ArchiveFault::Number("size"))
    }

    fn number(&self, at: std::ops::Range<usize>, what: &'static str) -> Result<i64, ArchiveFault> {
        number(&self.0[at]).ok_or(ArchiveFault::Number(what))
    }
}

/// A text field up to its first zero.
fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

/// A number in a field: octal digits, or, where the first bit is set, the bytes themselves. An empty field is zero.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    let first = *field.first()?;
    if first & 0x80 != 0 {
        // The second bit is the sign.
        let start = if first & 0x40 != 0 { -1 } else { 0 };
        let head = (first & 0x3f) | if start < 0 { 0xc0 } else { 0 };
        let mut value: i128 = start;
        for byte in std::iter::once(&head).chain(&field[1..]) {
            value = (value << 8) | i128::from(*byte);
            if !(i128::from(i64::MIN)..=i128::from(i64::MAX)).contains(&value) {
                return None;
            }
        }
        return i64::try_from(value).ok();
    }
    let is_filler = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !is_filler(byte)).unwrap_or(field.len());
    let digits = &field[start..];
    let end = digits.iter().position(is_filler).unwrap_or(digits.len());
    if !digits[end..].iter().all(is_filler) {
        return None;
    }
    digits[..end].iter().try_fold(0i64, |value, byte| match byte {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(byte - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_read_in_both_forms() {
        for (field, expected) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"00000000000 ", Some(0)),
            (b"77777777777\0", Some(0o77_777_777_777)),
            (b"\0\0\0\0", Some(0)),
            (b"644\0x", None),
            (b"689", None),
            (b"-1", None),
            (b"\x80\0\0\x01", Some(1)),
            (b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", Some(i64::MAX)),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None),
            (b"\xff\xff\xff\xff", Some(-1)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"", None),
        ] {
            assert_eq!(number(field), expected, "{field:?}");
        }
    }
}
