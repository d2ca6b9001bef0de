//! A layer's tree while it grows: entries come in the archive's order, and each may be hostile.
//!
//! Every path is walked name by name from the tree's own root. A link on the way is followed as if that root were the system's, so
//! nothing outside is ever touched; what a link itself says is kept as it is.
//!
//! **Owners and permissions.** The sandbox runs a guest as one user, whom the image does not know, and who owns nothing on this
//! machine. So an image's owners and groups mean nothing here: all files belong to whoever runs the node, everybody may read them,
//! and what anybody might execute everybody may. What the image lets everybody write stays so (it matters only under a writable
//! upper layer). Set-user-id and its like, extended attributes and capabilities of files are left away.
//!
//! Devices and pipes are left out: a sandbox has its own devices. What layers below have in such a place is hidden all the same.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{FileType, Mode, XattrFlags};
use rustix::io::Errno;

use super::{Budget, Fail, Folder, Found, Marks, copy_or_link};
use crate::error::LayerFault;
use crate::limits::{FOLDER_DEPTH_MAX, LINKS_MAX, LIST_BYTES_MAX, PATH_BYTES_MAX};
use crate::tar::{Archive, Entry, Input, Kind};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh.opq";
/// Other names that begin so are notes of an old file system to itself.
const NOTES: &[u8] = b".wh..wh.";
/// Steps on all paths of a layer together: links can make each of its paths thousands of steps long.
const STEPS_MAX: u64 = 50_000_000;
const BUFFER: usize = 128 << 10;

/// What a finished tree takes away, and whether that could be written into it.
pub(super) struct Marked {
    pub(super) marks: Marks,
    pub(super) overlay_refusal: Option<String>,
}

/// A tree that grows.
pub(super) struct Tree<'a> {
    root: Folder,
    budget: &'a Budget,
    bytes: u64,
    marks: Marks,
    /// When folders were changed last: set at the end, because everything that is put into one changes it.
    times: BTreeMap<Vec<u8>, (i64, u32)>,
    /// What marks and times take in memory.
    list_bytes: usize,
    steps: u64,
    /// The folder of the last entry, as the archive named it: most entries are beside the one before.
    last: Option<(Vec<u8>, Rc<Folder>)>,
    buffer: Vec<u8>,
}

/// What to do about a folder that is not there.
#[derive(Clone, Copy)]
enum Missing {
    Make,
    Refuse(&'static str),
}

impl<'a> Tree<'a> {
    pub(super) fn new(root: &Path, budget: &'a Budget) -> Result<Self, Fail> {
        let root = Folder::root(root)?;
        root.set_mode(0o755)?;
        Ok(Self {
            root,
            budget,
            bytes: 0,
            marks: Marks::default(),
            times: BTreeMap::new(),
            list_bytes: 0,
            steps: 0,
            last: None,
            buffer: vec![0; BUFFER],
        })
    }

    /// What its files have together.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes in one entry, with its data.
    pub(super) fn add(&mut self, entry: &Entry, archive: &mut Archive<impl Input>) -> Result<(), Fail> {
        let named = |why| Fail::Fault(LayerFault::Entry { entry: shown(&entry.path), why });
        self.put(entry, archive).map_err(|fail| match fail {
            Fail::Disk(error) if error.raw_os_error() == Some(Errno::NAMETOOLONG.raw_os_error()) => {
                named("has a name that is longer than a disk takes")
            }
            other => other,
        })
    }

    fn put(&mut self, entry: &Entry, archive: &mut Archive<impl Input>) -> Result<(), Fail> {
        let fault = |why| Fail::Fault(LayerFault::Entry { entry: shown(&entry.path), why });
        let path = inside(&entry.path).ok_or_else(|| fault("leads out of the layer"))?;
        let Some((folder, name)) = split(&path) else {
            // The root itself: it is there, and open to everybody.
            return if entry.kind == Kind::Folder { Ok(()) } else { Err(fault("is in the place of the root")) };
        };
        if path.split(|byte| *byte == b'/').any(|part| part.starts_with(NOTES) && part != OPAQUE) {
            return Ok(());
        }
        if folder.split(|byte| *byte == b'/').any(|part| part.starts_with(WHITEOUT)) {
            return Err(fault("lies below a whiteout"));
        }
        let folder = self.enter(entry, folder, Missing::Make)?;
        if name == OPAQUE {
            let path = folder.path().to_vec();
            self.list(path.len())?;
            self.marks.opaque.insert(path);
            return Ok(());
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            return match hidden {
                b"" | b"." | b".." => Err(fault("is a whiteout of nothing")),
                hidden => self.whiteout(&folder, hidden),
            };
        }
        match &entry.kind {
            Kind::File { size, stored } => self.file(&folder, name, entry, (*size, *stored), archive),
            Kind::Folder => self.folder(&folder, name, entry),
            Kind::HardLink { to } => self.hard_link(&folder, name, entry, to),
            Kind::Symlink { to } if to.is_empty() => Err(fault("is a link to nothing")),
            Kind::Symlink { to } => {
                self.clear(&folder, name)?;
                folder.symlink(name, to)?;
                Ok(folder.touch(name, entry.modified)?)
            }
            Kind::Special => {
                self.clear(&folder, name)?;
                self.whiteout(&folder, name)
            }
        }
    }

