//! What the fuzz target does with bytes from anywhere: objects that tables are imported from, and chunks of backups.

use std::io::Cursor;

use bytes::Bytes;

use crate::intake::{Columns, Intake};
use crate::model::import::{Format, Packing};
use crate::model::{Attribute, Kind};
use crate::store::chunk;

/// So many records are read of one object: what is packed may be long.
const RECORDS_MAX: usize = 10_000;

/// The first byte says how the rest is packed and written: nothing panics, and what is read is read again the same.
pub fn import(data: &[u8]) {
    let Some((kind, object)) = data.split_first() else { return };
    let packing = match kind % 3 {
        0 => Packing::None,
        1 => Packing::Gzip,
        _ => Packing::Zstd,
    };
    let format = match kind / 3 % 4 {
        0 => Format::Json,
        1 => Format::Csv { delimiter: ',', header: None },
        2 => Format::Ion,
        _ => Format::Csv { delimiter: ';', header: Some(vec!["id".to_owned(), "n".to_owned()]) },
    };
    assert_eq!(
        read(object, packing, &format),
        read(object, packing, &format),
        "a record does not depend on the last time"
    );
    if let Ok(items) = chunk::unpack(&Bytes::copy_from_slice(object)) {
        for item in items {
            let _whatever_it_is = item.item();
        }
    }
}

/// What is read, and whether it ended well.
fn read(object: &[u8], packing: Packing, format: &Format) -> (Vec<Result<String, String>>, bool) {
    let key = |name: &str, kind| Attribute { name: name.to_owned(), kind };
    let columns = Columns::new(&[key("id", Kind::S), key("n", Kind::N), key("b", Kind::B)]);
    let mut intake = Intake::new(Cursor::new(object), packing, format, columns);
    let mut records = Vec::new();
    while records.len() < RECORDS_MAX {
        match intake.next() {
            Ok(Some(record)) => records.push(record.map(|item| item::json::write_item(&item).to_string())),
            Ok(None) => return (records, true),
            Err(_) => return (records, false),
        }
    }
    (records, true)
}

#[cfg(test)]
mod tests {
    use base::Random;

    #[test]
    fn damage_is_survived() {
        let objects = [
            b"{\"Item\":{\"id\":{\"S\":\"a\"},\"l\":{\"L\":[{\"N\":\"1\"},{\"M\":{}}]}}}\n{\"Item\":{}}\n".to_vec(),
            b"id,n,b\n\"a\"\"\n\",1,AA==\r\nb,2,\n".to_vec(),
            b"$ion_1_0 {Item:{id:\"a\",l:[1.,{},{{AA==}}],s:$dynamodb_NS::[1d2]}}\n{Item:{}}\n".to_vec(),
            b"a;1\n\"b;\";2\n".to_vec(),
        ];
        for seed in 0..3_000 {
            let random = Random::seeded(seed);
            let place = random.below(4) as usize;
            let mut data = vec![place as u8 * 3];
            data.extend_from_slice(&objects[place]);
            for _ in 0..=random.below(3) {
                let at = random.below(data.len() as u64) as usize;
                match random.below(3) {
                    0 => data[at] = random.u64() as u8,
                    1 => data.truncate(at),
                    _ => data.insert(at, b"\",;\n{}\\"[random.below(7) as usize]),
                }
                if data.is_empty() {
                    break;
                }
            }
            println!("seed {seed}");
            super::import(&data);
        }
    }
}
