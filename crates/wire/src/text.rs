//! Scalars as text: numbers, timestamps, and the two ways in which shapes are printed for people.

use std::fmt;
use std::fmt::Write as _;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::Value;

use crate::reader::Malformed;
use crate::schema::{Kind, TimestampFormat};
use crate::writer::present;
use crate::{Entries, Items, Member, Shape, Writer, Written};

/// A floating-point number as AWS's text formats write it: the shortest digits, `NaN`, `Infinity`, `-Infinity`.
pub fn double(value: f64) -> String {
    special(value).map_or_else(|| format!("{value:?}"), str::to_owned)
}

/// The same of 32 bits, which has fewer digits.
pub fn float(value: f32) -> String {
    special(f64::from(value)).map_or_else(|| format!("{value:?}"), str::to_owned)
}

/// The words for what is no number.
pub fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        None
    }
}

/// Reads a number, or one of the words for what is none.
pub fn parse_double(text: &str) -> Result<f64, Malformed> {
    match text {
        "NaN" => Ok(f64::NAN),
        "Infinity" => Ok(f64::INFINITY),
        "-Infinity" => Ok(f64::NEG_INFINITY),
        // Rust would take `inf`, `infinity` and `nan` in any case.
        _ if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E')) => {
            text.parse().map_err(|_| not_a(text, "a Double"))
        }
        _ => Err(not_a(text, "a Double")),
    }
}

/// Reads a whole number.
pub fn parse_integer(text: &str) -> Result<i64, Malformed> {
    text.parse().map_err(|_| not_a(text, "an Integer"))
}

/// Reads `true` or `false`.
pub fn parse_boolean(text: &str) -> Result<bool, Malformed> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(not_a(text, "a Boolean")),
    }
}

fn not_a(text: &str, wanted: &'static str) -> Malformed {
    Malformed::Range { value: Malformed::quote(text), wanted }
}

/// A point in time as text, to the millisecond.
pub fn timestamp(value: Timestamp, format: TimestampFormat) -> String {
    match format {
        TimestampFormat::Unix => match unix(value) {
            (seconds, 0) => seconds.to_string(),
            (seconds, millis) => {
                let (sign, all) =
                    if seconds < 0 { ("-", -(seconds * 1000 + millis)) } else { ("", seconds * 1000 + millis) };
                let text = format!("{sign}{}.{:03}", all / 1000, all % 1000);
                text.trim_end_matches('0').to_owned()
            }
        },
        TimestampFormat::Iso8601 => {
            let (seconds, millis) = unix(value);
            Timestamp::from_millisecond(seconds * 1000 + millis).unwrap_or(value).to_string()
        }
        TimestampFormat::Rfc822 => {
            rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&value).unwrap_or_else(|_| value.to_string())
        }
    }
}

/// Seconds since 1970, and milliseconds from there on.
pub(crate) fn unix(value: Timestamp) -> (i64, i64) {
    let millis = value.as_nanosecond().div_euclid(1_000_000) as i64;
    (millis.div_euclid(1000), millis.rem_euclid(1000))
}

/// Reads a point in time in whichever of the forms it has; clients are not strict about the one that the model names.
pub fn parse_timestamp(text: &str, form: TimestampFormat) -> Result<Timestamp, Malformed> {
    if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E')) {
        return timestamp_from_seconds(parse_double(text)?);
    }
    if let Ok(value) = text.parse() {
        return Ok(value);
    }
    parse_rfc822(text).ok_or_else(|| Malformed::Timestamp { value: Malformed::quote(text), form: name(form) })
}

/// A point in time from seconds since 1970, to the millisecond.
pub fn timestamp_from_seconds(seconds: f64) -> Result<Timestamp, Malformed> {
    let millis = (seconds * 1000.0).round();
    let fits = millis.is_finite() && millis.abs() < i64::MAX as f64;
    let parsed = if fits { Timestamp::from_millisecond(millis as i64).ok() } else { None };
    parsed.ok_or_else(|| Malformed::Timestamp { value: seconds.to_string(), form: name(TimestampFormat::Unix) })
}

