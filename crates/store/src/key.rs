//! Keys: tuples of text, bytes and numbers, encoded so that the order of the bytes is the order of the tuples.
//!
//! A key is not free bytes: it starts with a class and a name, and every part ends where the encoding says, so that the
//! prefix `("fn", "a")` covers `("fn", "a", …)` and never `("fn", "ab")`. The first byte is the class, which decides where
//! an engine keeps it (see [`Class`]).
//!
//! By convention parts follow as service, account, region, kind, name. Names that begin with `_` are the store's own.

use std::borrow::Borrow;
use std::fmt;

use aws_lc_rs::digest;
use bytes::{BufMut, Bytes, BytesMut};

use crate::Error;

/// How long what lies under a key lives. Engines keep classes apart, since each has its own pattern of garbage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Changed in place, kept until deleted: settings, tables, objects.
    Record,
    /// Written once in order, trimmed from its oldest end: logs, streams, outboxes.
    Journal,
    /// Written, read and deleted within moments: messages, timers, leases of work.
    Queue,
}

impl Class {
    /// All classes, in the order of their keys.
    pub const ALL: [Class; 3] = [Class::Record, Class::Journal, Class::Queue];

    pub(crate) fn mark(self) -> u8 {
        match self {
            Class::Record => 0x40,
            Class::Journal => 0x41,
            Class::Queue => 0x42,
        }
    }

    /// The first byte string of the class, and the first one behind it.
    pub(crate) fn bounds(self) -> (Bytes, Bytes) {
        (Bytes::copy_from_slice(&[self.mark()]), Bytes::copy_from_slice(&[self.mark() + 1]))
    }
}

// The marks of parts. 0x00 ends text and 0xff ends prefixes, so neither starts a part. Numbers lie around ZERO: the
// distance says how many bytes follow, so that longer positive numbers sort later and longer negative ones earlier.
const BYTES: u8 = 0x01;
const TEXT: u8 = 0x02;
const DIGEST: u8 = 0x03;
const ID: u8 = 0x04;
const ZERO: u8 = 0x14;
const NUMBER_FIRST: u8 = ZERO - 8;
const NUMBER_LAST: u8 = ZERO + 8;
pub(crate) const AFTER_ALL: u8 = 0xff;

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// A key, or a prefix of keys. Cheap to clone. Ordered as its parts are: numbers by value, text and bytes by their bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Bytes);

impl Key {
    /// The longest encoded key that the store takes: an index row of PostgreSQL holds no more.
    pub const BYTES_MAX: usize = 2_600;

    /// How much of an over-long text [`Key::with_digest`] keeps readable.
    const DIGEST_HEAD: usize = 128;

    /// A key of class [`Class::Record`].
    pub fn new(name: &str) -> Self {
        Self::of(Class::Record, name)
    }

    /// A key of class [`Class::Journal`].
    pub fn journal(name: &str) -> Self {
        Self::of(Class::Journal, name)
    }

    /// A key of class [`Class::Queue`].
    pub fn queue(name: &str) -> Self {
        Self::of(Class::Queue, name)
    }

    /// A key of any class.
    pub fn of(class: Class, name: &str) -> Self {
        let mut out = BytesMut::with_capacity(64);
        out.put_u8(class.mark());
        Self(out.freeze()).with(name)
    }

    /// This key with one more part.
    #[must_use]
    pub fn with(self, part: impl Part) -> Self {
        let mut encoder = Encoder { out: BytesMut::from(self.0) };
        part.encode(&mut encoder);
        Self(encoder.out.freeze())
    }

    /// This key with one more text, which may be of any length: up to `bytes_max` bytes (of UTF-8) it is the same as
    /// [`Key::with`]; beyond, its first bytes and the SHA-256 of all of it. Equal texts give equal keys and different
    /// ones different keys, but among hashed ones the order holds for the first 128 bytes only, and they sort after the others.
    #[must_use]
    pub fn with_digest(self, text: &str, bytes_max: usize) -> Self {
        if text.len() <= bytes_max {
            return self.with(text);
        }
        let mut out = BytesMut::from(self.0);
        out.put_u8(DIGEST);
        put_escaped(&mut out, &text.as_bytes()[..text.floor_char_boundary(Self::DIGEST_HEAD)]);
        out.put_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        Self(out.freeze())
    }

    /// The class.
    pub fn class(&self) -> Class {
        Class::ALL
            .into_iter()
            .find(|class| self.0.first() == Some(&class.mark()))
            .expect("every key starts with a class")
    }

