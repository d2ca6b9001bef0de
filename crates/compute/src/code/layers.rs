//! Layers: packages that are unpacked like any other, and lie over each other in one folder. Files are further names of the packages'
//! own, so what several functions share is on the disk once.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::Path;

use super::{CodeError, CodeId, Codes, publish, remove, touch};

impl CodeId {
    /// What layers make together, the lowest first: themselves if there is only one, nothing if there is none.
    pub fn of_layers(layers: &[Self]) -> Option<Self> {
        match layers {
            [] => None,
            [one] => Some(one.clone()),
            several => {
                let list: String = several.iter().map(|layer| format!("{layer}\n")).collect();
                Some(Self::of(format!("layers\n{list}").as_bytes()))
            }
        }
    }
}

impl Codes {
    /// Lays unpacked packages over each other, once; none if one of them is not here. Blocks.
    pub(crate) fn lay(&self, layers: &[CodeId]) -> Result<Option<()>, CodeError> {
        let Some(together) = CodeId::of_layers(layers) else { return Ok(Some(())) };
        if let Some(path) = self.path(&together) {
            touch(&path)?;
            return Ok(Some(()));
        }
        let Some(paths) = layers.iter().map(|layer| self.path(layer)).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let new = self.dir.join(format!("new-{}", self.random.uuid()));
        let laid = fs::DirBuilder::new()
            .mode(0o755)
            .create(&new)
            .and_then(|()| paths.iter().try_for_each(|path| lay(path, &new)))
            .map_err(CodeError::from)
            .and_then(|()| publish(&new, &self.dir.join(together.as_str())));
        if laid.is_err() {
            remove(&new)?;
        }
        laid.map(Some)
    }

    /// What the files of a package have together; none if it is not here. Blocks.
    pub(crate) fn bytes(&self, code: &CodeId) -> Result<Option<u64>, CodeError> {
        self.path(code).map(|path| bytes_below(&path)).transpose().map_err(CodeError::from)
    }
}

/// Lays one folder over another. What is there and is not a folder on both sides gives way.
fn lay(from: &Path, onto: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, onto.join(entry.file_name()));
        let below = match fs::symlink_metadata(&target) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        match below {
            Some(below) if below.is_dir() && kind.is_dir() => {}
            Some(below) if below.is_dir() => remove(&target)?,
            Some(_) => fs::remove_file(&target)?,
            None => {}
        }
        if kind.is_dir() {
            match fs::DirBuilder::new().mode(0o755).create(&target) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => fs::set_permissions(&target, Permissions::from_mode(0o755))?,
            }
            lay(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            link_or_copy(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// A further name, where the disk allows one more.
fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(_) => fs::copy(from, to).map(drop),
    }
}

/// Links count as what they are; packages are bounded, so this is too.
fn bytes_below(folder: &Path) -> io::Result<u64> {
    let (mut bytes, mut folders) = (0, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                bytes += entry.metadata()?.len();
            }
        }
    }
    Ok(bytes)
}
