//! A pull parser for JSON: values are taken from the text as the shape asks for them, and what it does not know is passed over.
//!
//! Strict about the grammar (RFC 8259), lenient where AWS is: an empty body is an empty structure, nulls are absent members,
//! NaN and the infinities come as text, timestamps as number or text.

use std::borrow::Cow;

use base64::Engine;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::BASE64;
use crate::reader::DEPTH_MAX;
use crate::schema::{Kind, TimestampFormat};
use crate::{Malformed, Member, Schema, Source, text};

/// Pulls values out of JSON text.
pub struct JsonSource<'a> {
    text: &'a str,
    at: usize,
    open: Vec<Open>,
}

/// A composite that was stepped into.
struct Open {
    /// Nothing was taken from it yet, so that no comma stands before what comes next.
    fresh: bool,
    /// Where to look first for the next member: most clients write them in the model's order.
    guess: usize,
    /// It is not in the text: an empty body, read as an empty structure.
    imagined: bool,
}

impl<'a> JsonSource<'a> {
    /// Reads from a body.
    pub fn new(body: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(body)
            .map_err(|error| Malformed::Syntax { at: error.valid_up_to(), expected: "UTF-8" })?;
        Ok(Self { text, at: 0, open: Vec::new() })
    }

    /// Refuses what stands behind the value.
    pub fn finish(&mut self) -> Result<(), Malformed> {
        self.blank();
        if self.at == self.text.len() { Ok(()) } else { Err(self.expected("the end")) }
    }

    fn expected(&self, expected: &'static str) -> Malformed {
        Malformed::Syntax { at: self.at, expected }
    }

    fn blank(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    /// The next byte that is not blank, without taking it.
    fn peek(&mut self) -> Option<u8> {
        self.blank();
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), Malformed> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    fn literal(&mut self, word: &'static str) -> Result<(), Malformed> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.expected("a value"))
        }
    }

    /// The fault for a value of another type than `wanted`.
    fn mismatch(&mut self, wanted: &'static str) -> Malformed {
        let found = match self.peek() {
            Some(b'{') => return Malformed::UnexpectedStructure,
            Some(b'[') => return Malformed::UnexpectedList,
            Some(b'"') => "STRING_VALUE",
            Some(b't') => "TRUE_VALUE",
            Some(b'f') => "FALSE_VALUE",
            Some(b'n') => "null",
            Some(b'-' | b'0'..=b'9') => "NUMBER_VALUE",
            Some(_) | None => return self.expected("a value"),
        };
        Malformed::Type { found, wanted }
    }

    /// Takes a text; borrowed where nothing in it was escaped.
    fn quoted(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.take(b'"', "a text")?;
        let start = self.at;
        let plain = self.plain_length();
        self.at += plain;
        let text = self.text;
        match text.as_bytes().get(self.at) {
            Some(b'"') => {
                self.at += 1;
                Ok(Cow::Borrowed(&text[start..start + plain]))
            }
            Some(b'\\') => self.unescape(&text[start..start + plain]).map(Cow::Owned),
            Some(_) | None => Err(self.expected("the end of a text")),
        }
    }

    /// How many bytes from here on stand for themselves.
    fn plain_length(&self) -> usize {
        let rest = &self.text.as_bytes()[self.at..];
        let plain = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        // Two passes, because both are done many bytes at a time.
        match rest[..plain].iter().any(|byte| *byte < 0x20) {
            true => rest[..plain].iter().position(|byte| *byte < 0x20).unwrap_or(plain),
            false => plain,
        }
    }

