//! The guest's root: a read-only view of the system, its code, a private `/tmp`, `/proc` and a few devices. Nothing else of the
//! host is there, whatever its permissions.

mod foreign;
mod names;

use std::ffi::CString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change, mount_remount,
    move_mount, open_tree, unmount,
};

use self::names::Names;
use super::{Failure, Step};
use crate::message::Start;
use crate::plan::{Mount, Plan};
use crate::sys::{self, Recursive};

/// The system's own folders, as far as the host has them. Where one is a link (to `/usr`, on most systems), so it is for the guest.
const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Whom to ask for names, which is the host's matter only in the host's network.
const NAMES: &[&str] = &["/etc/resolv.conf", "/etc/hosts"];

/// What programs need to know of the system: loading libraries, trusting certificates, telling the time.
const SETTINGS: &[&str] = &[
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    // Not the whole of `/etc/ssl` and `/etc/pki`: the machine's private keys lie there too, and some groups may read them.
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust",
    "/etc/pki/java",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/mime.types",
    "/etc/localtime",
    "/etc/os-release",
    // Where .NET is.
    "/etc/dotnet",
    // Which of the system's libraries Mono means: without it, none.
    "/etc/mono/config",
];

/// Folders of settings whose names have a version in the middle: Debian's Java has its own in `/etc/java-17-openjdk`.
const VERSIONED: (&str, &str) = ("java-", "-openjdk");
/// More of them are not looked at.
const VERSIONED_MAX: usize = 16;

/// What everybody may read in `/proc` and tells of the machine or of neighbours what no function needs: which keys there are, where the
/// kernel lies, with which words it was started, what locks are held, and how often devices interrupt, by which neighbours' work is
/// heard. They are there and empty.
const HUSHED: &[&str] = &[
    "/proc/cmdline",
    "/proc/config.gz",
    "/proc/interrupts",
    "/proc/iomem",
    "/proc/ioports",
    "/proc/kallsyms",
    "/proc/key-users",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/locks",
    "/proc/modules",
    "/proc/sched_debug",
    "/proc/schedstat",
    "/proc/softirqs",
    "/proc/timer_list",
];

/// Devices that cannot do harm.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID;
/// What holds for file systems of a guest's own.
const TMP: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);
/// `st_mode` of what the guest's root has in folders of its own.
const FOLDER: u32 = 0o755;

/// A detached copy of something of the host, and where it goes.
pub(super) struct Tree {
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
pub(super) fn build(start: &Start) -> Result<(), Failure> {
    let plan = &start.plan;
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .step("parting from the host's mounts")?;
    // First everything is opened, because what is mounted next may lie over where it is.
    let (trees, links) = gather(start)?;
    let names = start.own_network.then(names::of_guest);
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
    own_files(stage, names).step("writing the guest's own files")?;
    own_mounts(stage, plan)?;
    pivot(stage)
}

/// Opens copies of all that the guest sees of the host.
fn gather(start: &Start) -> Result<(Vec<Tree>, Vec<Link>), Failure> {
    let (mut trees, links) = match &start.plan.root {
        Some(root) => foreign::gather(root)?,
        None => of_system()?,
    };
    if !start.own_network {
        trees.extend(NAMES.iter().map(Path::new).filter_map(settings));
    }
    for path in DEVICES.iter().map(Path::new) {
        trees.push(copy(path, path, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC).step("opening a device")?);
    }
    for mount in &start.plan.mounts {
        trees.push(of_host(mount)?);
    }
    Ok((trees, links))
}

/// The system's folders and what programs need to know of it.
fn of_system() -> Result<(Vec<Tree>, Vec<Link>), Failure> {
    let (mut trees, mut links) = (Vec::new(), Vec::new());
    for path in SYSTEM.iter().map(Path::new) {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => {
                links.push((path.to_owned(), fs::read_link(path).step("reading a link")?));
            }
            Ok(_) => trees.extend(settings(path)),
            Err(_) => {}
        }
    }
    trees.extend(SETTINGS.iter().map(Path::new).filter_map(settings));
    let (begin, end) = VERSIONED;
    let is_one = |name: &str| name.starts_with(begin) && name.ends_with(end);
    let names = fs::read_dir("/etc").into_iter().flatten().flatten().map(|entry| entry.path());
    let versioned = names.filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_one));
    trees.extend(versioned.take(VERSIONED_MAX).filter_map(|path| settings(&path)));
    Ok((trees, links))
}

/// A part of the system, if the host has it. A link in /etc may lead out of the view, so what it leads to is mounted in its place.
fn settings(path: &Path) -> Option<Tree> {
    copy(path, path, READ_ONLY | libc::MOUNT_ATTR_NODEV).ok()
}