    /// Reads the parts again, the name first.
    pub fn parts(&self) -> Parts<'_> {
        Parts { rest: self.0.get(1..).unwrap_or_default() }
    }

    /// Reads the parts that follow `prefix`; fails if the key does not begin with it.
    pub fn parts_after(&self, prefix: &Key) -> Result<Parts<'_>, Error> {
        match self.starts_with(prefix) {
            true => Ok(Parts { rest: &self.0[prefix.0.len()..] }),
            false => Err(Error::KeyPart { expected: "the key's prefix", found: "another key" }),
        }
    }

    /// Whether this key is `prefix` or has it before its own last parts.
    pub fn starts_with(&self, prefix: &Key) -> bool {
        // After a whole part comes a mark; 0xff would make the part's last zero an escaped one, in the middle of a longer part.
        self.0.starts_with(&prefix.0) && self.0.get(prefix.0.len()) != Some(&AFTER_ALL)
    }

    /// The encoded bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes back what [`Key::as_bytes`] gave: a resume token, a reference. Refuses anything that is not a whole key.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self, Error> {
        let key = Self(bytes.into());
        if !Class::ALL.iter().any(|class| key.0.first() == Some(&class.mark())) {
            return Err(Error::KeyPart { expected: "a class", found: "other bytes" });
        }
        let mut parts = key.parts();
        while parts.next_part()?.is_some() {}
        Ok(key)
    }

    /// For bytes that a driver hands back, which were checked when they went in.
    pub(crate) fn trusted(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.0.len() {
            bytes if bytes > Self::BYTES_MAX => Err(Error::KeyTooLong { bytes, limit: Self::BYTES_MAX }),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `fn/000000000000/eu-west-1/hello`: for people; not unique.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.parts();
        let mut slash = "";
        while let Ok(Some(part)) = parts.next_part() {
            write!(f, "{slash}{part}")?;
            slash = "/";
        }
        Ok(())
    }
}

/// One part of a key, as [`Parts`] reads it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartValue {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
    /// The readable head and the SHA-256 of a text that was too long, see [`Key::with_digest`].
    Digest(String, [u8; 32]),
    /// An id of 16 bytes, such as a UUID.
    Id([u8; 16]),
    /// A number below zero.
    Negative(i64),
    /// Any other number.
    Number(u64),
}

impl PartValue {
    fn name(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "bytes",
            Self::Text(_) => "text",
            Self::Digest(..) => "a digest",
            Self::Id(_) => "an id",
            Self::Negative(_) => "a negative number",
            Self::Number(_) => "a number",
        }
    }
}

impl fmt::Display for PartValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "0x{}", hex::encode(bytes)),
            Self::Text(text) => f.write_str(text),
            Self::Digest(head, sha256) => write!(f, "{head}…{}", hex::encode(&sha256[..4])),
            Self::Id(id) => f.write_str(&hex::encode(id)),
            Self::Negative(number) => write!(f, "{number}"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// Something that can be a part of a key. An id type implements it by handing its inner value on.
pub trait Part {
    /// Writes exactly one part.
    fn encode(&self, encoder: &mut Encoder);
}

/// Writes one part of a key, see [`Part`].
#[derive(Debug)]
pub struct Encoder {
    out: BytesMut,
}

impl Encoder {
    /// Text, ordered by its UTF-8 bytes.
    pub fn text(&mut self, text: &str) {
        self.out.put_u8(TEXT);
        put_escaped(&mut self.out, text.as_bytes());
    }

    /// Bytes of any length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.put_u8(BYTES);
        put_escaped(&mut self.out, bytes);
    }

    /// An id of 16 bytes.
    pub fn id(&mut self, id: &[u8; 16]) {
        self.out.put_u8(ID);
        self.out.put_slice(id);
    }

    /// A number from zero up.
    pub fn number(&mut self, number: u64) {
        let bytes = 8 - number.leading_zeros() as usize / 8;
        self.out.put_u8(ZERO + bytes as u8);
        self.out.put_slice(&number.to_be_bytes()[8 - bytes..]);
    }

    /// Any number.
    pub fn signed(&mut self, number: i64) {
        if let Ok(number) = u64::try_from(number) {
            return self.number(number);
        }
        // Kept as the complement of its size, so that -2 (…fd) sorts before -1 (…fe).
        let bytes = 8 - number.unsigned_abs().leading_zeros() as usize / 8;
        self.out.put_u8(ZERO - bytes as u8);
        self.out.put_slice(&(!number.unsigned_abs()).to_be_bytes()[8 - bytes..]);
    }
}

macro_rules! part {
    ($($type:ty => |$value:ident, $encoder:ident| $write:expr;)*) => {$(
        impl Part for $type {
            fn encode(&self, $encoder: &mut Encoder) {
                let $value = self;
                $write
            }
        }
    )*};
}

part! {
    str => |value, encoder| encoder.text(value);
    String => |value, encoder| encoder.text(value);
    [u8] => |value, encoder| encoder.bytes(value);
    Vec<u8> => |value, encoder| encoder.bytes(value);
    Bytes => |value, encoder| encoder.bytes(value);
    [u8; 16] => |value, encoder| encoder.id(value);
    u64 => |value, encoder| encoder.number(*value);
    u32 => |value, encoder| encoder.number(u64::from(*value));
    u16 => |value, encoder| encoder.number(u64::from(*value));
    i64 => |value, encoder| encoder.signed(*value);
    i32 => |value, encoder| encoder.signed(i64::from(*value));
    crate::Sequence => |value, encoder| encoder.number(value.number());
}

