//! A pull parser for CBOR. Lengths are never believed before the bytes are there, so that a short body cannot ask for much memory.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{BREAK, TAG_EPOCH, major};
use crate::reader::DEPTH_MAX;
use crate::{Malformed, Member, Schema, Source, document, text};

/// Pulls values out of CBOR.
pub struct CborSource<'a> {
    /// The whole body, so that blobs can be parts of it and no copies.
    body: &'a Bytes,
    at: usize,
    open: Vec<Left>,
}

/// How many entries or items are left in a composite.
#[derive(Clone, Copy, Debug)]
enum Left {
    Known(u64),
    /// Until a break.
    Open,
    /// An empty body, read as an empty structure.
    Imagined,
}

/// The head of a value: its major type, and the number that comes with it.
#[derive(Clone, Copy, Debug)]
struct Head {
    major: u8,
    /// The low five bits.
    info: u8,
    value: u64,
}

impl<'a> CborSource<'a> {
    /// Reads from a body.
    pub fn new(body: &'a Bytes) -> Self {
        Self { body, at: 0, open: Vec::new() }
    }

    /// Refuses what stands behind the value.
    pub fn finish(&self) -> Result<(), Malformed> {
        if self.at == self.body.len() { Ok(()) } else { Err(self.expected("the end")) }
    }

