//! Archives by other writers, and archives that no writer would make.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

/// All entries, with their data where they are files: holes as zeros.
fn read_all(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, TarError> {
    let mut archive = Archive::new(Stream(bytes));
    let mut entries = Vec::new();
    while let Some(entry) = archive.next()? {
        let mut data = Vec::new();
        if let Kind::File { size, .. } = entry.kind {
            // A made-up size is found out when the data ends.
            data.resize(usize::try_from(size).unwrap().min(4 << 20), 0);
            let mut buffer = [0; 1000];
            while let Some((at, read)) = archive.read_data(&mut buffer)? {
                data[usize::try_from(at).unwrap()..][..read].copy_from_slice(&buffer[..read]);
            }
        }
        entries.push((entry, data));
    }
    assert!(archive.next()?.is_none(), "the end stays the end");
    Ok(entries)
}

fn fault(bytes: &[u8]) -> ArchiveFault {
    match read_all(bytes) {
        Err(TarError::Fault { fault, at }) => {
            assert!(at <= bytes.len() as u64);
            fault
        }
        other => panic!("{other:?}"),
    }
}

fn header(kind: tar::EntryType, name: &str, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_mtime(7);
    header.set_size(size);
    header.set_cksum();
    header
}

/// A header and its data, padded.
fn raw(header: &tar::Header, data: &[u8]) -> Vec<u8> {
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// Extended records.
fn records(records: &[(&str, &str)]) -> Vec<u8> {
    let mut text = Vec::new();
    for (key, value) in records {
        let bare = key.len() + value.len() + 3;
        let length = (bare + 1..).find(|length| bare + length.to_string().len() == *length).unwrap();
        text.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
    }
    raw(&header(tar::EntryType::XHeader, "x", text.len() as u64), &text)
}

fn file(name: &str, data: &str) -> Vec<u8> {
    raw(&header(tar::EntryType::Regular, name, data.len() as u64), data.as_bytes())
}

#[test]
fn sparse_files_of_all_forms_are_read() {
    let mut expected = vec![0; 2 << 20];
    for part in 0..30 {
        let at = part * 32768 + 4096 * (part % 3);
        expected[at..at + 100 + part].fill(b'A' + u8::try_from(part % 26).unwrap());
    }
    for (packed, nanos) in [
        (&include_bytes!("fixtures/sparse-gnu.tar.gz")[..], 0),
        (include_bytes!("fixtures/sparse-posix00.tar.gz"), 500_000_000),
        (include_bytes!("fixtures/sparse-posix01.tar.gz"), 500_000_000),
        (include_bytes!("fixtures/sparse-posix10.tar.gz"), 500_000_000),
    ] {
        let mut bytes = Vec::new();
        packing::Unpacked::seen(Cursor::new(packed)).unwrap().read_to_end(&mut bytes).unwrap();
        let entries = read_all(&bytes).unwrap();
        let names: Vec<&[u8]> = entries.iter().map(|(entry, _)| &entry.path[..]).collect();
        assert_eq!(names, [&b"sparse"[..], b"hole", b"after"]);
        assert!(entries[0].1 == expected, "the data is where it belongs");
        assert!(matches!(entries[0].0.kind, Kind::File { size, stored } if size == 2 << 20 && stored < 200_000));
        assert_eq!(entries[0].0.modified, (1_700_000_000, nanos));
        assert_eq!(entries[1].1, vec![0; 100_000]);
        assert_eq!(entries[2].1, b"after");
    }
}

#[test]
fn what_stands_before_an_entry_counts_for_it_alone() {
    let long = "d/".repeat(150) + "name";
    let gnu_name = format!("{long}\0");
    let bytes = [
        raw(&header(tar::EntryType::GNULongName, "././@LongLink", gnu_name.len() as u64), gnu_name.as_bytes()),
        file("short", "one"),
        records(&[("path", "pax/näme"), ("mtime", "1.5"), ("SCHILY.xattr.user.x", "y")]),
        file("other", "two"),
        raw(&header(tar::EntryType::XGlobalHeader, "g", 12), b"12 path=abc\n"),
        file("plain", "three"),
        records(&[("linkpath", "far/away")]),
        raw(&header(tar::EntryType::Symlink, "link", 0), b""),
        records(&[("size", "4")]),
        raw(&header(tar::EntryType::Regular, "sized", 0), b"four"),
        // What links say of their size means nothing.
        raw(&header(tar::EntryType::Link, "hard", 1000), b""),
        raw(&header(tar::EntryType::Regular, "folder/", 0), b""),
        raw(&header(tar::EntryType::Directory, "other", 99), b""),
        raw(&header(tar::EntryType::Char, "null", 0), b""),
    ]
    .concat();
    let entries = read_all(&bytes).unwrap();
    let file = |size| Kind::File { size, stored: size };
    let expected = [
        (long, file(3), (7, 0), &b"one"[..]),
        ("pax/näme".to_owned(), file(3), (1, 500_000_000), b"two"),
        ("plain".to_owned(), file(5), (7, 0), b"three"),
        ("link".to_owned(), Kind::Symlink { to: b"far/away".to_vec() }, (7, 0), b""),
        ("sized".to_owned(), file(4), (7, 0), b"four"),
        ("hard".to_owned(), Kind::HardLink { to: b"".to_vec() }, (7, 0), b""),
        ("folder/".to_owned(), Kind::Folder, (7, 0), b""),
        ("other".to_owned(), Kind::Folder, (7, 0), b""),
        ("null".to_owned(), Kind::Special, (7, 0), b""),
    ];
    assert_eq!(entries.len(), expected.len());
    for ((entry, data), (path, kind, modified, content)) in entries.into_iter().zip(expected) {
        let expected = Entry { path: path.into_bytes(), kind, mode: 0o644, modified };
        assert_eq!((entry, &data[..]), (expected, content));
    }
}

#[test]
fn what_is_wrong_is_said() {
    let good = file("name", "data");
    let mut flipped = good.clone();
    flipped[3] ^= 1;
    let mut odd_size = header(tar::EntryType::Regular, "x", 0);
    odd_size.as_old_mut().size.copy_from_slice(b"12x45678901\0");
    odd_size.set_cksum();
    let mut negative = header(tar::EntryType::Regular, "x", 0);
    negative.as_old_mut().size.copy_from_slice(&[0xff; 12]);
    negative.set_cksum();
    let mut huge = header(tar::EntryType::Regular, "x", 0);
    huge.as_old_mut().size.copy_from_slice(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff");
    huge.set_cksum();
    let sparse = |map: &[(&str, &str)], data: &str| [records(map), file("sparse", data)].concat();
    let zeros = vec![0; 512];
    for (bytes, expected) in [
        (vec![b'x'; 512], ArchiveFault::Checksum),
        (b"not even a block".to_vec(), ArchiveFault::Ended),
        (flipped, ArchiveFault::Checksum),
        (good[..513].to_vec(), ArchiveFault::Ended),
        (good[..1000].to_vec(), ArchiveFault::Ended),
        ([&good[..], &zeros, &good].concat(), ArchiveFault::LoneZeros),
        (raw(&odd_size, b""), ArchiveFault::Number("size")),
        (raw(&negative, b""), ArchiveFault::Number("size")),
        (raw(&huge, b""), ArchiveFault::Ended),
        (records(&[("size", &u64::MAX.to_string())]), ArchiveFault::Ended),
        ([records(&[("size", &u64::MAX.to_string())]), good.clone()].concat(), ArchiveFault::Number("size")),
        (raw(&header(tar::EntryType::new(b'Q'), "x", 0), b""), ArchiveFault::Type('Q')),
        (raw(&header(tar::EntryType::XHeader, "x", 2 << 20), b""), ArchiveFault::Long("extended header")),
        (raw(&header(tar::EntryType::GNULongName, "x", 5000), b""), ArchiveFault::Long("name")),
        ([records(&[("path", &"x".repeat(4096))]), good.clone()].concat(), ArchiveFault::Long("name")),
        (raw(&header(tar::EntryType::XHeader, "x", 4), b"junk"), ArchiveFault::Extended),
        // More is stored than the map has, parts overlap, go back, end outside.
        (sparse(&[("GNU.sparse.size", "9"), ("GNU.sparse.map", "0,2")], "data"), ArchiveFault::Sparse),
        (sparse(&[("GNU.sparse.size", "9"), ("GNU.sparse.map", "0,2,1,2")], "data"), ArchiveFault::Sparse),
        (sparse(&[("GNU.sparse.size", "9"), ("GNU.sparse.map", "4,2,0,2")], "data"), ArchiveFault::Sparse),
        (sparse(&[("GNU.sparse.size", "9"), ("GNU.sparse.map", "7,4")], "data"), ArchiveFault::Sparse),
        (sparse(&[("GNU.sparse.size", "9"), ("GNU.sparse.map", "0,4,5")], "data"), ArchiveFault::Sparse),
        (
            sparse(&[("GNU.sparse.size", "9"), ("GNU.sparse.map", "18446744073709551615,4")], "data"),
            ArchiveFault::Sparse,
        ),
        (
            sparse(&[("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.realsize", "9")], "data"),
            ArchiveFault::Sparse,
        ),
        (
            sparse(
                &[("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.realsize", "9")],
                &format!("99999999\n{}", "0\n".repeat(400)),
            ),
            ArchiveFault::Long("map of a sparse file"),
        ),
    ] {
        assert_eq!(fault(&bytes), expected, "{}", String::from_utf8_lossy(&bytes[..60.min(bytes.len())]));
    }
    // An archive may end without saying so.
    assert_eq!(read_all(&good).unwrap().len(), 1);
    assert_eq!(read_all(&[&good[..], &zeros].concat()).unwrap().len(), 1);
    assert_eq!(read_all(b"").unwrap().len(), 0);
}

/// What another's writer is given.
#[derive(Clone, Debug)]
enum Written {
    File(String, Vec<u8>),
    Folder(String),
    Link(String, String),
}

fn written() -> impl Strategy<Value = Vec<Written>> {
    let name = || "[a-zé]{1,60}(/[a-z]{1,60}){0,4}";
    let one = prop_oneof![
        (name(), prop::collection::vec(any::<u8>(), 0..2000)).prop_map(|(name, data)| Written::File(name, data)),
        name().prop_map(Written::Folder),
        (name(), name()).prop_map(|(name, to)| Written::Link(name, to)),
    ];
    prop::collection::vec(one, 0..12)
}

proptest! {
    /// What another's writer writes, long names included, is read as it was meant.
    #[test]
    fn anothers_archives_are_read(all in written()) {
        let mut builder = tar::Builder::new(Vec::new());
        for one in &all {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o751);
            header.set_mtime(1_234_567_890);
            match one {
                Written::File(name, data) => {
                    header.set_size(data.len() as u64);
                    builder.append_data(&mut header, name, &data[..]).unwrap();
                }
                Written::Folder(name) => {
                    header.set_entry_type(tar::EntryType::Directory);
                    header.set_size(0);
                    builder.append_data(&mut header, name, &b""[..]).unwrap();
                }
                Written::Link(name, to) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_size(0);
                    builder.append_link(&mut header, name, to).unwrap();
                }
            }
        }
        let read = read_all(&builder.into_inner().unwrap()).unwrap();
        prop_assert_eq!(read.len(), all.len());
        for ((entry, data), one) in read.iter().zip(&all) {
            prop_assert_eq!((entry.mode, entry.modified), (0o751, (1_234_567_890, 0)));
            match one {
                Written::File(name, content) => {
                    prop_assert_eq!((&entry.path[..], data), (name.as_bytes(), content));
                }
                Written::Folder(name) => prop_assert_eq!((&entry.path[..], &entry.kind), (name.as_bytes(), &Kind::Folder)),
                Written::Link(name, to) => {
                    let to = Kind::Symlink { to: to.as_bytes().to_vec() };
                    prop_assert_eq!((&entry.path[..], &entry.kind), (name.as_bytes(), &to));
                }
            }
        }
    }

    /// Damage is an error or another archive; never a panic, and never more data than there are bytes.
    #[test]
    fn damaged_archives_are_harmless(at in 0usize..4096, byte in any::<u8>(), cut in 0usize..4096) {
        let mut bytes = [
            records(&[("path", "long"), ("GNU.sparse.size", "9"), ("GNU.sparse.map", "0,2,4,2")]),
            file("sparse", "data"),
            file("after", "more"),
        ]
        .concat();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut % bytes.len());
        let mut archive = Archive::new(Stream(&bytes[..]));
        let mut buffer = [0; 64];
        while let Ok(Some(_)) = archive.next() {
            while let Ok(Some((_, read))) = archive.read_data(&mut buffer) {
                prop_assert!(read > 0 && read <= 64);
            }
        }
        prop_assert!(archive.position() <= bytes.len() as u64);
    }
}
