//! Layers, good and hostile, through the one door that all of them take.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

use std::path::PathBuf;

use base::ByteSize;

use super::*;

/// What a test layer has.
enum Item {
    File(&'static str, u32, &'static str),
    Folder(&'static str, u32),
    Link(&'static str, &'static str),
    Hard(&'static str, &'static str),
    Device(&'static str),
}
use Item::{Device, File as Plain, Folder as Dir, Hard, Link};

fn header(kind: tar::EntryType, name: &str, link: &str, mode: u32, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(1_000_000_000);
    header.set_size(size as u64);
    header.set_cksum();
    header
}

fn archive(items: &[Item]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for item in items {
        let (header, data) = match item {
            Plain(name, mode, data) => (header(tar::EntryType::Regular, name, "", *mode, data.len()), *data),
            Dir(name, mode) => (header(tar::EntryType::Directory, name, "", *mode, 0), ""),
            Link(name, to) => (header(tar::EntryType::Symlink, name, to, 0o777, 0), ""),
            Hard(name, to) => (header(tar::EntryType::Link, name, to, 0o644, 0), ""),
            Device(name) => (header(tar::EntryType::Char, name, "", 0o666, 0), ""),
        };
        builder.append(&header, data.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

struct Tried {
    dir: tempfile::TempDir,
    outcome: Result<Record, Error>,
}

impl Tried {
    fn tree(&self) -> PathBuf {
        self.dir.path().join("layer").join(TREE)
    }
}

/// Unpacks bytes as the layer that they are.
fn unpack_bytes(bytes: &[u8], limits: Limits) -> Tried {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blob");
    fs::write(&path, bytes).unwrap();
    let place = Place { path: path.as_path().into(), offset: 0, len: bytes.len() as u64 };
    let mut plain = Vec::new();
    // What cannot be unpacked has no digest that anybody would come to compare.
    let _ = Unpacked::seen(io::BufReader::new(bytes)).and_then(|mut unpacked| unpacked.read_to_end(&mut plain));
    let outcome = unpack(&Work {
        place: &place,
        packed: Some(&Digest::of(bytes)),
        layer: &Digest::of(&plain),
        into: &dir.path().join("layer"),
        budget: &Budget::new(limits.image_bytes.bytes()),
        limits,
        progress: &|_| (),
    });
    Tried { dir, outcome }
}

fn unpack_items(items: &[Item]) -> Tried {
    unpack_bytes(&archive(items), Limits::default())
}

/// Everything in a tree: path, kind and permissions, and content or target.
fn listed(tree: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(tree).unwrap().display().to_string();
            let mode = metadata.permissions().mode() & 0o7777;
            found.push(if metadata.is_dir() {
                folders.push(path);
                format!("{name}/ {mode:o}")
            } else if metadata.is_symlink() {
                format!("{name} -> {}", fs::read_link(&path).unwrap().display())
            } else if metadata.file_type().is_char_device() {
                format!("{name} hidden")
            } else {
                format!("{name} {mode:o} {}", fs::read_to_string(&path).unwrap())
            });
        }
    }
    found.sort();
    found
}

#[test]
fn layers_become_folders() {
    for (items, expected) in [
        (&[][..], &[][..]),
        (&[Plain("a", 0o600, "x")], &["a 644 x"]),
        // Nobody's rights but everybody's; nothing that gives rights.
        (
            &[
                Plain("set", 0o4711, ""),
                Plain("group", 0o2640, ""),
                Plain("open", 0o666, ""),
                Dir("tmp/", 0o1777),
                Dir("closed/", 0o000),
                Plain("closed/in", 0o000, "x"),
            ],
            &["closed/ 755", "closed/in 644 x", "group 644 ", "open 666 ", "set 755 ", "tmp/ 777"],
        ),
        // Names as writers write them.
        (
            &[
                Dir("./", 0o755),
                Dir("./a", 0o755),
                Plain("./a/b", 0o644, "x"),
                Plain("/c//d/./e", 0o644, "y"),
                Plain("f/../g", 0o644, "z"),
            ],
            &["a/ 755", "a/b 644 x", "c/ 755", "c/d/ 755", "c/d/e 644 y", "g 644 z"],
        ),
        // The later of two counts; folders are one.
        (&[Plain("a", 0o644, "long first"), Plain("a", 0o755, "x")], &["a 755 x"]),
        (&[Dir("a", 0o755), Plain("a/b", 0o644, "x"), Dir("a", 0o777)], &["a/ 777", "a/b 644 x"]),
        (&[Dir("a", 0o755), Plain("a/b/c", 0o644, "x"), Plain("a", 0o644, "y")], &["a 644 y"]),
        (&[Plain("a", 0o644, "x"), Dir("a", 0o755)], &["a/ 755"]),
        (&[Plain("a", 0o644, "x"), Link("a", "b")], &["a -> b"]),
        // Links are kept as they are, and followed within the layer alone.
        (
            &[Link("a", "/etc/passwd"), Link("b", "../../../x"), Link("c", "nowhere")],
            &["a -> /etc/passwd", "b -> ../../../x", "c -> nowhere"],
        ),
        (
            &[Dir("usr/lib", 0o755), Link("lib", "usr/lib"), Plain("lib/x", 0o644, "1")],
            &["lib -> usr/lib", "usr/ 755", "usr/lib/ 755", "usr/lib/x 644 1"],
        ),
        (
            &[Link("up", "../../../.."), Plain("up/x", 0o644, "1"), Link("s/abs", "/d"), Plain("s/abs/y", 0o644, "2")],
            &["d/ 755", "d/y 644 2", "s/ 755", "s/abs -> /d", "up -> ../../../..", "x 644 1"],
        ),
        (
            &[
                Dir("d", 0o755),
                Link("l", "d"),
                Plain("l/x", 0o644, "1"),
                Plain("l", 0o644, "2"),
                Plain("d/y", 0o644, "3"),
            ],
            &["d/ 755", "d/x 644 1", "d/y 644 3", "l 644 2"],
        ),
        // A file in the place of a link does not go where the link led.
        (&[Plain("a", 0o644, "1"), Link("l", "a"), Plain("l", 0o644, "2")], &["a 644 1", "l 644 2"]),
        // Devices are left out, and hide what is below.
        (&[Device("dev/null"), Plain("dev/x", 0o644, "")], &["dev/ 755", "dev/null hidden", "dev/x 644 "]),
        // Whiteouts.
        (&[Plain("a/.wh.b", 0o644, "")], &["a/ 755", "a/b hidden"]),
        (&[Plain("a/.wh.b", 0o644, ""), Plain("a/b", 0o644, "x")], &["a/ 755", "a/b 644 x"]),
        (&[Plain("a/b/c", 0o644, "x"), Plain("a/.wh.b", 0o644, "")], &["a/ 755", "a/b/ 755", "a/b/c 644 x"]),
        (&[Dir("a", 0o755), Plain("a/.wh..wh.opq", 0o644, ""), Plain("a/.wh.b", 0o644, "")], &["a/ 755"]),
        (&[Plain(".wh..wh.plnk/1.2", 0o644, ""), Plain(".wh..wh.aufs", 0o644, "")], &[]),
        (&[Dir("d", 0o755), Link("l", "d"), Plain("l/.wh.x", 0o644, "")], &["d/ 755", "d/x hidden", "l -> d"]),
        // What was marked may go again.
        (&[Plain("a/.wh.b", 0o644, ""), Plain("a", 0o644, "x")], &["a 644 x"]),
    ] {
        let tried = unpack_items(items);
        let outcome = tried.outcome.as_ref().unwrap_or_else(|error| panic!("{expected:?}: {error}"));
        assert_eq!(outcome.overlay_refusal, None, "this disk keeps marks");
        assert_eq!(listed(&tried.tree()), expected);
    }
}

#[test]
fn marks_are_kept_beside_the_tree() {
    for (items, opaque, whiteouts) in [
        (&[Plain("a", 0o644, "x")][..], &[][..], &[][..]),
        (&[Plain("a/.wh.b", 0o644, ""), Plain(".wh.c", 0o644, "")], &[], &["a/b", "c"]),
        (&[Plain("a/.wh..wh.opq", 0o644, ""), Plain("a/x/.wh.b", 0o644, "")], &["a"], &[]),
        (&[Plain(".wh..wh.opq", 0o644, ""), Plain(".wh.b", 0o644, "")], &[""], &[]),
        (&[Dir("a/b", 0o755), Plain("a/.wh.b", 0o644, "")], &["a/b"], &[]),
        (&[Device("a"), Dir("a", 0o755)], &["a"], &[]),
        (&[Plain("a/.wh.b", 0o644, ""), Plain("a", 0o644, "x")], &[], &[]),
    ] {
        let tried = unpack_items(items);
        let record = tried.outcome.as_ref().unwrap();
        let marks = Marks::read(&tried.dir.path().join("layer")).unwrap();
        let bytes = |paths: &[&str]| paths.iter().map(|path| path.as_bytes().to_vec()).collect();
        assert_eq!(marks, Marks { opaque: bytes(opaque), whiteouts: bytes(whiteouts) });
        assert_eq!(record.hides_all, opaque.contains(&""));
        for path in opaque {
            let path = tried.tree().join(path);
            let mut value = [0; 8];
            let len = rustix::fs::getxattr(&path, "user.overlay.opaque", &mut value).unwrap();
            assert_eq!(&value[..len], b"y");
        }
    }
}

#[test]
fn hard_links_and_times_are_kept() {
    let tried = unpack_items(&[
        Plain("a", 0o755, "x"),
        Hard("b/c", "a"),
        Hard("a", "./a"),
        Link("l", "a"),
        Hard("m", "l"),
        Dir("old", 0o755),
        Plain("old/new", 0o644, ""),
    ]);
    tried.outcome.as_ref().unwrap();
    let metadata = |name: &str| fs::symlink_metadata(tried.tree().join(name)).unwrap();
    assert_eq!(metadata("a").ino(), metadata("b/c").ino());
    assert_eq!(metadata("a").nlink(), 2);
    assert!(metadata("m").is_symlink(), "a link's second name is that link's");
    for name in ["a", "l", "old", "old/new"] {
        assert_eq!(metadata(name).mtime(), 1_000_000_000, "{name}");
    }
}

#[test]
fn hostile_entries_are_refused() {
    for (items, expected) in [
        (&[Plain("../x", 0o644, "")][..], "entry '../x' leads out of the layer"),
        (&[Plain("a/../../x", 0o644, "")], "entry 'a/../../x' leads out of the layer"),
        (&[Link("..", "x")], "entry '..' leads out of the layer"),
        (&[Plain(".", 0o644, "")], "entry '.' is in the place of the root"),
        (&[Plain("", 0o644, "")], "entry '' is in the place of the root"),
        (&[Link("a", "")], "entry 'a' is a link to nothing"),
        (&[Plain("a", 0o644, ""), Plain("a/b", 0o644, "")], "entry 'a/b' lies below something that is no folder"),
        (&[Hard("a", "b")], "entry 'a' is a hard link to something that is not in the layer"),
        (&[Hard("a", "../../etc/passwd")], "entry 'a' is a hard link to something outside the layer"),
        (
            &[Link("out", "/etc"), Hard("a", "out/passwd")],
            "entry 'a' is a hard link to something that is not in the layer",
        ),
        (&[Dir("d", 0o755), Hard("a", "d")], "entry 'a' is a hard link to a folder"),
        (&[Hard("a", "/")], "entry 'a' is a hard link to a folder"),
        (
            &[Plain("d/x", 0o644, ""), Hard("d", "d/x")],
            "entry 'd' is a hard link to something that is not in the layer",
        ),
        (&[Link("a", "b"), Link("b", "a"), Plain("a/x", 0o644, "")], "entry 'a/x' lies behind too many links"),
        // A link is replaced by way of itself.
        (
            &[
                Dir("a", 0o755),
                Link("a/l", "../a"),
                Plain("a/l/x", 0o644, ""),
                Plain("a/l/l", 0o644, ""),
                Plain("a/l/y", 0o644, ""),
            ],
            "entry 'a/l/y' lies below something that is no folder",
        ),
        (&[Plain(".wh.", 0o644, "")], "entry '.wh.' is a whiteout of nothing"),
        (&[Plain("a/.wh...", 0o644, "")], "entry 'a/.wh...' is a whiteout of nothing"),
        (&[Plain("a/.wh.b/c", 0o644, "")], "entry 'a/.wh.b/c' lies below a whiteout"),
    ] {
        let tried = unpack_items(items);
        match &tried.outcome {
            Err(Error::Layer { fault, .. }) => assert_eq!(fault.to_string(), expected),
            other => panic!("{expected}: {other:?}"),
        }
        let beside = fs::read_dir(tried.dir.path()).unwrap().count();
        assert_eq!(beside, 2, "only the blob and the layer's own folder: {expected}");
    }
}

#[test]
fn a_name_may_be_too_long_for_a_disk() {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions([("path", "x".repeat(300).as_bytes())]).unwrap();
    builder.append(&header(tar::EntryType::Regular, "x", "", 0o644, 0), &b""[..]).unwrap();
    match unpack_bytes(&builder.into_inner().unwrap(), Limits::default()).outcome {
        Err(Error::Layer { fault, .. }) => {
            assert!(fault.to_string().ends_with("has a name that is longer than a disk takes"), "{fault}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn folders_may_not_lie_too_deep() {
    let mut items = Vec::new();
    // Each link makes the next path forty folders longer.
    let forty: &'static str = Box::leak("d/".repeat(40).into_boxed_str());
    items.push(Dir(forty, 0o755));
    items.push(Link("l", forty));
    let names = [("l/m", "/l/m/d"), ("n/m", "/n/m/d"), ("o/m", "/o/m/d"), ("p/m", "/p/m/d")];
    for ((folder, target), next) in names.into_iter().zip(["n", "o", "p", "q"]) {
        items.push(Dir(Box::leak(format!("{folder}/{forty}").into_boxed_str()), 0o755));
        let end: &'static str = Box::leak(format!("{target}{}", &"/d".repeat(39)[..]).into_boxed_str());
        items.push(Link(next, end));
    }
    let tried = unpack_items(&items);
    match tried.outcome {
        Err(Error::Layer { fault, .. }) => assert!(fault.to_string().ends_with("lies too deep"), "{fault}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn everything_is_bounded() {
    let limits = |bytes, entries| Limits {
        image_bytes: ByteSize(bytes),
        layer_entries: entries,
        layers: 10,
        ..Limits::default()
    };
    let three = archive(&[Plain("a", 0o644, "12345"), Plain("b", 0o644, "12345"), Dir("c", 0o755)]);
    for (limits, expected) in [
        (limits(10, 3), Ok(10)),
        (limits(9, 3), Err("the image has more than 9 bytes in its layers, unpacked".to_owned())),
        (limits(10, 2), Err("it has more than 2 entries".to_owned())),
    ] {
        let outcome = unpack_bytes(&three, limits).outcome.map(|record| record.bytes).map_err(|error| match error {
            Error::Layer { fault, .. } => fault.to_string(),
            other => other.to_string(),
        });
        assert_eq!(outcome, expected);
    }
    // A sparse file's holes count: some disks have none.
    let mut sparse = tar::Builder::new(Vec::new());
    sparse.append_pax_extensions([("GNU.sparse.size", &b"99999999999999"[..]), ("GNU.sparse.map", b"0,1")]).unwrap();
    sparse.append(&header(tar::EntryType::Regular, "huge", "", 0o644, 1), &b"x"[..]).unwrap();
    let tried = unpack_bytes(&sparse.into_inner().unwrap(), Limits::default());
    assert!(matches!(tried.outcome, Err(Error::TooMuch { .. })), "{:?}", tried.outcome);
    // Bytes that belong to no file count too.
    let mut padded = archive(&[Plain("a", 0o644, "x")]);
    padded.resize(padded.len() + 100_000, 0);
    let outcome = unpack_bytes(&padded, limits(10, 10)).outcome;
    assert!(
        matches!(outcome, Err(Error::Layer { fault: LayerFault::TooMuch { what: "bytes", .. }, .. })),
        "{outcome:?}"
    );
}

#[test]
fn damage_is_told_from_malice() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = archive(&[Plain("a", 0o644, "some content"), Plain("b", 0o644, "more")]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut packed, &bytes).unwrap();
    let packed = packed.finish().unwrap();
    let good = (Digest::of(&packed), Digest::of(&bytes));
    let other = Digest::of(b"other");
    for (name, damage, packed_name, layer_name, expected) in [
        ("good", None, Some(&good.0), &good.1, "Ok"),
        ("unnamed", None, None, &good.1, "Ok"),
        ("damaged", Some(40), Some(&good.0), &good.1, "DigestMismatch layer"),
        ("damaged head", Some(3), Some(&good.0), &good.1, "DigestMismatch layer"),
        ("damaged and unnamed", Some(40), None, &good.1, "Layer"),
        ("another layer", None, Some(&good.0), &other, "DigestMismatch what"),
        ("another blob", None, Some(&other), &good.1, "DigestMismatch layer"),
    ] {
        let mut bytes = b"before".to_vec();
        bytes.extend_from_slice(&packed);
        if let Some(at) = damage {
            bytes[6 + at] ^= 0x10;
        }
        bytes.extend_from_slice(b"after");
        let path = dir.path().join(name);
        fs::write(&path, &bytes).unwrap();
        let place = Place { path: path.as_path().into(), offset: 6, len: packed.len() as u64 };
        let outcome = unpack(&Work {
            place: &place,
            packed: packed_name,
            layer: layer_name,
            into: &dir.path().join(format!("{name} layer")),
            budget: &Budget::new(1000),
            limits: Limits::default(),
            progress: &|_| (),
        });
        let said = match outcome {
            Ok(_) => "Ok".to_owned(),
            Err(Error::DigestMismatch { what, .. }) => format!("DigestMismatch {}", what.split(' ').next().unwrap()),
            Err(Error::Layer { .. }) => "Layer".to_owned(),
            Err(other) => format!("{other:?}"),
        };
        assert_eq!(said, expected, "{name}");
    }
}
