//! Values between delimiters, after RFC 4180: a value in quotes may hold delimiters, ends of lines, and quotes that are written twice. All
//! values are texts, but those of keys, which are of the keys' types.

use std::collections::HashMap;
use std::io::{self, BufRead};

use item::{Item, Value, json};

use super::{RECORD_BYTES_MAX, Record, too_long};
use crate::model::{Attribute, Kind};

/// Which columns are not texts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns(HashMap<String, Kind>);

impl Columns {
    pub(crate) fn new(keys: &[Attribute]) -> Self {
        Self(keys.iter().map(|key| (key.name.clone(), key.kind)).collect())
    }

    fn value(&self, name: &str, text: String) -> Result<Value, String> {
        match self.0.get(name) {
            Some(Kind::S) | None => Ok(Value::S(text)),
            Some(Kind::N) => Value::number(text.trim()).map_err(|_| format!("The value of {name} is not a number")),
            Some(Kind::B) => {
                json::read(&serde_json::json!({ "B": text })).map_err(|_| format!("The value of {name} is not Base64"))
            }
        }
    }
}

/// Reads records.
pub(crate) struct Reader {
    delimiter: u8,
    header: Option<Vec<String>>,
    columns: Columns,
}

/// Where in a value the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Begin,
    Plain,
    Quoted,
    /// Behind a quote in a quoted value: its end, or the first of two.
    Quote,
}

/// A record as it stands there.
enum Row {
    Values(Vec<Vec<u8>>),
    TooLong,
}

impl Reader {
    pub(crate) fn new(delimiter: char, header: Option<Vec<String>>, columns: Columns) -> Self {
        // The wire takes none that is longer than a byte.
        Self { delimiter: u8::try_from(delimiter).unwrap_or(b','), header, columns }
    }

    pub(crate) fn next(&mut self, input: &mut impl BufRead, bytes: &mut u64) -> io::Result<Option<Record>> {
        loop {
            let Some(row) = self.row(input, bytes)? else { return Ok(None) };
            let Row::Values(values) = row else { return Ok(Some(Err(too_long()))) };
            let texts: Result<Vec<String>, _> = values.into_iter().map(String::from_utf8).collect();
            let Ok(texts) = texts else { return Ok(Some(Err("The record is not UTF-8".to_owned()))) };
            match &self.header {
                None => self.header = Some(texts),
                Some(header) => return Ok(Some(self.item(header, texts))),
            }
        }
    }

    fn item(&self, header: &[String], texts: Vec<String>) -> Record {
        if texts.len() != header.len() {
            return Err(format!("The record has {} values, and the header {}", texts.len(), header.len()));
        }
        let value = |(name, text): (&String, String)| Ok((name.clone(), self.columns.value(name, text)?));
        header.iter().zip(texts).map(value).collect::<Result<Item, String>>()
    }

    /// The next record that is not an empty line.
    fn row(&self, input: &mut impl BufRead, count: &mut u64) -> io::Result<Option<Row>> {
        let (mut values, mut value, mut at) = (Vec::new(), Vec::new(), At::Begin);
        let mut length = 0;
        loop {
            let found = input.fill_buf()?;
            if found.is_empty() {
                let is_nothing = values.is_empty() && value.is_empty() && at == At::Begin;
                return Ok((!is_nothing).then(|| row(values, value, length)));
            }
            let (mut used, mut is_end) = (0, false);
            for byte in found {
                used += 1;
                // What is too long is walked through, and not kept.
                length += 1;
                let is_kept = length <= RECORD_BYTES_MAX;
                let keep = |value: &mut Vec<u8>| {
                    if is_kept {
                        value.push(*byte);
                    }
                };
                at = match (at, *byte) {
                    (At::Begin, b'"') => At::Quoted,
                    (At::Begin | At::Plain | At::Quote, byte) if byte == self.delimiter => {
                        values.push(std::mem::take(&mut value));
                        At::Begin
                    }
                    (At::Begin | At::Plain | At::Quote, b'\n') => {
                        if value.last() == Some(&b'\r') {
                            value.pop();
                        }
                        if values.is_empty() && value.is_empty() && at != At::Quote {
                            length = 0;
                            At::Begin
                        } else {
                            is_end = true;
                            break;
                        }
                    }
                    (At::Quoted, b'"') => At::Quote,
                    (At::Quote, b'"') | (At::Quoted, _) => {
                        keep(&mut value);
                        At::Quoted
                    }
                    (At::Begin | At::Plain, _) => {
                        keep(&mut value);
                        At::Plain
                    }
                    // What stands behind the quotes belongs to the value, whatever it is.
                    (At::Quote, _) => {
                        keep(&mut value);
                        At::Plain
                    }
                };
            }
            input.consume(used);
            *count += used as u64;
            if is_end {
                return Ok(Some(row(values, value, length)));
            }
        }
    }
}

fn row(mut values: Vec<Vec<u8>>, last: Vec<u8>, length: usize) -> Row {
    if length > RECORD_BYTES_MAX {
        return Row::TooLong;
    }
    values.push(last);
    Row::Values(values)
}
