//! A root made of layers, in two forms: folders to be laid over each other, or one folder.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::pins::Pin;
use super::{Layers, flat};
use crate::{Digest, Error};

/// What the system takes as the options of a mount, with the zero at its end.
const OPTIONS_BYTES_MAX: usize = 4096;

/// Layers that make a root, the lowest first. While it is held (clones included) no sweep removes them.
#[derive(Clone, Debug)]
pub struct Root {
    store: Layers,
    layers: Arc<[Digest]>,
    _pin: Arc<Pin>,
}

/// Folders to be laid over each other by an overlay file system, **the uppermost first**, as the system wants them.
///
/// Their marks are of the kind that the mount option `userxattr` reads, so that it works without privilege too. Without an upper
/// folder an overlay needs two folders at least: one alone is to be bound instead. None of them may ever be written: the same files are
/// in other roots, and may be in flat ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// The folders.
    pub lower: Vec<PathBuf>,
}

impl Root {
    pub(super) fn new(store: Layers, layers: Vec<Digest>, pin: Pin) -> Self {
        Self { store, layers: layers.into(), _pin: Arc::new(pin) }
    }

    /// The layers, the lowest first.
    pub fn layers(&self) -> &[Digest] {
        &self.layers
    }

    /// What all files together have, holes included; what one layer hides of another counts too. Blocks.
    pub fn bytes(&self) -> u64 {
        self.visible().iter().filter_map(|layer| self.store.record(layer)).map(|record| record.bytes).sum()
    }

    /// The folders for an overlay, if the disk keeps what one needs. Blocks.
    pub fn overlay(&self) -> Result<Overlay, Error> {
        let mut lower = Vec::new();
        for layer in self.visible().into_iter().rev() {
            let record = self.store.record(&layer);
            let record = record.ok_or_else(|| Error::LayersMissing { count: 1, first: layer.clone() })?;
            if let Some(why) = record.overlay_refusal {
                return Err(Error::NoOverlay { why });
            }
            lower.push(self.store.tree(&layer));
        }
        Ok(Overlay { lower })
    }

    /// All layers in one folder, for machines that cannot overlay. It is made once and kept; files share their bytes with the layers,
    /// so **it must never be written**: mount it read-only.
    pub async fn flat(&self) -> Result<PathBuf, Error> {
        let _alone = self.store.gate(flat::name(&self.layers)).await;
        let root = self.clone();
        let made = tokio::task::spawn_blocking(move || flat::make(&root.store, &root.layers, &root.visible()));
        made.await.map_err(|error| Error::Disk { doing: "flattening layers".to_owned(), source: error.into() })?
    }

    /// Without what cannot be seen: layers below one that hides everything, and all but the uppermost of a layer that comes twice
    /// (laying it over others a second time changes nothing that the last time does not).
    fn visible(&self) -> Vec<Digest> {
        let mut seen = HashSet::new();
        let mut layers = Vec::new();
        for layer in self.layers.iter().rev() {
            if seen.insert(layer) {
                layers.push(layer.clone());
            }
            if self.store.record(layer).is_some_and(|record| record.hides_all) {
                break;
            }
        }
        layers.reverse();
        layers
    }
}

impl Overlay {
    /// The options of a mount, read-only: `userxattr,lowerdir=…`. `None` if that is longer than the system takes in one piece; newer
    /// systems take the folders one by one.
    pub fn options(&self) -> Option<String> {
        let mut options = String::from("userxattr,lowerdir=");
        for (index, path) in self.lower.iter().enumerate() {
            if index > 0 {
                options.push(':');
            }
            for letter in path.to_str()?.chars() {
                if matches!(letter, ':' | ',' | '\\') {
                    options.push('\\');
                }
                options.push(letter);
            }
        }
        (options.len() < OPTIONS_BYTES_MAX).then_some(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_escaped_and_bounded() {
        let options = |paths: &[&str]| Overlay { lower: paths.iter().map(PathBuf::from).collect() }.options();
        assert_eq!(options(&["/a", "/b"]).as_deref(), Some("userxattr,lowerdir=/a:/b"));
        assert_eq!(options(&["/a:b", "/c,d\\e"]).as_deref(), Some("userxattr,lowerdir=/a\\:b:/c\\,d\\\\e"));
        assert_eq!(options(&vec!["/a/path/of/some/length"; 200]), None);
    }
}
