//! Images made in a test: layers, documents, and the forms in which they are kept.

use std::fs;
use std::io::Write;
use std::path::Path;

use oci::{Digest, Layers, Options};
use serde_json::{Value, json};

/// What a layer is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    File(String, String),
    Folder(String),
    Link(String, String),
    Hard(String, String),
}

pub fn file(name: &str, content: &str) -> Item {
    Item::File(name.to_owned(), content.to_owned())
}

/// A layer's archive.
pub fn archive(items: &[Item]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for item in items {
        let (kind, name, link, content) = match item {
            Item::File(name, content) => (tar::EntryType::Regular, name, "", content.as_str()),
            Item::Folder(name) => (tar::EntryType::Directory, name, "", ""),
            Item::Link(name, to) => (tar::EntryType::Symlink, name, to.as_str(), ""),
            Item::Hard(name, to) => (tar::EntryType::Link, name, to.as_str(), ""),
        };
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(if content.starts_with("#!") { 0o755 } else { 0o644 });
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

#[derive(Clone, Copy, Debug)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
}

pub fn pack(bytes: &[u8], packing: Packing) -> Vec<u8> {
    match packing {
        Packing::Plain => bytes.to_vec(),
        Packing::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Packing::Zstd => ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest),
    }
}

/// An image, ready to be put anywhere.
#[derive(Clone, Debug)]
pub struct Made {
    pub platform: String,
    pub config: Vec<u8>,
    pub manifest: Vec<u8>,
    /// Packed.
    pub layers: Vec<Vec<u8>>,
    /// What they unpack to.
    pub plain: Vec<Digest>,
}

/// An image for this machine.
pub fn image(layers: &[&[Item]]) -> Made {
    image_for(&oci::Platform::host().to_string(), layers, Packing::Gzip, &json!({"Cmd": ["/run"]}))
}

pub fn image_for(platform: &str, layers: &[&[Item]], packing: Packing, config: &Value) -> Made {
    let plain: Vec<Vec<u8>> = layers.iter().map(|items| archive(items)).collect();
    let packed: Vec<Vec<u8>> = plain.iter().map(|bytes| pack(bytes, packing)).collect();
    let plain: Vec<Digest> = plain.iter().map(|bytes| Digest::of(bytes)).collect();
    let mut parts = platform.split('/');
    let config = json!({
        "os": parts.next(), "architecture": parts.next(), "variant": parts.next().unwrap_or_default(),
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": plain.iter().map(ToString::to_string).collect::<Vec<_>>()},
    });
    let config = serde_json::to_vec(&config).unwrap();
    let kind = match packing {
        Packing::Plain => "application/vnd.oci.image.layer.v1.tar",
        Packing::Gzip => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        Packing::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": packed.iter().map(|layer| descriptor(kind, layer)).collect::<Vec<_>>(),
    });
    let manifest = serde_json::to_vec(&manifest).unwrap();
    Made { platform: platform.to_owned(), config, manifest, layers: packed, plain }
}

pub fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(bytes).to_string(), "size": bytes.len()})
}

impl Made {
    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    /// Its entry in an index; with a name, for layouts.
    pub fn entry(&self, name: Option<&str>) -> Value {
        let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", &self.manifest);
        let mut parts = self.platform.split('/');
        entry["platform"] =
            json!({"os": parts.next(), "architecture": parts.next(), "variant": parts.next().unwrap_or_default()});
        if let Some(name) = name {
            entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        }
        entry
    }

    /// All bytes that have digests.
    pub fn blobs(&self) -> impl Iterator<Item = &[u8]> {
        [&self.config[..], &self.manifest[..]].into_iter().chain(self.layers.iter().map(Vec::as_slice))
    }
}

/// An index.
pub fn index(entries: &[Value]) -> Vec<u8> {
    let kind = "application/vnd.oci.image.index.v1+json";
    serde_json::to_vec(&json!({"schemaVersion": 2, "mediaType": kind, "manifests": entries})).unwrap()
}

/// The files of a layout.
pub fn layout(images: &[(&Made, Option<&str>)]) -> Vec<(String, Vec<u8>)> {
    let entries: Vec<Value> = images.iter().map(|(made, name)| made.entry(*name)).collect();
    let mut files = vec![
        ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        ("index.json".to_owned(), index(&entries)),
    ];
    for (made, _) in images {
        files.extend(made.blobs().map(|bytes| (blob_path(bytes), bytes.to_vec())));
    }
    files
}

pub fn blob_path(bytes: &[u8]) -> String {
    format!("blobs/{}", Digest::of(bytes).to_string().replace(':', "/"))
}

/// The files of an archive as `docker save` made it until version 24: layers in folders of their own.
pub fn saved(images: &[(&Made, &[&str])]) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut manifest = Vec::new();
    for (number, (made, names)) in images.iter().enumerate() {
        let config = format!("{}.json", Digest::of(&made.config).to_string().trim_start_matches("sha256:"));
        let layers: Vec<String> = (0..made.layers.len()).map(|layer| format!("{number}-{layer}/layer.tar")).collect();
        files.push((config.clone(), made.config.clone()));
        files.extend(layers.iter().cloned().zip(made.layers.iter().cloned()));
        manifest.push(json!({"Config": config, "RepoTags": names, "Layers": layers}));
    }
    files.push(("manifest.json".to_owned(), serde_json::to_vec(&manifest).unwrap()));
    files
}

/// Writes files into a folder.
pub fn write_folder(dir: &Path, files: &[(String, Vec<u8>)]) {
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Files as an archive.
pub fn as_archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A folder of layers that is gone after the test.
pub fn layers() -> (tempfile::TempDir, Layers) {
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers::open(&dir.path().join("layers"), Options::default()).unwrap();
    (dir, layers)
}

/// What is in a tree: each path with its content, target, or a slash.
pub fn listed(tree: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(tree).unwrap().display().to_string();
            let metadata = fs::symlink_metadata(&path).unwrap();
            found.push(if metadata.is_dir() {
                folders.push(path);
                format!("{name}/")
            } else if metadata.is_symlink() {
                format!("{name} -> {}", fs::read_link(&path).unwrap().display())
            } else if metadata.is_file() {
                format!("{name} = {}", fs::read_to_string(&path).unwrap())
            } else {
                format!("{name} hidden")
            });
        }
    }
    found.sort();
    found
}