    fn expected(&self, expected: &'static str) -> Malformed {
        Malformed::Syntax { at: self.at, expected }
    }

    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn take(&mut self, count: u64) -> Result<std::ops::Range<usize>, Malformed> {
        let end = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count));
        let end = end.filter(|end| *end <= self.body.len()).ok_or_else(|| self.expected("more bytes"))?;
        let range = self.at..end;
        self.at = end;
        Ok(range)
    }

    fn head(&mut self) -> Result<Head, Malformed> {
        let first = self.peek().ok_or_else(|| self.expected("a value"))?;
        self.at += 1;
        let (major, info) = (first >> 5, first & 31);
        let width = match info {
            0..24 => return Ok(Head { major, info, value: info.into() }),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            31 if (major::BYTES..=major::MAP).contains(&major) => return Ok(Head { major, info, value: 0 }),
            _ => return Err(self.expected("a value")),
        };
        let range = self.take(width)?;
        let value = self.body[range].iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        Ok(Head { major, info, value })
    }

    /// The next head that is not a tag, and whether a timestamp's tag stood before it.
    fn untagged(&mut self) -> Result<(Head, bool), Malformed> {
        let mut is_epoch = false;
        for _ in 0..DEPTH_MAX {
            let head = self.head()?;
            if head.major != major::TAG {
                return Ok((head, is_epoch));
            }
            is_epoch = head.value == TAG_EPOCH;
        }
        Err(Malformed::TooDeep { limit: DEPTH_MAX })
    }

    fn mismatch(head: Head, wanted: &'static str) -> Malformed {
        let found = match (head.major, head.info) {
            (major::UNSIGNED | major::NEGATIVE, _) => "NUMBER_VALUE",
            (major::BYTES, _) => "BLOB_VALUE",
            (major::TEXT, _) => "STRING_VALUE",
            (major::ARRAY, _) => return Malformed::UnexpectedList,
            (major::MAP, _) => return Malformed::UnexpectedStructure,
            (_, 20) => "FALSE_VALUE",
            (_, 21) => "TRUE_VALUE",
            (_, 22 | 23) => "null",
            _ => "NUMBER_VALUE",
        };
        Malformed::Type { found, wanted }
    }

    /// The bytes of a byte or text string, whose head was taken.
    fn string_bytes(&mut self, head: Head) -> Result<Bytes, Malformed> {
        if head.info != 31 {
            return self.take(head.value).map(|range| self.body.slice(range));
        }
        let mut all = Vec::new();
        while self.peek() != Some(BREAK) {
            let chunk = self.head()?;
            if chunk.major != head.major || chunk.info == 31 {
                return Err(self.expected("a chunk of the same kind"));
            }
            let range = self.take(chunk.value)?;
            all.extend_from_slice(&self.body[range]);
        }
        self.at += 1;
        Ok(all.into())
    }

    fn utf8(&mut self, head: Head, member: &'static str) -> Result<String, Malformed> {
        String::from_utf8(self.string_bytes(head)?.into()).map_err(|_| Malformed::Utf8 { member })
    }

    fn real(head: Head, wanted: &'static str) -> Result<f64, Malformed> {
        match (head.major, head.info) {
            (major::UNSIGNED, _) => Ok(head.value as f64),
            (major::NEGATIVE, _) => Ok(-1.0 - head.value as f64),
            (major::SIMPLE, 25) => Ok(half(head.value as u16)),
            (major::SIMPLE, 26) => Ok(f64::from(f32::from_bits(head.value as u32))),
            (major::SIMPLE, 27) => Ok(f64::from_bits(head.value)),
            _ => Err(Self::mismatch(head, wanted)),
        }
    }

    fn whole(head: Head, wanted: &'static str) -> Result<i64, Malformed> {
        let out_of_range = || Malformed::Range { value: head.value.to_string(), wanted };
        match head.major {
            major::UNSIGNED => i64::try_from(head.value).map_err(|_| out_of_range()),
            major::NEGATIVE => i64::try_from(head.value).map(|value| !value).map_err(|_| out_of_range()),
            _ => {
                let real = Self::real(head, wanted)?;
                let fits = real.fract() == 0.0 && real.abs() < 9e15;
                if fits { Ok(real as i64) } else { Err(Malformed::Range { value: real.to_string(), wanted }) }
            }
        }
    }

    fn begin(&mut self, major: u8, wrong: Malformed) -> Result<(), Malformed> {
        let (head, _) = self.untagged()?;
        if head.major != major {
            return Err(match head.major {
                major::ARRAY => Malformed::UnexpectedList,
                major::MAP => Malformed::UnexpectedStructure,
                _ => wrong,
            });
        }
        self.open.push(if head.info == 31 { Left::Open } else { Left::Known(head.value) });
        Ok(())
    }

    /// Whether another part follows in the innermost composite, which is left if not.
    fn step(&mut self) -> bool {
        let more = match self.open.last_mut() {
            Some(Left::Known(0) | Left::Imagined) | None => false,
            Some(Left::Known(left)) => {
                *left -= 1;
                true
            }
            Some(Left::Open) => {
                let ended = self.peek() == Some(BREAK);
                self.at += usize::from(ended);
                !ended
            }
        };
        if !more {
            self.open.pop();
        }
        more
    }

    fn any(&mut self, depth: usize) -> Result<Value, Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed::TooDeep { limit: DEPTH_MAX });
        }
        let (head, _) = self.untagged()?;
        Ok(match (head.major, head.info) {
            (major::UNSIGNED, _) => head.value.into(),
            (major::NEGATIVE, _) => match i64::try_from(head.value) {
                Ok(value) => (!value).into(),
                Err(_) => document::number(Self::real(head, "a Double")?),
            },
            (major::BYTES, _) => {
                use base64::Engine;
                base64::engine::general_purpose::STANDARD.encode(self.string_bytes(head)?).into()
            }
            (major::TEXT, _) => self.utf8(head, "document")?.into(),
            (major::ARRAY, info) => {
                self.open.push(if info == 31 { Left::Open } else { Left::Known(head.value) });
                let mut items = Vec::new();
                while self.step() {
                    items.push(self.any(depth + 1)?);
                }
                items.into()
            }
            (major::MAP, info) => {
                self.open.push(if info == 31 { Left::Open } else { Left::Known(head.value) });
                let mut map = Map::new();
                while self.step() {
                    let (key, _) = self.untagged()?;
                    let key = if key.major == major::TEXT {
                        self.utf8(key, "key")?
                    } else {
                        return Err(self.expected("a text"));
                    };
                    let value = self.any(depth + 1)?;
                    map.insert(key, value);
                }
                map.into()
            }
            (_, 20) => false.into(),
            (_, 21) => true.into(),
            (_, 22 | 23) => Value::Null,
            _ => document::number(Self::real(head, "a Double")?),
        })
    }

    /// Takes a key.
    fn key(&mut self) -> Result<String, Malformed> {
        let (head, _) = self.untagged()?;
        if head.major == major::TEXT { self.utf8(head, "key") } else { Err(Self::mismatch(head, "a String")) }
    }
}