    fn file(
        &mut self,
        folder: &Folder,
        name: &[u8],
        entry: &Entry,
        (size, stored): (u64, u64),
        archive: &mut Archive<impl Input>,
    ) -> Result<(), Fail> {
        self.spend(size)?;
        self.clear(folder, name)?;
        let file = folder.create(name)?;
        while let Some((at, read)) = archive.read_data(&mut self.buffer)? {
            file.write_all_at(&self.buffer[..read], at)?;
        }
        if stored < size {
            // A hole at the end is written by nobody.
            file.set_len(size)?;
        }
        rustix::fs::fchmod(&file, Mode::from_raw_mode(file_mode(entry.mode)))?;
        Ok(folder.touch(name, entry.modified)?)
    }

    fn folder(&mut self, parent: &Folder, name: &[u8], entry: &Entry) -> Result<(), Fail> {
        let mode = folder_mode(entry.mode);
        let path = parent.join(name);
        match parent.look(name)? {
            Found::Folder(folder) => folder.set_mode(mode)?,
            Found::Link(_) | Found::Other | Found::Nothing => {
                self.clear(parent, name)?;
                self.check_depth(parent, &path, entry)?;
                parent.make(name, mode)?;
            }
        }
        self.list(path.len())?;
        self.times.insert(path, entry.modified);
        Ok(())
    }

