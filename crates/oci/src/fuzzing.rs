//! What the fuzz targets do with bytes from a hostile image or registry: one function per decoder. They are called by cargo-fuzz
//! (`fuzz/`) and, with seeded noise, by the test below.

use std::fs;
use std::io::{BufReader, Read};
use std::path::Path;

use base::ByteSize;
use packing::Unpacked;

use crate::layer::{self, Budget, Place, Work};
use crate::registry::challenge;
use crate::{Digest, Layers, Limits, Options, Platform, Reference, local, manifest};

/// So much of a decoder's output is looked at: a bomb should not slow the search down.
const OUTPUT_BYTES_MAX: u64 = 1 << 20;

/// What stands in a header instead of its sum, for [`mended`] to fill in.
const NO_SUM: &[u8] = b"checksum";

/// The sums of an archive's headers made right, where [`NO_SUM`] stands in their place: else nearly all damage would end there.
fn mended(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    for block in data.chunks_exact_mut(512).filter(|block| &block[148..156] == NO_SUM) {
        block[148..156].fill(b' ');
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    data
}

/// A layer, unpacked below `dir`: nothing panics, and nothing is written beside it.
pub fn layer(dir: &Path, data: &[u8]) {
    let data = &mended(data)[..];
    let blob = dir.join("blob");
    fs::write(&blob, data).expect("the folder can be written");
    let mut plain = Vec::new();
    // Only what decodes has a sum to hold it against; all else must be refused.
    let whole = Unpacked::seen(BufReader::new(data))
        .and_then(|unpacked| unpacked.take(OUTPUT_BYTES_MAX).read_to_end(&mut plain))
        .is_ok();
    let into = dir.join("layer");
    let outcome = layer::unpack(&Work {
        place: &Place { path: blob.as_path().into(), offset: 0, len: data.len() as u64 },
        packed: Some(&Digest::of(data)),
        layer: &Digest::of(&plain),
        into: &into,
        budget: &Budget::new(OUTPUT_BYTES_MAX),
        limits: Limits { image_bytes: ByteSize(OUTPUT_BYTES_MAX), layer_entries: 100, layers: 1, ..Limits::default() },
        progress: &|_| (),
    });
    assert!(whole || outcome.is_err(), "what does not decode is no layer");
    let beside = fs::read_dir(dir).expect("the folder is there").count();
    assert_eq!(beside, 2, "a layer stays inside its folder");
    fs::remove_dir_all(into).expect("it can be removed");
}

/// An archive of images, read below `dir`: nothing panics, and nothing is left.
pub fn image_archive(dir: &Path, data: &[u8]) {
    let path = dir.join("archive");
    fs::write(&path, mended(data)).expect("the folder can be written");
    let layers = Layers::open(&dir.join("layers"), Options::default()).expect("the folder can be used");
    // Found or not: what matters is that it was said.
    let _ = local::find(&path, None, &Platform::host(), &layers);
    let left = fs::read_dir(layers.dir().join("tmp")).expect("the folder is there").count();
    assert_eq!(left, 0, "nothing unfinished is left");
}

/// A manifest, an index or a configuration.
pub fn documents(data: &[u8]) {
    if let Ok(manifest::Document::Index(listed)) = manifest::read_document("it", data, "") {
        let chosen = manifest::choose("it", &listed, &Platform::host());
        assert!(!listed.is_empty() || chosen.is_err(), "nothing is chosen from nothing");
    }
    let _ = manifest::read_configuration("it", data);
}

/// What people and registries write in one line: references, digests, challenges.
pub fn words(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(reference) = text.parse::<Reference>() {
        let again: Reference = reference.to_string().parse().expect("a reference reads as it is written");
        assert_eq!(again, reference);
        assert!(!reference.repository().contains(".."), "a repository is fit for an address");
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
    let _ = challenge::read([text]);
}

#[cfg(test)]
mod tests {
    use base::Random;

    use super::*;

    /// A good archive with a layer in it, for damaging.
    fn sample() -> Vec<u8> {
        let mut layer = tar::Builder::new(Vec::new());
        for (name, kind) in [("d", b'5'), ("d/f", b'0'), ("d/l", b'2'), ("d/h", b'1'), ("d/.wh.x", b'0'), ("s", b'S')] {
            let mut header = tar::Header::new_gnu();
            header.set_path(name).unwrap();
            header.set_entry_type(tar::EntryType::new(kind));
            header.set_link_name("d/f").unwrap();
            header.set_mode(0o644);
            header.set_size(0);
            header.as_old_mut().cksum.copy_from_slice(NO_SUM);
            layer.append(&header, &b""[..]).unwrap();
        }
        layer.append_pax_extensions([("path", &b"long"[..]), ("GNU.sparse.map", b"0,1")]).unwrap();
        layer.into_inner().unwrap()
    }

    #[test]
    fn noise_is_harmless() {
        let random = Random::seeded(5);
        let good = sample();
        let manifest = br#"{"schemaVersion":2,"manifests":[{"digest":"sha256:00","size":1}],"config":{},"layers":[]}"#;
        let challenge = br#"Bearer realm="https://a/b",service="c",scope="repository:d:pull" Basic e@sha256:f"#;
        for round in 0..2000 {
            let damaged = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                for _ in 0..1 + random.below(4) {
                    let at = random.below(bytes.len() as u64) as usize;
                    bytes[at] = random.u64() as u8;
                }
                bytes.truncate(bytes.len() - random.below(20) as usize);
                bytes
            };
            documents(&damaged(manifest));
            words(&damaged(challenge));
            if round % 20 == 0 {
                let dir = tempfile::tempdir().unwrap();
                let bytes = damaged(&good);
                layer(dir.path(), &bytes);
                image_archive(tempfile::tempdir().unwrap().path(), &bytes);
            }
        }
    }
}