    fn unescape(&mut self, plain: &str) -> Result<String, Malformed> {
        let mut out = String::from(plain);
        loop {
            let start = self.at;
            let plain = self.plain_length();
            out.push_str(&self.text[start..start + plain]);
            self.at += plain;
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                Some(_) | None => return Err(self.expected("the end of a text")),
            }
        }
    }

    /// The letter that stands behind a backslash.
    fn escape(&mut self) -> Result<char, Malformed> {
        let letter = match self.text.as_bytes().get(self.at) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                let first = self.four_digits()?;
                return self.code_point(first);
            }
            Some(_) | None => return Err(self.expected("an escape")),
        };
        self.at += 1;
        Ok(letter)
    }

    fn code_point(&mut self, first: u32) -> Result<char, Malformed> {
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.expected("the first half of a letter"));
        }
        if !self.text[self.at..].starts_with("\\u") {
            return Err(self.expected("the second half of a letter"));
        }
        self.at += 2;
        let second = self.four_digits()?;
        let low = second.checked_sub(0xDC00).filter(|low| *low < 0x400);
        let point = low.map(|low| 0x10000 + ((first - 0xD800) << 10) + low);
        point.and_then(char::from_u32).ok_or_else(|| self.expected("the second half of a letter"))
    }

    fn four_digits(&mut self) -> Result<u32, Malformed> {
        let digits = self.text.get(self.at..self.at + 4).filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += if value.is_some() { 4 } else { 0 };
        value.ok_or_else(|| self.expected("four hexadecimal digits"))
    }

    /// Takes a number as it is written.
    fn number(&mut self) -> Result<&'a str, Malformed> {
        self.blank();
        let (text, start) = (self.text, self.at);
        let bytes = text.as_bytes();
        let mut end = start + usize::from(bytes.get(start) == Some(&b'-'));
        let digits = |from: usize| bytes[from.min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
        let whole = digits(end);
        let leading_zero = whole > 1 && bytes[end] == b'0';
        end += whole;
        let mut good = whole > 0 && !leading_zero;
        if bytes.get(end) == Some(&b'.') {
            let fraction = digits(end + 1);
            good &= fraction > 0;
            end += 1 + fraction;
        }
        if let Some(b'e' | b'E') = bytes.get(end) {
            end += 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end);
            good &= exponent > 0;
            end += exponent;
        }
        if !good {
            return Err(self.expected("a number"));
        }
        self.at = end;
        Ok(&text[start..end])
    }

    /// Takes a value of any kind and gives its text.
    fn any(&mut self, depth: usize) -> Result<&'a str, Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed::TooDeep { limit: DEPTH_MAX });
        }
        self.blank();
        let (text, start) = (self.text, self.at);
        match self.peek() {
            Some(b'"') => {
                self.quoted()?;
            }
            Some(b'{') => self.members_of_any(depth)?,
            Some(b'[') => self.items_of_any(depth)?,
            Some(b't') => self.literal("true")?,
            Some(b'f') => self.literal("false")?,
            Some(b'n') => self.literal("null")?,
            Some(_) | None => {
                self.number().map_err(|_| self.expected("a value"))?;
            }
        }
        Ok(&text[start..self.at])
    }

    fn members_of_any(&mut self, depth: usize) -> Result<(), Malformed> {
        self.at += 1;
        let mut fresh = true;
        while self.more(b'}', std::mem::take(&mut fresh))? {
            self.quoted()?;
            self.take(b':', "a colon")?;
            self.any(depth + 1)?;
        }
        Ok(())
    }

    fn items_of_any(&mut self, depth: usize) -> Result<(), Malformed> {
        self.at += 1;
        let mut fresh = true;
        while self.more(b']', std::mem::take(&mut fresh))? {
            self.any(depth + 1)?;
        }
        Ok(())
    }

    /// Whether another part follows before `end`, which is taken if not.
    fn more(&mut self, end: u8, fresh: bool) -> Result<bool, Malformed> {
        match self.peek() {
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !fresh => {
                self.at += 1;
                // A comma promises another part.
                if self.peek() == Some(end) { Err(self.expected("a value")) } else { Ok(true) }
            }
            Some(_) if fresh => Ok(true),
            Some(_) | None => Err(self.expected("a comma or the end")),
        }
    }

    fn begin(&mut self, start: u8, wrong: Malformed) -> Result<(), Malformed> {
        match self.peek() {
            Some(byte) if byte == start => {
                self.at += 1;
                self.open.push(Open { fresh: true, guess: 0, imagined: false });
                Ok(())
            }
            Some(b'{') => Err(Malformed::UnexpectedStructure),
            Some(b'[') => Err(Malformed::UnexpectedList),
            Some(b'"' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9') => Err(wrong),
            Some(_) | None => Err(self.expected("a value")),
        }
    }

    /// Whether another part follows in the innermost composite, which is left if not.
    fn step(&mut self, end: u8) -> Result<bool, Malformed> {
        let Some(open) = self.open.last_mut() else { return Ok(false) };
        let (fresh, imagined) = (std::mem::take(&mut open.fresh), open.imagined);
        let more = !imagined && self.more(end, fresh)?;
        if !more {
            self.open.pop();
        }
        Ok(more)
    }

    /// The member of that name, beginning the search where the last one was found.
    fn find(&mut self, schema: &'static Schema, key: &str) -> Option<usize> {
        let members = schema.members();
        let guess = self.open.last().map_or(0, |open| open.guess).min(members.len());
        let found = (guess..members.len()).chain(0..guess).find(|&index| members[index].wire == key)?;
        if let Some(open) = self.open.last_mut() {
            open.guess = found + 1;
        }
        Some(found)
    }
}

