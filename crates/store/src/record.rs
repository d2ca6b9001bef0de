//! Records: what a value is on disk. A record says its own kind and version before its body, in JSON:
//! `function/2 {"name":"hello",…}`, so that a person can read a dump, a newer program reads what an older one wrote, and
//! an older one refuses what a newer one wrote instead of guessing.
//!
//! Bytes do not belong into a record (JSON makes them four times as long): encode them as base64 text, or put a blob.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;

/// A shape that is kept on disk. Not the working model: services convert by hand, so that a model may change freely.
pub trait Record: Serialize + DeserializeOwned {
    /// What it is, in lower case without spaces; never changed once written.
    const KIND: &'static str;

    /// The version that this program writes. Raised with every change that an older program could not read, or that this
    /// one could not read from an older record without [`Record::migrate`].
    const VERSION: u16;

    /// Makes a body of version `from` into one of version `from + 1`. Called once for each step up to `VERSION`; a record
    /// whose `VERSION` is above 1 must answer for every earlier version.
    fn migrate(from: u16, _body: Value) -> Result<Value, String> {
        Err(format!("there is no migration from version {from}"))
    }
}

/// The bytes to store.
pub fn encode<R: Record>(record: &R) -> Result<Bytes, Error> {
    let mut out = format!("{}/{} ", R::KIND, R::VERSION).into_bytes();
    serde_json::to_writer(&mut out, record).map_err(|error| wrong::<R>(error))?;
    Ok(out.into())
}

/// The record that was stored, brought up to this program's version.
pub fn decode<R: Record>(bytes: &[u8]) -> Result<R, Error> {
    let (found, body) = split::<R>(bytes)?;
    if found > R::VERSION {
        return Err(Error::Newer { kind: R::KIND, found, supported: R::VERSION });
    }
    if found == R::VERSION {
        return serde_json::from_slice(body).map_err(wrong::<R>);
    }
    let mut body: Value = serde_json::from_slice(body).map_err(wrong::<R>)?;
    for from in found..R::VERSION {
        body = R::migrate(from, body).map_err(wrong::<R>)?;
    }
    serde_json::from_value(body).map_err(wrong::<R>)
}

/// The version and the body behind `KIND/VERSION `.
fn split<R: Record>(bytes: &[u8]) -> Result<(u16, &[u8]), Error> {
    let space = bytes.iter().position(|byte| *byte == b' ').ok_or_else(|| wrong::<R>("it has no header"))?;
    let header = std::str::from_utf8(&bytes[..space]).map_err(|_| wrong::<R>("its header is not text"))?;
    let (kind, version) = header.split_once('/').ok_or_else(|| wrong::<R>("its header has no version"))?;
    if kind != R::KIND {
        return Err(wrong::<R>(format!("it is of kind '{kind}'")));
    }
    let version = version.parse().map_err(|_| wrong::<R>(format!("its version is '{version}'")))?;
    Ok((version, &bytes[space + 1..]))
}

fn wrong<R: Record>(why: impl std::fmt::Display) -> Error {
    Error::Record { kind: R::KIND, why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Pet {
        name: String,
        legs: u32,
    }

    impl Record for Pet {
        const KIND: &'static str = "pet";
        const VERSION: u16 = 3;

        fn migrate(from: u16, mut body: Value) -> Result<Value, String> {
            let fields = body.as_object_mut().ok_or("not an object")?;
            match from {
                1 => fields.insert("legs".into(), 4.into()),
                2 => fields.remove("called").and_then(|name| fields.insert("name".into(), name)),
                _ => return Err(format!("no version {from} was ever written")),
            };
            Ok(body)
        }
    }

    #[test]
    fn records_are_read_back_from_every_version() {
        let rex = Pet { name: "Rex".into(), legs: 4 };
        assert_eq!(&encode(&rex).unwrap()[..], br#"pet/3 {"name":"Rex","legs":4}"#);
        for stored in
            [r#"pet/1 {"called":"Rex"}"#, r#"pet/2 {"called":"Rex","legs":4}"#, r#"pet/3 {"name":"Rex","legs":4}"#]
        {
            assert_eq!(decode::<Pet>(stored.as_bytes()).unwrap(), rex, "{stored}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (stored, expected) in [
            ("pet/4 {}", "a record of kind 'pet' has version 4, this program knows versions up to 3; upgrade it"),
            ("pet/0 {}", "a record of kind 'pet' cannot be read: no version 0 was ever written"),
            ("cat/1 {}", "a record of kind 'pet' cannot be read: it is of kind 'cat'"),
            ("pet/x {}", "a record of kind 'pet' cannot be read: its version is 'x'"),
            ("pet {}", "a record of kind 'pet' cannot be read: its header has no version"),
            ("", "a record of kind 'pet' cannot be read: it has no header"),
            ("pet/2 []", "a record of kind 'pet' cannot be read: not an object"),
            ("pet/3 {}", "a record of kind 'pet' cannot be read: missing field `name` at line 1 column 2"),
        ] {
            assert_eq!(decode::<Pet>(stored.as_bytes()).unwrap_err().to_string(), expected);
        }
    }
}
