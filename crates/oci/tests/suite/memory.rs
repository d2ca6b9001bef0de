//! A layer is a stream: one that is a thousand times larger takes no more memory.

use std::fs;
use std::io::{BufWriter, Write};

use oci::{Digest, LoadOptions, Source};
use serde_json::json;

use crate::images::{descriptor, index, layers, write_folder};

const BYTES: u64 = 256 << 20;

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Sums what goes through.
struct Summed<W> {
    inner: W,
    context: aws_lc_rs::digest::Context,
    len: u64,
}

impl<W: Write> Summed<W> {
    fn new(inner: W) -> Self {
        Self { inner, context: aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256), len: 0 }
    }

    fn digest(self) -> (W, Digest, u64) {
        (self.inner, format!("sha256:{}", hex::encode(self.context.finish())).parse().unwrap(), self.len)
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.context.update(&bytes[..written]);
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[tokio::test]
async fn a_large_layer_takes_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("packed");
    let file = Summed::new(BufWriter::new(fs::File::create(&path).unwrap()));
    let gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    let mut builder = tar::Builder::new(Summed::new(gzip));
    let mut header = tar::Header::new_gnu();
    header.set_size(BYTES);
    header.set_mode(0o644);
    builder.append_data(&mut header, "large", std::io::Read::take(std::io::repeat(b'x'), BYTES)).unwrap();
    let (gzip, plain, _) = builder.into_inner().unwrap().digest();
    let (mut file, packed, size) = gzip.finish().unwrap().digest();
    file.flush().unwrap();

    let config = json!({"rootfs": {"diff_ids": [plain.to_string()]}});
    let config = serde_json::to_vec(&config).unwrap();
    let manifest = json!({
        "config": descriptor("", &config),
        "layers": [{"mediaType": "", "digest": packed.to_string(), "size": size}],
    });
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let layout = dir.path().join("layout");
    let files = [&config, &manifest].map(|bytes| (crate::images::blob_path(bytes), bytes.clone()));
    write_folder(&layout, &files);
    write_folder(&layout, &[("index.json".to_owned(), index(&[descriptor("", &manifest)]))]);
    fs::rename(&path, layout.join("blobs").join(packed.to_string().replace(':', "/"))).unwrap();

    let (_kept, layers) = layers();
    let before = peak();
    let source = Source::Local { path: layout, image: None };
    let image = oci::load(&source, &layers, &LoadOptions::default()).await.unwrap();
    assert_eq!(image.root.bytes(), BYTES);
    let grown = peak() - before;
    assert!(grown < 48 << 10, "{grown} KiB more for a layer of {BYTES} bytes");
}