impl<T: Part + ?Sized> Part for &T {
    fn encode(&self, encoder: &mut Encoder) {
        (**self).encode(encoder);
    }
}

/// Reads a key's parts, first to last.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    rest: &'a [u8],
}

impl Parts<'_> {
    /// The next part, whatever it is; none at the end.
    pub fn next_part(&mut self) -> Result<Option<PartValue>, Error> {
        let Some((&mark, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        Ok(Some(match mark {
            BYTES => PartValue::Bytes(self.take_escaped()?),
            TEXT => PartValue::Text(self.take_text()?),
            DIGEST => PartValue::Digest(self.take_text()?, self.take_array()?),
            ID => PartValue::Id(self.take_array()?),
            NUMBER_FIRST..=NUMBER_LAST => self.take_number(mark)?,
            _ => return Err(Error::KeyPart { expected: "a part", found: "other bytes" }),
        }))
    }

    /// The next part, which must be text.
    pub fn text(&mut self) -> Result<String, Error> {
        match self.required("text")? {
            PartValue::Text(text) => Ok(text),
            other => Err(Error::KeyPart { expected: "text", found: other.name() }),
        }
    }

    /// The next part, which must be bytes.
    pub fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        match self.required("bytes")? {
            PartValue::Bytes(bytes) => Ok(bytes),
            other => Err(Error::KeyPart { expected: "bytes", found: other.name() }),
        }
    }

    /// The next part, which must be an id of 16 bytes.
    pub fn id(&mut self) -> Result<[u8; 16], Error> {
        match self.required("an id")? {
            PartValue::Id(id) => Ok(id),
            other => Err(Error::KeyPart { expected: "an id", found: other.name() }),
        }
    }

    /// The next part, which must be a number from zero up.
    pub fn number(&mut self) -> Result<u64, Error> {
        match self.required("a number")? {
            PartValue::Number(number) => Ok(number),
            other => Err(Error::KeyPart { expected: "a number", found: other.name() }),
        }
    }

    /// The next part, which must be a number that fits 64 bits with a sign.
    pub fn signed(&mut self) -> Result<i64, Error> {
        match self.required("a signed number")? {
            PartValue::Negative(number) => Ok(number),
            PartValue::Number(number) => i64::try_from(number)
                .map_err(|_| Error::KeyPart { expected: "a signed number", found: "a larger number" }),
            other => Err(Error::KeyPart { expected: "a signed number", found: other.name() }),
        }
    }

    /// Whether all parts were read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn required(&mut self, expected: &'static str) -> Result<PartValue, Error> {
        self.next_part()?.ok_or(Error::KeyPart { expected, found: "its end" })
    }

    fn take_text(&mut self) -> Result<String, Error> {
        String::from_utf8(self.take_escaped()?).map_err(|_| Error::KeyPart { expected: "text", found: "other bytes" })
    }

    fn take_escaped(&mut self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        loop {
            let cut = Error::KeyPart { expected: "the end of a part", found: "its end" };
            let zero = self.rest.iter().position(|byte| *byte == 0).ok_or(cut)?;
            out.extend_from_slice(&self.rest[..zero]);
            let after = &self.rest[zero + 1..];
            let escaped = after.first() == Some(&AFTER_ALL);
            self.rest = if escaped { &after[1..] } else { after };
            if !escaped {
                return Ok(out);
            }
            out.push(0);
        }
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let cut = Error::KeyPart { expected: "the end of a part", found: "its end" };
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or(cut)?;
        self.rest = rest;
        Ok(*array)
    }

    fn take_number(&mut self, mark: u8) -> Result<PartValue, Error> {
        let count = usize::from(mark.abs_diff(ZERO));
        let wrong = |found| Error::KeyPart { expected: "a number", found };
        let (digits, rest) = self.rest.split_at_checked(count).ok_or(wrong("its end"))?;
        self.rest = rest;
        // The missing upper bytes are zeros, or, in the complement of a negative number, ones.
        let mut wide = if mark < ZERO { [0xff; 8] } else { [0; 8] };
        wide[8 - count..].copy_from_slice(digits);
        let number = u64::from_be_bytes(wide);
        if mark >= ZERO {
            return Ok(PartValue::Number(number));
        }
        let negative = -i128::from(!number);
        i64::try_from(negative).map(PartValue::Negative).map_err(|_| wrong("a smaller number"))
    }
}

/// Zero bytes are followed by 0xff, so that a bare zero ends the part and sorts before anything longer.
fn put_escaped(out: &mut BytesMut, bytes: &[u8]) {
    let mut pieces = bytes.split(|byte| *byte == 0);
    if let Some(first) = pieces.next() {
        out.put_slice(first);
    }
    for piece in pieces {
        out.put_slice(&[0, AFTER_ALL]);
        out.put_slice(piece);
    }
    out.put_u8(0);
}
