//! Images that are on this machine already: layouts and saved archives, in folders or tar archives.
//!
//! Both forms are documents and blobs under names. Where the names are kept is the matter of [`Files`], what they mean of [`layout`] and
//! [`saved`]. Nothing is copied: a layer is unpacked from where it lies.

mod files;
mod layout;
mod saved;

use std::path::Path;

use crate::load::Found;
use crate::{Error, Layers, Platform};
use files::Files;

/// Finds an image. Blocks.
pub(crate) fn find(path: &Path, image: Option<&str>, platform: &Platform, layers: &Layers) -> Result<Found, Error> {
    let files = Files::open(path, layers)?;
    if files.place("index.json")?.is_some() {
        layout::find(&files, image, platform)
    } else if files.place("manifest.json")?.is_some() {
        saved::find(&files, image, platform)
    } else if files.place("repositories")?.is_some() {
        Err(files.no_image("a tool from before 2016 saved it: save it again with a current one"))
    } else {
        Err(files.no_image(
            "it has neither 'index.json' (an OCI image layout) nor 'manifest.json' (what 'docker save' makes)",
        ))
    }
}

/// True if a name that people write means an image that is known by another: the same, the same tag, or the same when completed.
fn means(wanted: &str, known: &str) -> bool {
    let completed = |name: &str| name.parse::<crate::Reference>().ok();
    wanted == known || completed(wanted).is_some_and(|wanted| completed(known) == Some(wanted))
}
