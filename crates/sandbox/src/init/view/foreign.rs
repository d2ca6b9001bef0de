//! A root that is not the machine's own: a folder of the host, such as a container image's, in the place of the system's folders.
//!
//! What lies in it comes into the guest's root one by one, so that nothing has to be there to be mounted on: the folder is never
//! written. What a guest gets from us (`/proc`, `/dev`, `/tmp`, whom to ask for names) comes in the place of what lies there, and so do
//! the folders themselves if they are links, because what we write must not follow them.

use std::fs::{self, FileType};
use std::path::{Path, PathBuf};

use super::{Kind, Link, READ_ONLY, Step, Tree, copy};
use crate::init::Failure;
use crate::plan::Plan;

/// What the guest has of its own.
const OWN: &[&str] = &["proc", "sys", "dev", "tmp"];
/// The folder that has files of both.
const SETTINGS: &str = "etc";
/// Those of ours in there.
const OWN_SETTINGS: &[&str] = &["hosts", "resolv.conf"];

/// Opens copies of all that the guest sees of that folder.
pub(super) fn gather(root: &Path) -> Result<(Vec<Tree>, Vec<Link>), Failure> {
    let mut found = Found { trees: Vec::new(), links: Vec::new(), left: Plan::ROOT_ENTRIES_MAX };
    found.folder(root, Path::new("/"), OWN)?;
    let settings = root.join(SETTINGS);
    if fs::symlink_metadata(&settings).is_ok_and(|found| found.is_dir()) {
        found.folder(&settings, Path::new("/etc"), OWN_SETTINGS)?;
    }
    Ok((found.trees, found.links))
}

struct Found {
    trees: Vec<Tree>,
    links: Vec<Link>,
    /// How many more there may be.
    left: usize,
}

impl Found {
    fn folder(&mut self, source: &Path, target: &Path, without: &[&str]) -> Result<(), Failure> {
        for entry in fs::read_dir(source).step("listing the root")? {
            let entry = entry.step("listing the root")?;
            let name = entry.file_name();
            let is_ours = without.iter().any(|one| name == *one) || (target == Path::new("/") && name == SETTINGS);
            if !is_ours {
                let kind = entry.file_type().step("looking at the root")?;
                self.add(&entry.path(), target.join(&name), kind)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, source: &Path, target: PathBuf, kind: FileType) -> Result<(), Failure> {
        self.left = self.left.checked_sub(1).ok_or_else(|| Failure {
            step: "listing the root".to_owned(),
            source: std::io::Error::other(format!("it has more than {} entries", Plan::ROOT_ENTRIES_MAX)),
        })?;
        if kind.is_symlink() {
            self.links.push((target, fs::read_link(source).step("reading a link")?));
        } else if kind.is_dir() || kind.is_file() {
            let tree = copy(source, &target, READ_ONLY | libc::MOUNT_ATTR_NODEV);
            let tree = tree.step(&format!("opening {}", source.display()))?;
            debug_assert!((tree.kind == Kind::Folder) == kind.is_dir(), "nobody else writes there");
            self.trees.push(tree);
        }
        // Devices, pipes and sockets are not carried over.
        Ok(())
    }
}