    fn hard_link(&mut self, folder: &Folder, name: &[u8], entry: &Entry, to: &[u8]) -> Result<(), Fail> {
        const MISSING: &str = "is a hard link to something that is not in the layer";
        let fault = |why| Fail::Fault(LayerFault::Entry { entry: shown(&entry.path), why });
        let to = inside(to).ok_or_else(|| fault("is a hard link to something outside the layer"))?;
        let (source, source_name) = split(&to).ok_or_else(|| fault("is a hard link to a folder"))?;
        let source = self.enter(entry, source, Missing::Refuse(MISSING))?;
        match source.kind(source_name)? {
            None => return Err(fault(MISSING)),
            Some(FileType::Directory) => return Err(fault("is a hard link to a folder")),
            Some(_) => {}
        }
        if source.join(source_name) == folder.join(name) {
            return Ok(());
        }
        self.clear(folder, name)?;
        match copy_or_link((&source, source_name), (folder, name)) {
            // It was below what it takes the place of.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(fault(MISSING)),
            Err(error) => Err(error.into()),
            Ok(false) => Ok(()),
            Ok(true) => {
                let size = rustix::fs::statat(folder.fd(), name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?.st_size;
                self.spend(u64::try_from(size).unwrap_or_default())
            }
        }
    }

    fn whiteout(&mut self, folder: &Folder, name: &[u8]) -> Result<(), Fail> {
        let path = folder.join(name);
        self.list(path.len())?;
        self.marks.whiteouts.insert(path);
        Ok(())
    }

    /// Makes room for a name: whatever came before it in this layer counts no more.
    fn clear(&mut self, folder: &Folder, name: &[u8]) -> Result<(), Fail> {
        match folder.kind(name)? {
            None => {}
            Some(FileType::Directory | FileType::Symlink) => {
                // The last folder may have been reached through it.
                self.last = None;
                folder.remove(name)?;
            }
            Some(_) => folder.remove(name)?,
        }
        Ok(())
    }

    /// The folder of that path, links on the way followed within the tree.
    fn enter(&mut self, entry: &Entry, path: &[u8], missing: Missing) -> Result<Rc<Folder>, Fail> {
        if let Some((last, folder)) = &self.last
            && last == path
        {
            return Ok(Rc::clone(folder));
        }
        let fault = |why| Fail::Fault(LayerFault::Entry { entry: shown(&entry.path), why });
        let mut at = self.root.again()?;
        let mut ahead: Vec<Vec<u8>> = names(path);
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return Err(LayerFault::TooMuch { what: "steps on the paths of its entries", limit: STEPS_MAX }.into());
            }
            if name == b".." {
                at = at.parent()?;
                continue;
            }
            at = match (at.look(&name)?, missing) {
                (Found::Folder(next), _) => next,
                (Found::Link(target), _) => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(fault("lies behind too many links"));
                    }
                    ahead.extend(names(&target));
                    if target.starts_with(b"/") { self.root.again()? } else { at }
                }
                (Found::Other, _) => return Err(fault("lies below something that is no folder")),
                (Found::Nothing, Missing::Refuse(why)) => return Err(fault(why)),
                (Found::Nothing, Missing::Make) => {
                    self.check_depth(&at, &at.join(&name), entry)?;
                    at.make(&name, 0o755)?
                }
            };
        }
        let folder = Rc::new(at);
        match missing {
            Missing::Make => self.last = Some((path.to_vec(), Rc::clone(&folder))),
            Missing::Refuse(_) => {}
        }
        Ok(folder)
    }

    fn check_depth(&self, parent: &Folder, path: &[u8], entry: &Entry) -> Result<(), Fail> {
        if parent.depth() >= FOLDER_DEPTH_MAX || path.len() > PATH_BYTES_MAX {
            return Err(LayerFault::Entry { entry: shown(&entry.path), why: "lies too deep" }.into());
        }
        Ok(())
    }

    fn spend(&mut self, bytes: u64) -> Result<(), Fail> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.budget.take(bytes) { Ok(()) } else { Err(Fail::Budget) }
    }

    /// Makes sure that one more path may be kept in memory.
    fn list(&mut self, bytes: usize) -> Result<(), Fail> {
        // With what the list itself takes for it.
        self.list_bytes += bytes + 64;
        if self.list_bytes > LIST_BYTES_MAX {
            let limit = LIST_BYTES_MAX as u64;
            return Err(LayerFault::TooMuch { what: "bytes in the names of folders and whiteouts", limit }.into());
        }
        Ok(())
    }

    /// Writes the marks into the tree, as overlays want them, and sets the folders' times.
    pub(super) fn finish(mut self) -> Result<Marked, Fail> {
        let marks = self.settle_marks()?;
        let overlay_refusal = self.write_marks(&marks)?;
        for (path, modified) in std::mem::take(&mut self.times) {
            if let Some(folder) = self.root.descend(&path)? {
                folder.touch_self(modified)?;
            }
        }
        Ok(Marked { marks, overlay_refusal })
    }

    /// Only what still means something: an entry may have taken the place of a marked one.
    fn settle_marks(&mut self) -> Result<Marks, Fail> {
        let found = std::mem::take(&mut self.marks);
        let mut marks = Marks::default();
        for path in found.opaque {
            if self.root.descend(&path)?.is_some() {
                marks.opaque.insert(path);
            }
        }
        let mut whiteouts = Vec::new();
        for path in found.whiteouts {
            let Some((folder, name)) = split(&path) else { continue };
            let Some(folder) = self.root.descend(folder)? else { continue };
            match folder.kind(name)? {
                None => whiteouts.push(path),
                // The layer has a folder there, and below it was something else.
                Some(FileType::Directory) => {
                    marks.opaque.insert(path);
                }
                Some(_) => {}
            }
        }
        whiteouts.retain(|path| !marks.is_below_opaque(path));
        marks.whiteouts = whiteouts.into_iter().collect();
        Ok(marks)
    }

    /// A whiteout is a device with the number 0:0, which everybody may make; an opaque folder has an attribute of the kind that users
    /// may set. Returns why the disk does not take them, if it does not.
    fn write_marks(&self, marks: &Marks) -> Result<Option<String>, Fail> {
        for path in &marks.opaque {
            let Some(folder) = self.root.descend(path)? else { continue };
            match rustix::fs::fsetxattr(folder.fd(), "user.overlay.opaque", b"y", XattrFlags::empty()) {
                Ok(()) => {}
                Err(error) if is_full(error) => return Err(error.into()),
                Err(error) => return Ok(Some(format!("the disk keeps no marks of opaque folders ({error})"))),
            }
        }
        for path in &marks.whiteouts {
            let Some((folder, name)) = split(path) else { continue };
            let Some(folder) = self.root.descend(folder)? else { continue };
            match rustix::fs::mknodat(folder.fd(), name, FileType::CharacterDevice, Mode::empty(), 0) {
                Ok(()) => {}
                Err(error) if is_full(error) => return Err(error.into()),
                Err(error) => return Ok(Some(format!("the disk keeps no whiteouts ({error})"))),
            }
        }
        Ok(None)
    }
}

fn is_full(error: Errno) -> bool {
    matches!(error, Errno::NOSPC | Errno::DQUOT | Errno::IO)
}

/// The path without `.` and `..`, without slashes at its ends; nothing if it leaves where it starts. Absolute ones start at the root.
fn inside(path: &[u8]) -> Option<Vec<u8>> {
    let mut clean: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                clean.pop()?;
            }
            name => clean.push(name),
        }
    }
    Some(clean.join(&b'/'))
}

/// Folder and name; nothing for the root.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => Some((&path[..at], &path[at + 1..])),
        None => (!path.is_empty()).then_some((b"", path)),
    }
}

/// The names on a path, the last first. `..` stays: what it means is known only on the way.
fn names(path: &[u8]) -> Vec<Vec<u8>> {
    let names = path.split(|byte| *byte == b'/').rev();
    names.filter(|name| !matches!(*name, b"" | b".")).map(<[u8]>::to_vec).collect()
}

fn file_mode(mode: u32) -> u32 {
    let execute = if mode & 0o111 != 0 { 0o111 } else { 0 };
    0o644 | execute | writable(mode)
}

fn folder_mode(mode: u32) -> u32 {
    0o755 | writable(mode)
}

fn writable(mode: u32) -> u32 {
    if mode & 0o002 != 0 { 0o022 } else { 0 }
}

/// A name for people.
fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).chars().take(300).flat_map(char::escape_debug).collect()
}
