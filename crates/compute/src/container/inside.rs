//! Looking into an image's root from outside without leaving it: every link is followed as it would be inside.

use std::fs::{self, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use sandbox::Plan;

use super::ContainerError;

/// Where external extensions are.
const EXTENSIONS: &str = "/opt/extensions";
/// What of them is built in.
const BUILT_IN: &str = "lambda-adapter";
/// More are not named.
const EXTENSIONS_MAX: usize = 16;

/// Opens what is at a path of a root, without reading it.
fn open(root: &Path, path: &Path) -> rustix::io::Result<OwnedFd> {
    let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// What is at a path of a root: its kind and its permissions.
pub(super) fn look(root: &Path, path: &Path) -> Option<(rustix::fs::FileType, Permissions)> {
    let found = rustix::fs::fstat(open(root, path).ok()?).ok()?;
    Some((rustix::fs::FileType::from_raw_mode(found.st_mode), Permissions::from_mode(found.st_mode)))
}

/// True if there is a file at that path.
pub(crate) fn is_file(root: &Path, path: &Path) -> bool {
    look(root, path).is_some_and(|(kind, _)| kind == rustix::fs::FileType::RegularFile)
}

/// The names of the external extensions that a root brings, but for those that are built in. Blocks.
pub(crate) fn extensions(root: &Path, below: &str) -> Vec<String> {
    let Ok(folder) = open(root, Path::new(below)) else { return Vec::new() };
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&folder));
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let names = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()));
    let names = names.map(|entry| entry.file_name().to_string_lossy().chars().filter(|c| !c.is_control()).collect());
    let mut names: Vec<String> = names.filter(|name| name != BUILT_IN).take(EXTENSIONS_MAX).collect();
    names.sort();
    names
}

/// Where a container image's extensions are.
pub(crate) fn extensions_of_image(root: &Path) -> Vec<String> {
    extensions(root, EXTENSIONS)
}

/// Refuses a root that a sandbox would not take. Blocks.
pub(super) fn check_entries(root: &Path) -> Result<(), ContainerError> {
    let count = |path: &Path| fs::read_dir(path).map_or(0, |entries| entries.take(Plan::ROOT_ENTRIES_MAX + 1).count());
    let settings = root.join("etc");
    let settings = fs::symlink_metadata(&settings).is_ok_and(|found| found.is_dir()).then(|| count(&settings));
    match count(root) + settings.unwrap_or(0) > Plan::ROOT_ENTRIES_MAX {
        true => Err(ContainerError::Entries { limit: Plan::ROOT_ENTRIES_MAX }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("opt/extensions")).unwrap();
        fs::write(dir.path().join("secret"), "").unwrap();
        fs::write(root.join("file"), "").unwrap();
        symlink("/file", root.join("absolute")).unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink(dir.path().join("secret"), root.join("far")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        for (path, expected) in [
            ("file", true),
            ("/file", true),
            ("/absolute", true),
            ("/../../file", true),
            ("/out", false),
            ("/far", false),
            ("/loop", false),
            ("/opt", false),
            ("/nowhere", false),
        ] {
            assert_eq!(is_file(&root, Path::new(path)), expected, "{path}");
        }
        for name in ["agent", "lambda-adapter", "b\nad"] {
            fs::write(root.join("opt/extensions").join(name), "").unwrap();
        }
        assert_eq!(extensions_of_image(&root), ["agent", "bad"]);
        fs::remove_dir_all(root.join("opt")).unwrap();
        symlink(dir.path(), root.join("opt")).unwrap();
        assert_eq!(extensions_of_image(&root), [""; 0]);
    }
}
