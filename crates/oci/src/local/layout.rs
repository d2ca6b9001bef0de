//! OCI image layouts: `index.json` lists manifests, `blobs/ALGORITHM/DIGEST` are all else.

use serde::Deserialize;

use super::files::Files;
use super::means;
use crate::limits::INDEX_DEPTH_MAX;
use crate::load::{At, Blob, Found};
use crate::manifest::{self, Descriptor, Document, Manifest};
use crate::{Digest, Error, Platform};

/// What an entry of the index is called: its tag, and, from some tools, its whole name.
const NAMES: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MarkShape {
    image_layout_version: String,
}

pub(super) fn find(files: &Files, image: Option<&str>, platform: &Platform) -> Result<Found, Error> {
    let name = files.path().display().to_string();
    if files.place("oci-layout")?.is_some() {
        let mark: MarkShape = manifest::json(&format!("'oci-layout' in {name}"), &files.document("oci-layout")?)?;
        if !mark.image_layout_version.starts_with("1.") {
            let why = format!("it is a layout of version {}, and only version 1 is known", mark.image_layout_version);
            return Err(files.no_image(why));
        }
    }
    let what = format!("'index.json' in {name}");
    let listed = match manifest::read_document(&what, &files.document("index.json")?, "")? {
        Document::Index(listed) => named(files, listed, image)?,
        Document::Manifest(_) => return Err(files.no_image("its index is a manifest")),
    };
    let mut descriptor = manifest::choose(&name, &listed, platform)?.clone();
    for _ in 0..INDEX_DEPTH_MAX {
        let bytes = blob(files, &descriptor, "manifest")?;
        let what = format!("manifest {}", descriptor.digest);
        match manifest::read_document(&what, &bytes, &descriptor.media_type)? {
            Document::Index(listed) => descriptor = manifest::choose(&name, &listed, platform)?.clone(),
            Document::Manifest(manifest) => return whole(files, name, descriptor.digest, &manifest),
        }
    }
    Err(files.no_image("its indexes lie too deep in each other"))
}

/// The entries that are meant: all that have the name; without one, all, if they are the same image for several platforms.
fn named(files: &Files, listed: Vec<Descriptor>, wanted: Option<&str>) -> Result<Vec<Descriptor>, Error> {
    let names = |one: &Descriptor| -> Vec<String> {
        NAMES.iter().filter_map(|key| one.annotations.get(*key).cloned()).collect()
    };
    let mut known: Vec<String> = listed.iter().filter_map(|one| names(one).into_iter().next()).collect();
    known.sort();
    known.dedup();
    let which = |wanted: Option<&str>, names| Error::WhichImage {
        path: files.path().to_owned(),
        wanted: wanted.map(str::to_owned),
        names,
    };
    let Some(wanted) = wanted else {
        let unlike = known.len() > 1 || (listed.len() > 1 && listed.iter().all(|one| one.platform().is_none()));
        // The same bytes under several names are one image all the same.
        let same = listed.iter().all(|one| one.digest == listed[0].digest);
        return if unlike && !same { Err(which(None, known)) } else { Ok(listed) };
    };
    let meant: Vec<Descriptor> =
        listed.into_iter().filter(|one| names(one).iter().any(|name| means(wanted, name))).collect();
    if meant.is_empty() { Err(which(Some(wanted), known)) } else { Ok(meant) }
}

fn whole(files: &Files, name: String, digest: Digest, manifest: &Manifest) -> Result<Found, Error> {
    let what = format!("configuration {}", manifest.config.digest);
    let configuration = manifest::read_configuration(&what, &blob(files, &manifest.config, "configuration")?)?;
    let mut layers = Vec::new();
    for layer in &manifest.layers {
        let place = files.need(&layer.digest.blob_path())?;
        if place.len != layer.size {
            let what = format!("layer {}", layer.digest);
            return Err(Error::SizeMismatch { what, expected: layer.size, found: place.len });
        }
        layers.push(Blob { digest: Some(layer.digest.clone()), size: layer.size, at: At::Here(place) });
    }
    Ok(Found { name, digest, configuration, layers, scratch: files.scratch() })
}

/// A document by its digest, checked.
fn blob(files: &Files, descriptor: &Descriptor, kind: &str) -> Result<Vec<u8>, Error> {
    let bytes = files.document(&descriptor.digest.blob_path())?;
    crate::load::check(kind, descriptor, &bytes)?;
    Ok(bytes)
}
