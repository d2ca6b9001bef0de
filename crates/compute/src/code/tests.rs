//! Packages, good and hostile.

use std::io::Write;

use zip::write::SimpleFileOptions;

use super::*;

/// An entry of a test package.
enum Entry {
    File(&'static str, u32, &'static str),
    Link(&'static str, &'static str),
    Folder(&'static str),
}
use Entry::{File, Folder, Link};

fn package(entries: &[Entry]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        match entry {
            File(name, mode, content) => {
                zip.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
                zip.write_all(content.as_bytes()).unwrap();
            }
            Link(name, target) => zip.add_symlink(*name, *target, SimpleFileOptions::default()).unwrap(),
            Folder(name) => zip.add_directory(*name, SimpleFileOptions::default()).unwrap(),
        }
    }
    zip.finish().unwrap().into_inner()
}

/// A good package, for others to damage.
pub(crate) fn sample() -> Vec<u8> {
    package(&[File("a/b.js", 0o644, "one"), Link("a/c", "b.js"), Folder("d/"), File("bootstrap", 0o755, "two")])
}

fn codes() -> (tempfile::TempDir, Codes) {
    let dir = tempfile::tempdir().unwrap();
    let codes = Codes::open(dir.path().join("code"), Random::system()).unwrap();
    (dir, codes)
}

#[test]
fn good_packages_are_unpacked_read_only() {
    let (_dir, codes) = codes();
    let bytes = package(&[
        File("index.js", 0o644, "one"),
        File("bin/run", 0o755, "two"),
        Folder("empty/"),
        Link("bin/alias", "../index.js"),
        File("./deep/er/file", 0o600, "three"),
    ]);
    let code = codes.prepare(&bytes).unwrap();
    assert_eq!(codes.prepare(&bytes).unwrap(), code);
    let root = codes.path(&code).unwrap();
    for (path, mode, content) in [
        ("index.js", 0o444, "one"),
        ("bin/run", 0o555, "two"),
        ("bin/alias", 0o444, "one"),
        ("deep/er/file", 0o444, "three"),
    ] {
        assert_eq!(fs::read_to_string(root.join(path)).unwrap(), content, "{path}");
        assert_eq!(fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777, mode, "{path}");
    }
    assert!(root.join("empty").is_dir());
    assert_eq!(fs::metadata(root.join("bin")).unwrap().permissions().mode() & 0o777, 0o555);
}

#[test]
fn hostile_packages_are_refused_and_leave_nothing() {
    let (dir, codes) = codes();
    for (entries, expected) in [
        (vec![File("../evil", 0o644, "")], "../evil"),
        (vec![File("a/../../evil", 0o644, "")], "a/../../evil"),
        (vec![File("/etc/evil", 0o644, "")], "/etc/evil"),
        (vec![Link("out", "/etc/passwd")], "out"),
        (vec![Link("out", "../../x")], "out"),
        // Lexically inside; through the first link it is not.
        (vec![Link("d", "."), Link("e", "d/..")], "e"),
        (vec![Link("d", "sub"), File("d/evil", 0o644, "")], "d"),
        (vec![File("a", 0o644, ""), File("a/b", 0o644, "")], "a/b"),
    ] {
        match codes.prepare(&package(&entries)) {
            Err(CodeError::Escapes { name }) => assert_eq!(name, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let left: Vec<_> =
        fs::read_dir(dir.path().join("code")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["boot"]);
}

#[test]
fn what_is_no_zip_is_said_in_awss_words() {
    let (_dir, codes) = codes();
    let mut torn = package(&[File("index.js", 0o644, "some content that is long enough to be torn")]);
    let middle = torn.iter().position(|byte| *byte == b'i').unwrap() + 12;
    torn[middle] ^= 0xff;
    for bytes in [&b""[..], b"not a zip", &torn] {
        let error = codes.prepare(bytes).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
            "{error:?}"
        );
    }
}

#[test]
fn a_bomb_is_stopped_while_it_unpacks() {
    let (dir, codes) = codes();
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("zeros", SimpleFileOptions::default()).unwrap();
    let block = vec![0; 1 << 20];
    for _ in 0..251 {
        zip.write_all(&block).unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    let error = codes.prepare(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "Unzipped size must be smaller than 262144000 bytes");
    assert_eq!(fs::read_dir(dir.path().join("code")).unwrap().count(), 1);
}

#[test]
fn code_of_another_boot_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("code");
    let bytes = package(&[File("f", 0o644, "x")]);
    let open = || Codes::open(place.clone(), Random::system()).unwrap();
    let code = open().prepare(&bytes).unwrap();
    assert!(open().path(&code).is_some());
    fs::write(place.join("boot"), "another").unwrap();
    assert!(open().path(&code).is_none());
}

#[test]
fn names_are_bounded() {
    let (_dir, codes) = codes();
    let zip = |name: &str, link: Option<&str>| {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        match link {
            Some(target) => zip.add_symlink(name, target, SimpleFileOptions::default()).unwrap(),
            None => zip.start_file(name, SimpleFileOptions::default()).unwrap(),
        }
        zip.finish().unwrap().into_inner()
    };
    let deep = |parts: usize| format!("{}f", "a/".repeat(parts - 1));
    assert!(codes.prepare(&zip(&deep(NAME_PARTS_MAX), None)).is_ok());
    assert!(codes.prepare(&zip("link", Some(&deep(NAME_PARTS_MAX)))).is_ok());
    for package in [
        zip(&deep(NAME_PARTS_MAX + 1), None),
        zip(&deep(32_000), None),
        zip(&"n".repeat(NAME_BYTES_MAX + 1), None),
        zip("link", Some(&"n".repeat(NAME_BYTES_MAX + 1))),
    ] {
        assert!(matches!(codes.prepare(&package), Err(CodeError::LongName { .. })));
    }
}

#[test]
fn what_is_prepared_again_is_as_good_as_new() {
    let (_dir, codes) = codes();
    let code = codes.prepare(&sample()).unwrap();
    let path = codes.path(&code).unwrap();
    let age = || fs::metadata(&path).unwrap().modified().unwrap().elapsed().unwrap_or_default();
    let long_ago = fs::metadata(&path).unwrap().modified().unwrap() - 2 * SWEEP_AGE;
    let set = |time| fs::File::open(&path).unwrap().set_modified(time).unwrap();
    set(long_ago);
    codes.prepare(&sample()).unwrap();
    assert!(age() < SWEEP_AGE);
    codes.retain(&HashSet::new()).unwrap();
    assert!(codes.path(&code).is_some());
    set(long_ago);
    codes.retain(&HashSet::from([code.clone()])).unwrap();
    assert!(codes.path(&code).is_some());
    codes.retain(&HashSet::new()).unwrap();
    assert!(codes.path(&code).is_none());
}
