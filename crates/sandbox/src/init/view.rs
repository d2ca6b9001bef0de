//! The guest's root: a read-only view of the system, its code, a private `/tmp`, `/proc` and a few devices. Nothing else of the
//! host is there, whatever its permissions.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change, move_mount,
    open_tree, unmount,
};

use super::{Failure, Step};
use crate::plan::Plan;
use crate::sys::{self, Recursive};

/// The system's own folders, as far as the host has them. Where one is a link (to `/usr`, on most systems), so it is for the guest.
const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What programs need to know of the system: loading libraries, resolving names, trusting certificates, telling the time.
const SETTINGS: &[&str] = &[
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/mime.types",
    "/etc/localtime",
    "/etc/os-release",
];

/// Devices that cannot do harm.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID;
/// `st_mode` of what the guest's root has in folders of its own.
const FOLDER: u32 = 0o755;

/// A detached copy of something of the host, and where it goes.
struct Tree {
    tree: OwnedFd,
    target: PathBuf,
    kind: Kind,
}

/// Where a link is, and to what.
type Link = (PathBuf, PathBuf);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
}

/// Builds the root and makes it ours. Runs as the first process of the new namespaces.
pub(super) fn build(plan: &Plan) -> Result<(), Failure> {
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .step("parting from the host's mounts")?;
    // First everything is opened, because what is mounted next may lie over where it is.
    let (trees, links) = gather(plan)?;
    let stage = Path::new(if Path::new("/tmp").is_dir() { "/tmp" } else { "/usr" });
    tmpfs(stage, "size=1m,nr_inodes=4096,mode=755").step("mounting the root")?;
    for (at, to) in links.iter().chain(&plan.links) {
        let at = under(stage, at);
        folder(at.parent().unwrap_or(stage)).step("making the folder of a link")?;
        symlink(to, &at).step("making a link")?;
    }
    for tree in &trees {
        place(stage, tree).step(&format!("mounting {}", tree.target.display()))?;
    }
    own_files(stage).step("writing the guest's own files")?;
    own_mounts(stage, plan)?;
    pivot(stage)
}

/// Opens copies of all that the guest sees of the host.
fn gather(plan: &Plan) -> Result<(Vec<Tree>, Vec<Link>), Failure> {
    let mut trees = Vec::new();
    let mut links = Vec::new();
    for path in SYSTEM.iter().chain(SETTINGS).map(Path::new) {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() && SYSTEM.iter().any(|system| Path::new(system) == path) => {
                links.push((path.to_owned(), fs::read_link(path).step("reading a link")?));
            }
            // A link in /etc may lead out of the view, so what it leads to is mounted in its place.
            Ok(_) => trees.extend(copy(path, path, READ_ONLY | libc::MOUNT_ATTR_NODEV).ok()),
            Err(_) => {}
        }
    }
    for path in DEVICES.iter().map(Path::new) {
        trees.push(copy(path, path, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC).step("opening a device")?);
    }
    for mount in &plan.mounts {
        let tree = copy(&mount.source, &mount.target, READ_ONLY | libc::MOUNT_ATTR_NODEV);
        trees.push(tree.step(&format!("opening {}", mount.source.display()))?);
    }
    Ok((trees, links))
}

fn copy(source: &Path, target: &Path, attributes: u64) -> io::Result<Tree> {
    let kind = if fs::metadata(source)?.is_dir() { Kind::Folder } else { Kind::File };
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(CWD, source, flags)?;
    sys::restrict_mount(tree.as_fd(), attributes, Recursive::Yes)?;
    Ok(Tree { tree, target: target.to_owned(), kind })
}

fn place(stage: &Path, tree: &Tree) -> io::Result<()> {
    let target = under(stage, &tree.target);
    match tree.kind {
        Kind::Folder => folder(&target)?,
        Kind::File => {
            folder(target.parent().unwrap_or(stage))?;
            fs::File::create(&target)?;
        }
    }
    move_mount(tree.tree.as_fd(), "", CWD, &target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(())
}

/// Files that are not the host's.
fn own_files(stage: &Path) -> io::Result<()> {
    folder(&under(stage, Path::new("/etc")))?;
    let (uid, gid) = (super::GUEST_UID, super::GUEST_GID);
    let passwd = format!("root:x:0:0:root:/root:/sbin/nologin\nguest:x:{uid}:{gid}::/tmp:/sbin/nologin\n");
    fs::write(under(stage, Path::new("/etc/passwd")), passwd)?;
    fs::write(under(stage, Path::new("/etc/group")), format!("root:x:0:\nguest:x:{gid}:\n"))?;
    let dev = under(stage, Path::new("/dev"));
    folder(&dev)?;
    for (name, to) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
        symlink(to, dev.join(name))?;
    }
    // Shared memory is files in /tmp: private, and under its limit.
    symlink("/tmp", dev.join("shm"))
}

/// File systems that are not the host's.
fn own_mounts(stage: &Path, plan: &Plan) -> Result<(), Failure> {
    for path in ["/proc", "/tmp", "/var", "/opt", "/run", "/mnt"] {
        folder(&under(stage, Path::new(path))).step("making a folder")?;
    }
    let tmp = format!("size={},nr_inodes=65536,mode=1777", plan.tmp_bytes.max(4096));
    tmpfs(&under(stage, Path::new("/tmp")), &tmp).step("mounting /tmp")?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", under(stage, Path::new("/proc")), "proc", flags, None).step("mounting /proc")?;
    Ok(())
}

/// Makes the stage the root, and lets go of the host's.
fn pivot(stage: &Path) -> Result<(), Failure> {
    std::env::set_current_dir(stage).step("entering the root")?;
    // The old root comes to lie over the new one, at the same place, and is taken away from there.
    rustix::process::pivot_root(".", ".").step("changing the root")?;
    unmount(".", UnmountFlags::DETACH).step("letting go of the host's root")?;
    std::env::set_current_dir("/").step("entering the root")?;
    let root = open_tree(CWD, "/", OpenTreeFlags::OPEN_TREE_CLOEXEC).step("opening the root")?;
    sys::restrict_mount(root.as_fd(), READ_ONLY | libc::MOUNT_ATTR_NODEV, Recursive::No)
        .step("making the root read-only")
}

fn tmpfs(at: &Path, options: &str) -> io::Result<()> {
    let options = std::ffi::CString::new(options)?;
    mount("tmpfs", at, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(options.as_c_str()))?;
    Ok(())
}

fn folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(FOLDER).create(path)
}

fn under(stage: &Path, path: &Path) -> PathBuf {
    stage.join(path.strip_prefix("/").unwrap_or(path))
}
