//! What `docker save` makes: `manifest.json` lists images, each with the names of its configuration and its layers.

use serde::Deserialize;

use super::files::Files;
use super::means;
use crate::limits::IMAGES_MAX;
use crate::load::{At, Blob, Found};
use crate::{Digest, Error, Platform, manifest};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedShape {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl SavedShape {
    fn names(&self) -> &[String] {
        self.repo_tags.as_deref().unwrap_or_default()
    }
}

pub(super) fn find(files: &Files, image: Option<&str>, platform: &Platform) -> Result<Found, Error> {
    let path = files.path().display();
    let saved: Vec<SavedShape> =
        manifest::json(&format!("'manifest.json' in {path}"), &files.document("manifest.json")?)?;
    let saved = chosen(files, &saved, image, platform)?;
    let bytes = files.document(&saved.config)?;
    let digest = Digest::of(&bytes);
    if let Some(expected) = named_digest(&saved.config).filter(|expected| *expected != digest) {
        return Err(Error::DigestMismatch { what: "the configuration".to_owned(), expected, found: digest });
    }
    let configuration = manifest::read_configuration(&format!("configuration {digest}"), &bytes)?;
    let mut layers = Vec::new();
    for layer in &saved.layers {
        let place = files.need(layer)?;
        layers.push(Blob { digest: None, size: place.len, at: At::Here(place) });
    }
    Ok(Found { name: path.to_string(), digest, configuration, layers, scratch: files.scratch() })
}

/// The image of that name; without one, the only one, or the only one that is for this platform.
fn chosen<'a>(
    files: &Files,
    saved: &'a [SavedShape],
    wanted: Option<&str>,
    platform: &Platform,
) -> Result<&'a SavedShape, Error> {
    let meant: Vec<&SavedShape> = match wanted {
        Some(wanted) => saved.iter().filter(|one| one.names().iter().any(|name| means(wanted, name))).collect(),
        None => saved.iter().collect(),
    };
    match meant.as_slice() {
        [one] => return Ok(one),
        [] if saved.is_empty() => return Err(files.no_image("its manifest lists no image")),
        [] | [..] => {}
    }
    if meant.len() > IMAGES_MAX {
        return Err(files.no_image(format!("it lists more than {IMAGES_MAX} images of that name")));
    }
    let mut fitting = Vec::new();
    for one in meant {
        let found = manifest::read_configuration("a configuration", &files.document(&one.config)?)?;
        if platform.fit(&found.platform).is_some() {
            fitting.push(one);
        }
    }
    match fitting.as_slice() {
        [one] if wanted.is_some() || saved.iter().all(|other| other.names() == one.names()) => Ok(one),
        _ => Err(Error::WhichImage {
            path: files.path().to_owned(),
            wanted: wanted.map(str::to_owned),
            names: saved.iter().flat_map(|one| one.names().iter().cloned()).collect(),
        }),
    }
}

/// The digest that a configuration's file name tells: `DIGEST.json`, or `blobs/sha256/DIGEST`.
fn named_digest(name: &str) -> Option<Digest> {
    let last = name.rsplit('/').next()?;
    Digest::from_sha256_hex(last.strip_suffix(".json").unwrap_or(last))
}
