//! Whether a package is WebAssembly, and which of its files is run.
//!
//! Of a function of a `provided` runtime, or of `http`, it is the file that the handler names, if that name ends in `.wasm`, or else the `bootstrap`, if
//! that begins as WebAssembly binaries do. Functions of other languages may have such files for their own use.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use crate::languages::Family;

/// How every WebAssembly binary begins.
const MAGIC: &[u8; 4] = b"\0asm";

/// The binary that a function of this family and handler runs, if it is one; the file may be missing where the handler names it.
/// `code` is its unpacked package. Reads four bytes at most.
pub(crate) fn binary(code: &Path, family: Family, handler: &str) -> Option<PathBuf> {
    match family {
        Family::Javascript | Family::Python => None,
        Family::Provided | Family::Http if handler.ends_with(".wasm") && is_inside(Path::new(handler)) => {
            Some(code.join(handler))
        }
        Family::Provided | Family::Http => Some(code.join("bootstrap")).filter(|path| is_wasm(path)),
    }
}

/// A handler may name a file in a folder, and nothing outside.
fn is_inside(path: &Path) -> bool {
    path.components().all(|part| match part {
        Component::Normal(_) => true,
        Component::CurDir | Component::ParentDir | Component::RootDir | Component::Prefix(_) => false,
    })
}

fn is_wasm(path: &Path) -> bool {
    let mut first = [0; MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == *MAGIC
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_first_bytes_decide() {
        let dir = tempfile::tempdir().unwrap();
        let check = |bootstrap: &[u8], family, handler: &str, expected: Option<&str>| {
            std::fs::write(dir.path().join("bootstrap"), bootstrap).unwrap();
            let expected = expected.map(|name| dir.path().join(name));
            assert_eq!(binary(dir.path(), family, handler), expected, "{bootstrap:?} {handler}");
        };
        check(b"\0asm\x01\0\0\0", Family::Provided, "bootstrap", Some("bootstrap"));
        check(b"\0asm\x01\0\0\0", Family::Provided, "any.handler", Some("bootstrap"));
        check(b"#!/bin/sh\n", Family::Provided, "bootstrap", None);
        check(b"\0as", Family::Provided, "bootstrap", None);
        check(b"#!/bin/sh\n", Family::Provided, "app.wasm", Some("app.wasm"));
        check(b"#!/bin/sh\n", Family::Provided, "dist/app.wasm", Some("dist/app.wasm"));
        check(b"#!/bin/sh\n", Family::Provided, "../app.wasm", None);
        check(b"#!/bin/sh\n", Family::Provided, "/app.wasm", None);
        check(b"#!/bin/sh\n", Family::Http, "app.wasm", Some("app.wasm"));
        check(b"\0asm\x01\0\0\0", Family::Javascript, "app.wasm", None);
        check(b"\0asm\x01\0\0\0", Family::Python, "app.wasm", None);
    }
}
