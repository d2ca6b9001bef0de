//! Several layers as one folder. Files are further names of the layers' own, so it costs folders and links only; where a disk allows
//! no further names, it shares or copies the bytes.

use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use rustix::fs::FileType;

use super::{FLAT, Layers, Scratch};
use crate::layer::{Folder, Found, Marks, TREE, copy_or_link};
use crate::{Digest, Error};

/// The name of the flat root that these layers make.
pub(super) fn name(layers: &[Digest]) -> String {
    let list: String = layers.iter().map(|layer| format!("{layer}\n")).collect();
    Digest::of(list.as_bytes()).file_name()
}

/// Makes it, unless it is there. `layers` name it, `visible` are those of them that matter. Blocks.
pub(super) fn make(store: &Layers, layers: &[Digest], visible: &[Digest]) -> Result<PathBuf, Error> {
    if let [one] = visible {
        let path = store.path(one);
        let marks = Marks::read(&path).map_err(|error| Error::disk("reading", &path, error))?;
        if marks.is_empty() {
            return Ok(path.join(TREE));
        }
    }
    let name = name(layers);
    let made = store.0.dir.join(FLAT).join(&name);
    if !made.is_dir() {
        let new = Scratch(store.temporary());
        let disk = |error| Error::disk("flattening layers into", &new.0, error);
        fs::DirBuilder::new().mode(0o700).create(&new.0).map_err(disk)?;
        let tree = new.0.join(TREE);
        fs::create_dir(&tree).map_err(disk)?;
        let root = Folder::root(&tree).map_err(disk)?;
        for layer in visible {
            let path = store.path(layer);
            let marks = Marks::read(&path).map_err(|error| Error::disk("reading", &path, error))?;
            take_away(&root, &marks).map_err(disk)?;
            let from = Folder::root(&path.join(TREE)).map_err(|error| Error::disk("reading", &path, error))?;
            lay(&from, &root).map_err(disk)?;
        }
        File::open(&new.0).and_then(|new| Ok(rustix::fs::syncfs(new)?)).map_err(disk)?;
        store.place(&new.0, FLAT, &name)?;
    }
    Ok(made.join(TREE))
}

/// Removes what a layer hides. A path whose folders are not there, or are links, hides nothing.
fn take_away(root: &Folder, marks: &Marks) -> std::io::Result<()> {
    for path in &marks.opaque {
        if let Some(folder) = root.descend(path)? {
            folder.empty()?;
        }
    }
    for path in &marks.whiteouts {
        let (folder, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&b""[..], &path[..]),
        };
        if let Some(folder) = root.descend(folder)? {
            folder.remove(name)?;
        }
    }
    Ok(())
}

/// Lays one tree over another.
fn lay(from: &Folder, onto: &Folder) -> std::io::Result<()> {
    let (mode, modified) = from.settings()?;
    onto.set_mode(mode)?;
    for name in from.names()? {
        let name = name?;
        match from.look(&name)? {
            Found::Folder(folder) => {
                let below = match onto.look(&name)? {
                    Found::Folder(below) => below,
                    Found::Link(_) | Found::Other | Found::Nothing => {
                        onto.remove(&name)?;
                        onto.make(&name, 0o755)?
                    }
                };
                lay(&folder, &below)?;
            }
            // The mark of a whiteout, which was taken care of.
            Found::Other if from.kind(&name)? == Some(FileType::CharacterDevice) => {}
            Found::Link(_) | Found::Other => {
                onto.remove(&name)?;
                copy_or_link((from, &name), (onto, &name))?;
            }
            Found::Nothing => {}
        }
    }
    onto.touch_self(modified)
}