/// A 16-bit floating-point number.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3FF));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

impl Source for CborSource<'_> {
    fn take_null(&mut self) -> Result<bool, Malformed> {
        let is_null = matches!(self.peek(), Some(0xF6 | 0xF7));
        self.at += usize::from(is_null);
        Ok(is_null)
    }

    fn boolean(&mut self, _at: &'static Member) -> Result<bool, Malformed> {
        let (head, _) = self.untagged()?;
        match (head.major, head.info) {
            (major::SIMPLE, 20) => Ok(false),
            (major::SIMPLE, 21) => Ok(true),
            _ => Err(Self::mismatch(head, "a Boolean")),
        }
    }

    fn integer(&mut self, _at: &'static Member) -> Result<i64, Malformed> {
        let (head, _) = self.untagged()?;
        Self::whole(head, "an Integer")
    }

    fn double(&mut self, _at: &'static Member) -> Result<f64, Malformed> {
        let (head, _) = self.untagged()?;
        Self::real(head, "a Double")
    }

    fn string(&mut self, at: &'static Member) -> Result<String, Malformed> {
        let (head, _) = self.untagged()?;
        if head.major == major::TEXT { self.utf8(head, at.name) } else { Err(Self::mismatch(head, "a String")) }
    }

    fn blob(&mut self, _at: &'static Member) -> Result<Bytes, Malformed> {
        let (head, _) = self.untagged()?;
        if head.major == major::BYTES { self.string_bytes(head) } else { Err(Self::mismatch(head, "a Blob")) }
    }

    fn timestamp(&mut self, _at: &'static Member) -> Result<Timestamp, Malformed> {
        let (head, _) = self.untagged()?;
        text::timestamp_from_seconds(Self::real(head, "a Timestamp")?)
    }

    fn document(&mut self, _at: &'static Member) -> Result<Value, Malformed> {
        self.any(self.open.len())
    }

    fn skip(&mut self) -> Result<(), Malformed> {
        self.any(self.open.len()).map(|_| ())
    }

    fn begin_structure(&mut self, _schema: &'static Schema) -> Result<(), Malformed> {
        if self.open.is_empty() && self.body.is_empty() {
            self.open.push(Left::Imagined);
            return Ok(());
        }
        self.begin(major::MAP, Malformed::NoStructure)
    }

    fn next_member(&mut self, schema: &'static Schema) -> Result<Option<usize>, Malformed> {
        while self.step() {
            let key = self.key()?;
            let known = schema.members().iter().position(|at| at.wire == key);
            match known {
                Some(index) => return Ok(Some(index)),
                None => self.skip()?,
            }
        }
        Ok(None)
    }

    fn begin_list(&mut self, _at: &'static Member) -> Result<(), Malformed> {
        self.begin(major::ARRAY, Malformed::NoList)
    }

    fn next_item(&mut self, _at: &'static Member) -> Result<bool, Malformed> {
        Ok(self.step())
    }

    fn begin_map(&mut self, _at: &'static Member) -> Result<(), Malformed> {
        self.begin(major::MAP, Malformed::NoMap)
    }

    fn next_key(&mut self, _at: &'static Member) -> Result<Option<String>, Malformed> {
        if self.step() { self.key().map(Some) } else { Ok(None) }
    }
}
