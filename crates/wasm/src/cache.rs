//! Compiled code on disk, so that a restart compiles nothing.
//!
//! Compiled code is machine code that runs inside this process: what is loaded decides about everything. So each file is sealed with a
//! key that only this folder has (a MAC over the engine, the binary it was made from, and the code): a damaged file, a file under
//! another's name, one of another engine or from another node is not loaded but made anew. Who can read the key as well as write the
//! files can do anything; the folder is for its owner alone.
//!
//! Files are written beside and renamed. They are not synced: a torn one does not match its seal.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::{digest, hmac};
use base::{ByteSize, Random};
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};

const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
const SEAL_BYTES: usize = 32;
const ENDING: &str = "code";
const UNFINISHED: &str = "new";
/// Begins what is sealed: changes with the file's form.
const FORM: &[u8] = b"compiled wasm, form 1";

/// The folder.
pub(crate) struct Cache {
    dir: PathBuf,
    bytes_max: u64,
    key: hmac::Key,
    random: Random,
}

/// What compiled code is known by: the binary, and the engine with all that decides how it compiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    binary: [u8; 32],
    engine: [u8; 32],
}

/// What an engine is known by.
pub(crate) type EngineMark = [u8; 32];

impl Cache {
    pub(crate) fn open(dir: &Path, bytes_max: ByteSize, random: Random) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        remove_unfinished(dir)?;
        let key = key(dir, &random)?;
        Ok(Self { dir: dir.to_owned(), bytes_max: bytes_max.bytes(), key, random })
    }

    /// Code that was kept under this name, if it is there and whole.
    pub(crate) fn load(&self, name: &Name) -> Option<Sealed> {
        let path = self.path(name);
        let mut file = File::open(&path).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let whole = bytes.split_at_checked(SEAL_BYTES).is_some_and(|(seal, code)| {
            let sealed = self.sealed(name, code);
            aws_lc_rs::constant_time::verify_slices_are_equal(sealed.as_ref(), seal).is_ok()
        });
        if !whole {
            tracing::warn!(path = %path.display(), "compiled code is damaged or foreign; it is compiled anew");
            // Compiling writes it again, if this does not work.
            let _ = fs::remove_file(&path);
            return None;
        }
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        // Marks it as used; who cannot write here has nothing to clear away.
        let _ = futimens(&file, &Timestamps { last_access: now, last_modification: now });
        Some(Sealed(bytes))
    }

    /// Keeps code under this name.
    pub(crate) fn keep(&self, name: &Name, code: &[u8]) -> io::Result<()> {
        let beside = beside(&self.dir, &self.random);
        let written = write_private(&beside, &[self.sealed(name, code).as_ref(), code])
            .and_then(|()| fs::rename(&beside, self.path(name)));
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        written?;
        self.clear_away(name)
    }

    /// Removes what was used longest ago, until what is left fits. `newest` stays.
    fn clear_away(&self, newest: &Name) -> io::Result<()> {
        let newest = self.path(newest);
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let path = entry.path();
            if path.extension().is_some_and(|ending| ending == ENDING) {
                // Somebody else may have removed it.
                let Ok(metadata) = entry.metadata() else { continue };
                files.push((metadata.modified()?, metadata.len(), path));
            }
        }
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        files.sort();
        for (_, bytes, path) in files {
            if total <= self.bytes_max {
                break;
            }
            if path != newest {
                fs::remove_file(&path)?;
                total -= bytes;
            }
        }
        Ok(())
    }

    fn path(&self, name: &Name) -> PathBuf {
        self.dir.join(format!("{}-{}.{ENDING}", hex::encode(name.binary), hex::encode(&name.engine[..8])))
    }

    fn sealed(&self, name: &Name, code: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [FORM, &name.engine, &name.binary, code] {
            context.update(part);
        }
        context.sign()
    }
}

/// Code whose seal was found whole: what [`crate::load`] wants to see.
pub(crate) struct Sealed(Vec<u8>);

impl Sealed {
    pub(crate) fn code(&self) -> &[u8] {
        &self.0[SEAL_BYTES..]
    }
}

impl Name {
    pub(crate) fn new(binary: &[u8], engine: EngineMark) -> Self {
        let digest = digest::digest(&digest::SHA256, binary);
        Self { binary: digest.as_ref().try_into().expect("SHA-256 has 32 bytes"), engine }
    }
}

/// Two engines with the same mark load each other's code.
pub(crate) fn mark(engine: &wasmtime::Engine) -> EngineMark {
    let mut hasher = Sha256(digest::Context::new(&digest::SHA256));
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

struct Sha256(digest::Context);

impl Hasher for Sha256 {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("the digest is taken itself")
    }
}

/// Removes what was being written when somebody stopped.
fn remove_unfinished(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == UNFINISHED) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// A name that nobody has yet.
fn beside(dir: &Path, random: &Random) -> PathBuf {
    dir.join(format!("{:016x}.{UNFINISHED}", random.u64()))
}