impl Source for JsonSource<'_> {
    fn take_null(&mut self) -> Result<bool, Malformed> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.literal("null").map(|()| true)
    }

    fn boolean(&mut self, _at: &'static Member) -> Result<bool, Malformed> {
        match self.peek() {
            Some(b't') => self.literal("true").map(|()| true),
            Some(b'f') => self.literal("false").map(|()| false),
            Some(_) | None => Err(self.mismatch("a Boolean")),
        }
    }

    fn integer(&mut self, at: &'static Member) -> Result<i64, Malformed> {
        let wanted = if matches!(at.target.kind, Kind::Long) { "a Long" } else { "an Integer" };
        let Some(b'-' | b'0'..=b'9') = self.peek() else { return Err(self.mismatch(wanted)) };
        let number = self.number()?;
        if let Ok(whole) = number.parse() {
            return Ok(whole);
        }
        // Some clients write whole numbers as 3.0 or 1e3.
        let real = number.parse::<f64>().ok().filter(|value| value.fract() == 0.0 && value.abs() < 9e15);
        real.map(|value| value as i64).ok_or_else(|| Malformed::Range { value: Malformed::quote(number), wanted })
    }

    fn double(&mut self, _at: &'static Member) -> Result<f64, Malformed> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => text::parse_double(self.number()?),
            Some(b'"') => {
                let word = self.quoted()?;
                let special = matches!(&*word, "NaN" | "Infinity" | "-Infinity");
                if special {
                    text::parse_double(&word)
                } else {
                    Err(Malformed::Type { found: "STRING_VALUE", wanted: "a Double" })
                }
            }
            Some(_) | None => Err(self.mismatch("a Double")),
        }
    }

    fn string(&mut self, _at: &'static Member) -> Result<String, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.mismatch("a String"));
        }
        self.quoted().map(Cow::into_owned)
    }

    fn blob(&mut self, at: &'static Member) -> Result<Bytes, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.mismatch("a Blob"));
        }
        let text = self.quoted()?;
        BASE64.decode(text.as_bytes()).map(Bytes::from).map_err(|_| Malformed::Base64 { member: at.name })
    }

    fn timestamp(&mut self, at: &'static Member) -> Result<Timestamp, Malformed> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => text::parse_timestamp(self.number()?, TimestampFormat::Unix),
            Some(b'"') => text::parse_timestamp(&self.quoted()?, at.timestamp_format(TimestampFormat::Unix)),
            Some(_) | None => Err(self.mismatch("a Timestamp")),
        }
    }

    fn document(&mut self, at: &'static Member) -> Result<Value, Malformed> {
        let start = self.at;
        let not_json = |_| Malformed::Syntax { at: start, expected: "JSON" };
        if at.json_value {
            let text = self.quoted()?;
            return serde_json::from_str(&text).map_err(not_json);
        }
        let depth = self.open.len();
        serde_json::from_str(self.any(depth)?).map_err(not_json)
    }

    fn skip(&mut self) -> Result<(), Malformed> {
        let depth = self.open.len();
        self.any(depth).map(|_| ())
    }

    fn begin_structure(&mut self, _schema: &'static Schema) -> Result<(), Malformed> {
        if self.open.is_empty() && self.peek().is_none() {
            self.open.push(Open { fresh: true, guess: 0, imagined: true });
            return Ok(());
        }
        self.begin(b'{', Malformed::NoStructure)
    }

    fn next_member(&mut self, schema: &'static Schema) -> Result<Option<usize>, Malformed> {
        while self.step(b'}')? {
            let key = self.quoted()?;
            self.take(b':', "a colon")?;
            match self.find(schema, &key) {
                Some(index) => return Ok(Some(index)),
                None => self.skip()?,
            }
        }
        Ok(None)
    }

    fn begin_list(&mut self, _at: &'static Member) -> Result<(), Malformed> {
        self.begin(b'[', Malformed::NoList)
    }

    fn next_item(&mut self, _at: &'static Member) -> Result<bool, Malformed> {
        self.step(b']')
    }

    fn begin_map(&mut self, _at: &'static Member) -> Result<(), Malformed> {
        self.begin(b'{', Malformed::NoMap)
    }

    fn next_key(&mut self, _at: &'static Member) -> Result<Option<String>, Malformed> {
        if !self.step(b'}')? {
            return Ok(None);
        }
        let key = self.quoted()?.into_owned();
        self.take(b':', "a colon")?;
        Ok(Some(key))
    }
}