/// Opens what a guest is to see of the host.
pub(super) fn of_host(mount: &Mount) -> Result<Tree, Failure> {
    let tree = copy(&mount.source, &mount.target, READ_ONLY | libc::MOUNT_ATTR_NODEV);
    tree.step(&format!("opening {}", mount.source.display()))
}

/// Mounts more into a view that was built before, and that this process has entered. The guest may be running, and hostile: what is
/// below its own folders is no target, and no link is followed.
pub(super) fn add(trees: &[Tree]) -> Result<(), Failure> {
    for tree in trees {
        add_one(tree).step(&format!("mounting {}", tree.target.display()))?;
    }
    Ok(())
}

fn add_one(tree: &Tree) -> io::Result<()> {
    let target = match target(CWD, &tree.target) {
        Err(Errno::NOENT) => {
            make_target(tree)?;
            target(CWD, &tree.target)?
        }
        found => found?,
    };
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(tree.tree.as_fd(), "", target.as_fd(), "", flags)?)
}

fn target(root: BorrowedFd<'_>, path: &Path) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// Makes an empty file or folder to mount on. The root is read-only for whoever comes through the guest's mount of it, so it is
/// reached through another, which nobody else sees. There, the guest's own file systems are but empty folders.
fn make_target(tree: &Tree) -> io::Result<()> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let root = open_tree(CWD, "/", flags)?;
    sys::unlock_mount(root.as_fd())?;
    let mut at = root;
    let path = tree.target.strip_prefix("/").map_err(io::Error::other)?;
    let mut names = path.components().peekable();
    while let Some(name) = names.next() {
        let name = Path::new(&name);
        if names.peek().is_none() && tree.kind == Kind::File {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            openat(&at, name, flags, Mode::from_raw_mode(0o644))?;
            return Ok(());
        }
        match mkdirat(&at, name, Mode::from_raw_mode(FOLDER)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        at = target(at.as_fd(), name)?;
    }
    Ok(())
}

/// Changes the size of the guest's `/tmp`. One that is fuller than that already stays as it is, and the error says so.
pub(super) fn resize_tmp(bytes: u64) -> Result<(), Failure> {
    let options = CString::new(tmp_size(bytes)).step("naming a size")?;
    mount_remount("/tmp", TMP, options.as_c_str()).step("changing the size of /tmp")
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
fn own_files(stage: &Path, names: Option<Names>) -> io::Result<()> {
    folder(&under(stage, Path::new("/etc")))?;
    let (uid, gid) = (super::GUEST_UID, super::GUEST_GID);
    let passwd = format!("root:x:0:0:root:/root:/sbin/nologin\nguest:x:{uid}:{gid}::/tmp:/sbin/nologin\n");
    let group = format!("root:x:0:\nguest:x:{gid}:\n");
    for (path, text) in [("/etc/passwd", passwd), ("/etc/group", group)] {
        match fs::OpenOptions::new().write(true).create_new(true).open(under(stage, Path::new(path))) {
            Ok(mut file) => file.write_all(text.as_bytes())?,
            // A root that is not the machine's knows its own users.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    if let Some(Names { resolver, hosts }) = names {
        fs::write(under(stage, Path::new("/etc/resolv.conf")), resolver)?;
        fs::write(under(stage, Path::new("/etc/hosts")), hosts)?;
    }
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
    // Some are only there to be mounted on later: what is missing then is made, by a detour.
    let later: &[&str] = if plan.root.is_some() { &[] } else { &["/var/task", "/opt", "/run", "/mnt"] };
    for path in ["/proc", "/tmp"].iter().chain(later) {
        folder(&under(stage, Path::new(path))).step("making a folder")?;
    }
    let tmp = format!("{},nr_inodes=65536,mode=1777", tmp_size(plan.tmp_bytes));
    tmpfs(&under(stage, Path::new("/tmp")), &tmp).step("mounting /tmp")?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", under(stage, Path::new("/proc")), "proc", flags, None).step("mounting /proc")?;
    HUSHED.iter().try_for_each(|path| hush(stage, Path::new(path)).step(&format!("hushing {path}")))
}

/// Makes a file look empty, if this kernel has it.
fn hush(stage: &Path, path: &Path) -> io::Result<()> {
    let target = under(stage, path);
    if !target.exists() {
        return Ok(());
    }
    let nothing = copy(Path::new("/dev/null"), path, READ_ONLY | libc::MOUNT_ATTR_NOEXEC)?;
    Ok(move_mount(nothing.tree.as_fd(), "", CWD, &target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
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
    let options = CString::new(options)?;
    mount("tmpfs", at, "tmpfs", TMP, Some(options.as_c_str()))?;
    Ok(())
}

/// A size of zero would mean none at all.
fn tmp_size(bytes: u64) -> String {
    format!("size={}", bytes.max(4096))
}

fn folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(FOLDER).create(path)
}

fn under(stage: &Path, path: &Path) -> PathBuf {
    stage.join(path.strip_prefix("/").unwrap_or(path))
}
