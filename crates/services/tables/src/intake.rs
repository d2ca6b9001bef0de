//! What people bring as items of a table: records in an object, one after the other, as items. A record that is none is told and passed over;
//! bytes that cannot be read at all end it.
//!
//! Not here: whether the table takes an item. What always holds: of an object there are one record and the packing's window in memory,
//! whatever is in it.

mod csv;
mod pipe;

use std::io::{self, BufRead, BufReader, Read};

use item::{Item, ion, json};
use packing::Unpacked;
use serde_json::Value;

pub(crate) use csv::Columns;
pub(crate) use pipe::Pipe;

use crate::model::import::{Format, Packing};

/// The longest record. An item has 400 KB; in Base64 and with its types' names it is longer.
const RECORD_BYTES_MAX: usize = 4 << 20;

/// What Ion's text begins with.
const ION_MARKER: &[u8] = b"$ion_1_0";

/// Records of an object.
pub(crate) struct Intake<R> {
    input: BufReader<Unpacked<R>>,
    format: Records,
    /// Bytes that were read, without their packing.
    bytes: u64,
}

enum Records {
    /// One in each line.
    Lines(fn(&[u8]) -> Record),
    Csv(csv::Reader),
}

/// An object's bytes without what the import says that they are packed in.
fn unpacked<R: BufRead>(input: R, packing: Packing) -> Unpacked<R> {
    match packing {
        Packing::None => Unpacked::plain(input),
        Packing::Gzip => Unpacked::gzip(input),
        Packing::Zstd => Unpacked::zstd(input),
    }
}

/// A record: an item, or why it is none.
pub(crate) type Record = Result<Item, String>;

impl<R: BufRead> Intake<R> {
    /// Over an object's bytes. `columns` says of which type the table's keys are, where the format does not.
    pub(crate) fn new(input: R, packing: Packing, format: &Format, columns: Columns) -> Self {
        let input = BufReader::with_capacity(64 << 10, unpacked(input, packing));
        let format = match format {
            Format::Json => Records::Lines(read_json),
            Format::Ion => Records::Lines(read_ion),
            Format::Csv { delimiter, header } => Records::Csv(csv::Reader::new(*delimiter, header.clone(), columns)),
        };
        Self { input, format, bytes: 0 }
    }

    /// Bytes that were read so far, without their packing.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next record; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Record>> {
        match &mut self.format {
            Records::Lines(read_line) => loop {
                let mut line = Vec::new();
                let read = (&mut self.input).take(RECORD_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line)?;
                self.bytes += read as u64;
                if read == 0 {
                    return Ok(None);
                }
                if read > RECORD_BYTES_MAX {
                    self.bytes += skip_line(&mut self.input)?;
                    return Ok(Some(Err(too_long())));
                }
                // A version marker may have a line of its own.
                if !matches!(line.trim_ascii(), b"" | ION_MARKER) {
                    return Ok(Some(read_line(&line).and_then(checked)));
                }
            },
            Records::Csv(reader) => reader.next(&mut self.input, &mut self.bytes),
        }
    }
}

fn too_long() -> String {
    format!("The record is longer than {RECORD_BYTES_MAX} bytes")
}

/// Passes over what is left of a line.
fn skip_line(input: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let found = input.fill_buf()?;
        let (used, is_end) = match found.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (found.len(), found.is_empty()),
        };
        input.consume(used);
        skipped += used as u64;
        if is_end {
            return Ok(skipped);
        }
    }
}

/// An item as exports have it: `{"Item": {…}}`.
fn read_json(line: &[u8]) -> Record {
    let line: Value = serde_json::from_slice(line).map_err(|error| format!("The line is not JSON: {error}"))?;
    let item = line.get("Item").ok_or_else(|| "The line has no Item".to_owned())?;
    json::read_item(item).map_err(|refusal| refusal.to_string())
}

/// An item as exports have it in Ion: `$ion_1_0 {Item:{…}}`.
fn read_ion(line: &[u8]) -> Record {
    let line = std::str::from_utf8(line).map_err(|_| "The record is not UTF-8".to_owned())?;
    ion::read_record(line).map_err(|wrong| wrong.to_string())
}