/// The folder's key; made when there is none yet.
fn key(dir: &Path, random: &Random) -> io::Result<hmac::Key> {
    let path = dir.join(KEY_FILE);
    let mut key = match fs::read(&path) {
        Ok(key) => key,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    if key.len() != KEY_BYTES {
        // Missing, or torn: what is there is compiled anew.
        key = vec![0; KEY_BYTES];
        random.fill(&mut key);
        let beside = beside(dir, random);
        write_private(&beside, &[&key])?;
        fs::rename(&beside, &path)?;
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
}

fn write_private(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    for part in parts {
        file.write_all(part)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path, bytes_max: u64) -> Cache {
        Cache::open(dir, ByteSize(bytes_max), Random::seeded(7)).unwrap()
    }

    fn code(cache: &Cache, name: &Name) -> Option<Vec<u8>> {
        cache.load(name).map(|sealed| sealed.code().to_vec())
    }

    fn files(dir: &Path) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|ending| ending == ENDING));
        files
    }

    #[test]
    fn what_was_kept_is_found_by_whoever_has_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (Name::new(b"one", [1; 32]), Name::new(b"other", [1; 32]));
        let cache = open(dir.path(), 1 << 20);
        assert_eq!(code(&cache, &one), None);
        cache.keep(&one, b"code of one").unwrap();
        cache.keep(&other, b"code of other").unwrap();
        let again = open(dir.path(), 1 << 20);
        assert_eq!(code(&again, &one).unwrap(), b"code of one");
        assert_eq!(code(&again, &other).unwrap(), b"code of other");
        assert_eq!(code(&again, &Name::new(b"one", [2; 32])), None, "another engine has its own");
    }

    #[test]
    fn what_is_damaged_or_foreign_is_not_loaded() {
        let name = Name::new(b"binary", [1; 32]);
        type Damage = fn(&Path, &Path);
        let damage: [(&str, Damage); 6] = [
            ("a byte changed", |file, _| {
                let mut bytes = fs::read(file).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                fs::write(file, bytes).unwrap();
            }),
            ("cut", |file, _| fs::write(file, &fs::read(file).unwrap()[..40]).unwrap()),
            ("cut within the seal", |file, _| fs::write(file, [0; 7]).unwrap()),
            ("empty", |file, _| fs::write(file, []).unwrap()),
            ("another's code", |file, dir| {
                let other = Name::new(b"other", [1; 32]);
                let cache = open(dir, 1 << 20);
                cache.keep(&other, b"code of other").unwrap();
                fs::rename(cache.path(&other), file).unwrap();
            }),
            ("from another node", |file, dir| {
                let foreign = dir.join("foreign");
                let cache = Cache::open(&foreign, ByteSize::mib(1), Random::seeded(8)).unwrap();
                let name = Name::new(b"binary", [1; 32]);
                cache.keep(&name, b"the same code").unwrap();
                fs::rename(cache.path(&name), file).unwrap();
            }),
        ];
        for (what, damage) in damage {
            let dir = tempfile::tempdir().unwrap();
            let cache = open(dir.path(), 1 << 20);
            cache.keep(&name, b"the same code").unwrap();
            assert!(code(&cache, &name).is_some());
            damage(&cache.path(&name), dir.path());
            assert_eq!(code(&cache, &name), None, "{what}");
            assert!(!cache.path(&name).exists(), "{what}: it is removed");
            cache.keep(&name, b"the same code").unwrap();
            assert!(code(&cache, &name).is_some(), "{what}: it is made anew");
        }
    }

    #[test]
    fn a_lost_key_loses_the_code_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let name = Name::new(b"binary", [1; 32]);
        open(dir.path(), 1 << 20).keep(&name, b"code").unwrap();
        fs::write(dir.path().join(KEY_FILE), b"torn").unwrap();
        let random = Random::seeded(9);
        let cache = Cache::open(dir.path(), ByteSize::mib(1), random).unwrap();
        assert_eq!(code(&cache, &name), None);
        cache.keep(&name, b"code").unwrap();
        assert_eq!(code(&cache, &name).unwrap(), b"code");
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let cache = open(dir.path(), 3 * (SEAL_BYTES as u64 + 100));
        let names: Vec<Name> = (0..4_u8).map(|n| Name::new(&[n], [1; 32])).collect();
        for (age, name) in names[..3].iter().enumerate() {
            cache.keep(name, &[0; 100]).unwrap();
            let file = File::options().write(true).open(cache.path(name)).unwrap();
            let then = Timespec { tv_sec: 1_000_000 + age as i64, tv_nsec: 0 };
            futimens(&file, &Timestamps { last_access: then, last_modification: then }).unwrap();
        }
        assert!(cache.load(&names[0]).is_some(), "it was used just now");
        cache.keep(&names[3], &[0; 100]).unwrap();
        assert!(code(&cache, &names[1]).is_none(), "the oldest is gone");
        assert!([0, 2, 3].iter().all(|n| code(&cache, &names[*n]).is_some()));
        let huge = Name::new(b"huge", [1; 32]);
        cache.keep(&huge, &[0; 1000]).unwrap();
        assert_eq!(files(dir.path()), [cache.path(&huge)], "the newest stays, however large");
    }
}
