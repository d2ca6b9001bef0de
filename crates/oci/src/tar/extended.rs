//! What headers before a header say of an entry: POSIX's records (`LENGTH KEY=VALUE`), and GNU's long names.

use super::header::Header;
use super::sparse::{self, Part};
use crate::error::ArchiveFault;

/// The most that one extended header may have: room for a sparse file's map, and for attributes that nobody reads here.
pub(super) const BYTES_MAX: u64 = 1 << 20;

/// All that was said before an entry. A later word on the same thing counts; POSIX's count more than GNU's, and those more than the
/// entry's own.
#[derive(Default)]
pub(super) struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) modified: Option<(i64, u32)>,
    pub(super) gnu_path: Option<Vec<u8>>,
    pub(super) gnu_link: Option<Vec<u8>>,
    pub(super) sparse: Sparse,
}

/// What is said of a sparse file.
#[derive(Default)]
pub(super) struct Sparse {
    pub(super) name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
    pub(super) parts: Option<Vec<Part>>,
    /// The offset of a part whose length comes next.
    offset: Option<u64>,
    major: Option<u64>,
    minor: Option<u64>,
}

impl Sparse {
    /// True for the form whose map begins the data.
    pub(super) fn is_map_in_data(&self) -> bool {
        self.major == Some(1) && self.minor == Some(0)
    }
}

impl Extended {
    pub(super) fn path(&self, header: &Header) -> Vec<u8> {
        self.path.clone().or_else(|| self.gnu_path.clone()).unwrap_or_else(|| header.path())
    }

    pub(super) fn link(&self, header: &Header) -> Vec<u8> {
        self.link.clone().or_else(|| self.gnu_link.clone()).unwrap_or_else(|| header.link())
    }

    /// Takes in one extended header.
    pub(super) fn take_records(&mut self, mut text: &[u8]) -> Result<(), ArchiveFault> {
        while !text.is_empty() {
            let (key, value, rest) = record(text).ok_or(ArchiveFault::Extended)?;
            self.take(key, value)?;
            text = rest;
        }
        Ok(())
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), ArchiveFault> {
        // A record without a value takes back what an earlier one said.
        let name = || match value {
            [] => Ok(None),
            name if name.contains(&0) => Err(ArchiveFault::Extended),
            name => Ok(Some(name.to_vec())),
        };
        let number = || match value {
            [] => Ok(None),
            digits => sparse::decimal(digits).map(Some).ok_or(ArchiveFault::Extended),
        };
        match key {
            b"path" => self.path = name()?,
            b"linkpath" => self.link = name()?,
            b"size" => self.size = number()?,
            b"mtime" => {
                self.modified = if value.is_empty() { None } else { Some(time(value).ok_or(ArchiveFault::Extended)?) }
            }
            b"GNU.sparse.name" => self.sparse.name = name()?,
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => self.sparse.real_size = number()?,
            b"GNU.sparse.major" => self.sparse.major = number()?,
            b"GNU.sparse.minor" => self.sparse.minor = number()?,
            b"GNU.sparse.offset" => self.sparse.offset = number()?,
            b"GNU.sparse.numbytes" => {
                let offset = self.sparse.offset.take().ok_or(ArchiveFault::Sparse)?;
                let len = number()?.ok_or(ArchiveFault::Sparse)?;
                sparse::push(self.sparse.parts.get_or_insert_default(), Part { offset, len })?;
            }
            b"GNU.sparse.map" => self.sparse.parts = Some(sparse::from_map(value)?),
            _ => {}
        }
        Ok(())
    }
}

/// The first of some records: key, value, and what follows.
fn record(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = text.iter().take(21).position(|byte| *byte == b' ')?;
    let length = usize::try_from(sparse::decimal(&text[..space])?).ok()?;
    let body = text.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    let key = &body[..equals];
    (!key.is_empty()).then(|| (key, &body[equals + 1..], &text[length..]))
}

/// Seconds with a fraction. What is finer than nanoseconds is cut off.
fn time(text: &[u8]) -> Option<(i64, u32)> {
    let (minus, text) = text.strip_prefix(b"-").map_or((false, text), |text| (true, text));
    let dot = text.iter().position(|byte| *byte == b'.').unwrap_or(text.len());
    let seconds = i64::try_from(sparse::decimal(&text[..dot])?).ok()?;
    let fraction = text.get(dot + 1..).unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = fraction.iter().chain(std::iter::repeat(&b'0')).take(9);
    let nanos = digits.fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    Some(match (minus, nanos) {
        (false, nanos) => (seconds, nanos),
        (true, 0) => (-seconds, 0),
        (true, nanos) => (-seconds - 1, 1_000_000_000 - nanos),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_taken_strictly() {
        for (text, expected) in [
            (&b"11 path=ab\n"[..], Some(Some("ab"))),
            (b"11 path=ab\n11 path=cd\n", Some(Some("cd"))),
            (b"11 path=ab\n8 path=\n", Some(None)),
            (b"11 path=ab\n9 path=\n", None),
            (b"13 path=a=b\n\n", Some(Some("a=b\n"))),
            (b"13 other=abc\n", Some(None)),
            (b"", Some(None)),
            (b"11 path=ab", None),
            (b"12 path=ab\n", None),
            (b"10 path=ab\n", None),
            (b"path=ab\n", None),
            (b"0 \n", None),
            (b"3 \n", None),
            (b"6 =ab\n", None),
            (b"11 path=a\0\n", None),
            (b"99999999999999999999 path=ab\n", None),
            (b"-1 path=ab\n", None),
        ] {
            let mut extended = Extended::default();
            let read = extended.take_records(text).ok().map(|()| extended.path);
            let expected = expected.map(|path| path.map(|path| path.as_bytes().to_vec()));
            assert_eq!(read, expected, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn times_have_fractions() {
        for (text, expected) in [
            ("0", Some((0, 0))),
            ("1350244992.023960108", Some((1_350_244_992, 23_960_108))),
            ("1.5", Some((1, 500_000_000))),
            ("1.", Some((1, 0))),
            ("1.0000000019", Some((1, 1))),
            ("-1", Some((-1, 0))),
            ("-1.25", Some((-2, 750_000_000))),
            ("", None),
            (".5", None),
            ("1e3", None),
            ("1.x", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(time(text.as_bytes()), expected, "{text}");
        }
    }
}