/// `Fri, 12 Apr 1985 23:20:50 GMT`, with or without a fraction of the second.
fn parse_rfc822(text: &str) -> Option<Timestamp> {
    let (whole, nanos) = match text.split_once('.') {
        Some((head, tail)) => {
            let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
            let fraction = tail.get(..digits.min(9))?;
            let nanos = format!("{fraction:0<9}").parse::<i64>().ok()?;
            (format!("{head}{}", &tail[digits..]), nanos)
        }
        None => (text.to_owned(), 0),
    };
    let value = rfc2822::DateTimeParser::new().parse_timestamp(&whole).ok()?;
    value.checked_add(jiff::SignedDuration::from_nanos(nanos)).ok()
}

fn name(format: TimestampFormat) -> &'static str {
    match format {
        TimestampFormat::Iso8601 => "date-time",
        TimestampFormat::Rfc822 => "http-date",
        TimestampFormat::Unix => "epoch-seconds",
    }
}

/// Prints a shape for logs and tests: only what is there, and no secret.
pub fn debug(shape: &dyn Shape, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = Java { out: String::new() };
    text.shape(shape, shape.schema().name);
    f.write_str(&text.out)
}

/// Prints values as Java's `toString` does, which is how AWS quotes lists and maps in faults.
pub(crate) struct Java {
    out: String,
}

impl Java {
    /// `[a, b]`.
    pub(crate) fn list(items: &dyn Items, at: &'static Member) -> String {
        let mut text = Self { out: String::new() };
        text.items(items, at);
        text.out
    }

    /// `{a=1, b=2}`.
    pub(crate) fn map(entries: &dyn Entries, at: &'static Member) -> String {
        let mut text = Self { out: String::new() };
        text.entries(entries, at);
        text.out
    }

    fn shape(&mut self, shape: &dyn Shape, name: &str) {
        self.out.push_str(name);
        self.out.push('(');
        for (index, (at, value)) in present(shape).enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.out.push_str(at.name);
            self.out.push('=');
            self.value(at, value);
        }
        self.out.push(')');
    }

    fn items(&mut self, items: &dyn Items, at: &'static Member) {
        self.out.push('[');
        for index in 0..items.count() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.value(at, items.item(index));
        }
        self.out.push(']');
    }

    fn entries(&mut self, entries: &dyn Entries, at: &'static Member) {
        self.out.push('{');
        let mut first = true;
        entries.each(&mut |key, value| {
            if !std::mem::take(&mut first) {
                self.out.push_str(", ");
            }
            self.out.push_str(key);
            self.out.push('=');
            self.value(at, value);
        });
        self.out.push('}');
    }

    fn value(&mut self, at: &'static Member, value: &dyn Written) {
        if at.target.sensitive {
            self.out.push_str("***Sensitive Data Redacted***");
        } else {
            value.write(self, at);
        }
    }

    fn print(&mut self, value: impl fmt::Display) {
        write!(self.out, "{value}").expect("a string takes what is written");
    }
}

impl Writer for Java {
    fn null(&mut self, _at: &'static Member) {
        self.out.push_str("null");
    }

    fn boolean(&mut self, _at: &'static Member, value: bool) {
        self.print(value);
    }

    fn integer(&mut self, _at: &'static Member, value: i64) {
        self.print(value);
    }

    fn float(&mut self, _at: &'static Member, value: f32) {
        self.print(float(value));
    }

    fn double(&mut self, _at: &'static Member, value: f64) {
        self.print(double(value));
    }

    fn string(&mut self, _at: &'static Member, value: &str) {
        self.out.push_str(value);
    }

    fn blob(&mut self, _at: &'static Member, value: &Bytes) {
        self.print(format_args!("<{} bytes>", value.len()));
    }

    fn timestamp(&mut self, _at: &'static Member, value: Timestamp) {
        self.print(value);
    }

    fn document(&mut self, _at: &'static Member, value: &Value) {
        self.print(value);
    }

    fn structure(&mut self, _at: &'static Member, value: &dyn Shape) {
        self.shape(value, value.schema().name);
    }

    fn list(&mut self, at: &'static Member, value: &dyn Items) {
        if let Kind::List(item) = at.target.kind {
            self.items(value, item);
        }
    }

    fn map(&mut self, at: &'static Member, value: &dyn Entries) {
        if let Kind::Map { value: held, .. } = at.target.kind {
            self.entries(value, held);
        }
    }
}