fn checked(item: Item) -> Record {
    item.values().try_for_each(|value| value.check_depth().map_err(|refusal| refusal.to_string()))?;
    Ok(item)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use base::Random;

    use super::*;
    use crate::model::{Attribute, Kind};

    fn columns() -> Columns {
        let key = |name: &str, kind| Attribute { name: name.to_owned(), kind };
        Columns::new(&[key("id", Kind::S), key("n", Kind::N), key("b", Kind::B)])
    }

    fn csv(delimiter: char, header: Option<&[&str]>) -> Format {
        let header = header.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        Format::Csv { delimiter, header }
    }

    fn read(bytes: &[u8], packing: Packing, format: &Format) -> io::Result<Vec<String>> {
        let mut intake = Intake::new(Cursor::new(bytes), packing, format, columns());
        let mut found = Vec::new();
        while let Some(record) = intake.next()? {
            found.push(match record {
                Ok(item) => json::write_item(&item).to_string(),
                Err(why) => format!("! {}", why.chars().take(24).collect::<String>()),
            });
        }
        Ok(found)
    }

    #[test]
    fn records_are_items_or_say_why_not() {
        let json = Format::Json;
        for (format, given, expected) in [
            (&json, "", &[][..]),
            (&json, "{\"Item\":{\"id\":{\"S\":\"a\"}}}\n\n{\"Item\":{}}", &[r#"{"id":{"S":"a"}}"#, "{}"]),
            (
                &json,
                "nothing\n{\"Item\":{\"id\":{\"S\":1}}}\n{\"item\":1}",
                &["! The line is not JSON: ex", "! NUMBER_VALUE can not be ", "! The line has no Item"],
            ),
            (
                &Format::Ion,
                "$ion_1_0 {Item:{id:\"a\",n:1.}}\n\n{Item:{'id':\"b\"}}\n",
                &[r#"{"id":{"S":"a"},"n":{"N":"1"}}"#, r#"{"id":{"S":"b"}}"#],
            ),
            (
                &Format::Ion,
                "$ion_1_0\n{Item:{id:b}}\n{item:{}}",
                &["! The record has a value t", "! The record has no Item"],
            ),
            (
                &csv(',', None),
                "id,n,text\na,1,x\r\nb,2,\"y, \"\"z\"\"\nmore\"\n",
                &[
                    r#"{"id":{"S":"a"},"n":{"N":"1"},"text":{"S":"x"}}"#,
                    "{\"id\":{\"S\":\"b\"},\"n\":{\"N\":\"2\"},\"text\":{\"S\":\"y, \\\"z\\\"\\nmore\"}}",
                ],
            ),
            (
                &csv(';', Some(&["id", "b"])),
                "a;AP8=\nb;!\nc\n\nd;AA==;",
                &[
                    r#"{"b":{"B":"AP8="},"id":{"S":"a"}}"#,
                    "! The value of b is not Ba",
                    "! The record has 1 values,",
                    "! The record has 3 values,",
                ],
            ),
            (&csv(',', None), "id,n\na,one\nb,", &["! The value of n is not a ", "! The value of n is not a "]),
        ] {
            let found = read(given.as_bytes(), Packing::None, format).unwrap();
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            let told = |line: &&str| line.chars().take(26).collect::<String>();
            match expected.iter().any(|line| line.starts_with('!')) {
                true => assert_eq!(
                    found.iter().map(told).collect::<Vec<_>>(),
                    expected.iter().map(told).collect::<Vec<_>>()
                ),
                false => assert_eq!(found, expected, "{given}"),
            }
        }
        let long = format!("{}\n{{\"Item\":{{}}}}\n", "x".repeat(RECORD_BYTES_MAX + 10));
        assert_eq!(read(long.as_bytes(), Packing::None, &json).unwrap(), ["! The record is longer tha", "{}"]);
        let long = format!("id\n\"{}\"\nb\n", "x".repeat(RECORD_BYTES_MAX + 10));
        assert_eq!(
            read(long.as_bytes(), Packing::None, &csv(',', None)).unwrap(),
            ["! The record is longer tha", r#"{"id":{"S":"b"}}"#]
        );
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn packing_is_taken_off_and_damage_is_told() {
        let lines = |from: usize| -> String {
            (from..from + 200).map(|n| format!("{{\"Item\":{{\"id\":{{\"S\":\"item {n}\"}}}}}}\n")).collect()
        };
        for (packing, pack) in [(Packing::Gzip, gzip as fn(&[u8]) -> Vec<u8>), (Packing::Zstd, zstd)] {
            // Several pieces one after the other are one.
            let packed = [pack(lines(0).as_bytes()), pack(lines(200).as_bytes())].concat();
            assert_eq!(read(&packed, packing, &Format::Json).unwrap().len(), 400);
            assert!(read(&packed[..packed.len() - 5], packing, &Format::Json).is_err());
            assert!(read(b"not packed at all", packing, &Format::Json).is_err());
            for seed in 0..300 {
                let random = Random::seeded(seed);
                let mut damaged = packed.clone();
                let at = random.below(damaged.len() as u64) as usize;
                damaged[at] = random.u64() as u8;
                let _no_panic = read(&damaged, packing, &Format::Json);
            }
        }
        for seed in 0..2_000 {
            let random = Random::seeded(seed);
            let mut damaged = b"id,n\n\"a\"\"b\",1\r\nc,2\n".to_vec();
            let at = random.below(damaged.len() as u64) as usize;
            damaged[at] = b",\"\n\r;\xffx"[random.below(7) as usize];
            assert!(read(&damaged, Packing::None, &csv(',', None)).is_ok(), "seed {seed}");
        }
    }
}
