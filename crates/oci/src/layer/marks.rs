//! What a layer takes away from the layers below it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

const FILE: &str = "marks";

/// Paths from the layer's root, without links and without a slash in front. The root itself is the empty path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Folders of which only this layer's content is to be seen.
    pub(crate) opaque: BTreeSet<Vec<u8>>,
    /// What is to be seen no more. Never below an opaque folder, and never something that the layer has itself.
    pub(crate) whiteouts: BTreeSet<Vec<u8>>,
}

impl Marks {
    /// True if the layer hides everything below it.
    pub(crate) fn hides_all(&self) -> bool {
        self.opaque.contains(&b""[..])
    }

    /// True if the layer takes nothing away.
    pub(crate) fn is_empty(&self) -> bool {
        self.opaque.is_empty() && self.whiteouts.is_empty()
    }

    /// True if a folder above `path` is opaque.
    pub(crate) fn is_below_opaque(&self, path: &[u8]) -> bool {
        let above = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[..at]);
        !path.is_empty() && above.chain([&b""[..]]).any(|folder| self.opaque.contains(folder))
    }

    /// Writes them beside the layer's tree: each a letter, the path, and a zero.
    pub(super) fn write(&self, layer: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(layer.join(FILE))?);
        for (letter, paths) in [(b'o', &self.opaque), (b'w', &self.whiteouts)] {
            for path in paths {
                file.write_all(&[letter])?;
                file.write_all(path)?;
                file.write_all(&[0])?;
            }
        }
        file.into_inner().map_err(io::IntoInnerError::into_error).map(drop)
    }

    /// Reads them again.
    pub(crate) fn read(layer: &Path) -> io::Result<Self> {
        let bytes = fs::read(layer.join(FILE))?;
        let mut marks = Self::default();
        for mark in bytes.split(|byte| *byte == 0) {
            match mark.split_first() {
                Some((b'o', path)) => marks.opaque.insert(path.to_vec()),
                Some((b'w', path)) => marks.whiteouts.insert(path.to_vec()),
                None => continue,
                Some((_, _)) => return Err(io::Error::new(io::ErrorKind::InvalidData, "a mark of no known kind")),
            };
        }
        Ok(marks)
    }
}
