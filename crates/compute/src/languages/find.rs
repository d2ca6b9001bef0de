//! Which interpreters are installed: on the PATH and where version managers put them. Shims are seen through: what counts is the
//! program itself, because inside a sandbox nothing else is there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};

use super::Family;

/// An installed interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The program itself, no link and no shim.
    pub path: PathBuf,
    /// `20.11.1`.
    pub version: String,
    /// What a sandbox must show beside the system's own folders for it to run.
    pub needs: Option<PathBuf>,
}

impl Interpreter {
    /// The version as numbers.
    pub fn numbers(&self) -> Vec<u32> {
        self.version.split('.').map_while(|part| part.parse().ok()).collect()
    }
}

/// What was learnt of a program, valid while it looks the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    modified_s: i64,
    bytes: u64,
    /// None if it is not what its name says.
    version: Option<String>,
}

/// Folders of version managers under the home folder; `*` is any version.
const MANAGERS: &[(&str, &str)] = &[
    (".pyenv/versions", "bin"),
    (".local/share/uv/python", "bin"),
    (".nvm/versions/node", "bin"),
    (".local/share/fnm/node-versions", "installation/bin"),
    (".volta/tools/image/node", "bin"),
    (".asdf/installs/nodejs", "bin"),
    (".asdf/installs/python", "bin"),
    (".local/share/mise/installs/node", "bin"),
    (".local/share/mise/installs/python", "bin"),
    (".nodenv/versions", "bin"),
];

/// How long an interpreter may take to say its version.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
/// The most that is read of what it says.
const ANSWER_BYTES_MAX: u64 = 256;

/// Everything that is installed, what is first on the PATH first.
pub(crate) fn interpreters(memory: &Path) -> Vec<(Family, Interpreter)> {
    let old: BTreeMap<PathBuf, Remembered> =
        fs::read(memory).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let mut new = BTreeMap::new();
    let mut found = Vec::new();
    for (family, path) in programs() {
        let Some(remembered) = old.get(&path).filter(|one| is_same(&path, one)).cloned().or_else(|| ask(family, &path))
        else {
            continue;
        };
        if let Some(version) = &remembered.version {
            let needs = needs(family, &path);
            found.push((family, Interpreter { path: path.clone(), version: version.clone(), needs }));
        }
        new.insert(path, remembered);
    }
    if new != old {
        // Only a cache: without it the next start asks again.
        let _ = serde_json::to_vec(&new).map(|bytes| fs::write(memory, bytes));
    }
    found
}

/// Programs whose name says that they may be an interpreter.
fn programs() -> Vec<(Family, PathBuf)> {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    folders.extend(["/usr/local/bin", "/usr/bin", "/opt/node/bin"].map(PathBuf::from));
    let pyenv = std::env::var_os("PYENV_ROOT").map(|root| (PathBuf::from(root).join("versions"), "bin"));
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    for (versions, bin) in MANAGERS.iter().map(|(at, bin)| (home.join(at), *bin)).chain(pyenv) {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(versions).into_iter().flatten().flatten().map(|one| one.path()).collect();
        entries.sort();
        folders.extend(entries.into_iter().map(|version| version.join(bin)));
    }
    let mut seen = BTreeSet::new();
    let mut programs = Vec::new();
    for folder in folders {
        let mut names: Vec<PathBuf> =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|one| one.path()).collect();
        names.sort();
        for path in names {
            let family = path.file_name().and_then(|name| name.to_str()).and_then(family_of);
            if let Some(family) = family
                && let Ok(path) = path.canonicalize()
                && is_program(&path)
                && seen.insert(path.clone())
            {
                programs.push((family, path));
            }
        }
    }
    programs
}

/// `node`, `nodejs`, `node20`, `python3`, `python3.12`; not `python3-config` or `nodemon`.
fn family_of(name: &str) -> Option<Family> {
    let is_version = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
    if let Some(rest) = name.strip_prefix("python3") {
        return is_version(rest).then_some(Family::Python);
    }
    let rest = name.strip_prefix("nodejs").or_else(|| name.strip_prefix("node"))?;
    is_version(rest).then_some(Family::Javascript)
}

/// True for a program of the machine itself: shims are scripts.
fn is_program(path: &Path) -> bool {
    let mut start = [0; 4];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"\x7fELF"
}

fn is_same(path: &Path, remembered: &Remembered) -> bool {
    fs::metadata(path).is_ok_and(|now| now.mtime() == remembered.modified_s && now.len() == remembered.bytes)
}

/// Asks a program for its version.
fn ask(family: Family, path: &Path) -> Option<Remembered> {
    let metadata = fs::metadata(path).ok()?;
    let version = told_by_folder(path).or_else(|| {
        let answer = answer(path, ["--version"]).unwrap_or_default();
        let version = match family {
            Family::Javascript => answer.trim().strip_prefix('v'),
            Family::Python => answer.trim().strip_prefix("Python "),
            Family::Provided | Family::Http => None,
        };
        version.filter(|text| text.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
    });
    Some(Remembered { modified_s: metadata.mtime(), bytes: metadata.len(), version })
}

/// Version managers name an installation's folder after its version: `versions/3.13.0/bin/python3.13`. That spares a start of each.
fn told_by_folder(path: &Path) -> Option<String> {
    let name = path.parent()?.parent()?.file_name()?.to_str()?;
    let version = name.strip_prefix('v').unwrap_or(name);
    let parts: Vec<&str> = version.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (parts.len() == 3 && parts.iter().all(is_number)).then(|| version.to_owned())
}

/// What a program says when it is started so, within some seconds.
pub(crate) fn answer(path: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Option<String> {
    let mut child = Command::new(path)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let stdout = child.stdout.take()?;
    let spoke = poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&PATIENCE)).is_ok_and(|ready| ready > 0);
    let mut text = String::new();
    let read = spoke.then(|| stdout.take(ANSWER_BYTES_MAX).read_to_string(&mut text));
    // It has spoken, or it is late: either way it is done.
    let _ = child.kill();
    let _ = child.wait();
    read?.ok().map(|_| text)
}

/// The folder of an interpreter that is not among the system's own. A folder that is not an installation (somebody's home, say) is
/// never shown whole: then the program alone is.
fn needs(family: Family, path: &Path) -> Option<PathBuf> {
    if super::is_under(path, &["/usr", "/bin", "/lib", "/lib64"]) {
        return None;
    }
    let prefix = path.parent().and_then(Path::parent).filter(|prefix| prefix.parent().is_some());
    let is_installation = prefix.is_some_and(|prefix| match family {
        Family::Javascript => prefix.join("lib/node_modules").is_dir(),
        Family::Python => fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten().any(|entry| {
            entry.file_name().to_string_lossy().starts_with("python3") && entry.path().join("os.py").is_file()
        }),
        Family::Provided | Family::Http => false,
    });
    let is_home =
        std::env::var_os("HOME").is_some_and(|home| prefix.is_some_and(|prefix| Path::new(&home).starts_with(prefix)));
    match prefix {
        Some(prefix) if is_installation && !is_home => Some(prefix.to_owned()),
        Some(_) | None => Some(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_family() {
        for (name, expected) in [
            ("node", Some(Family::Javascript)),
            ("nodejs", Some(Family::Javascript)),
            ("node-20", Some(Family::Javascript)),
            ("nodemon", None),
            ("python3", Some(Family::Python)),
            ("python3.12", Some(Family::Python)),
            ("python3-config", None),
            ("python3.12-config", None),
            ("python", None),
        ] {
            assert_eq!(family_of(name), expected, "{name}");
        }
    }

    #[test]
    fn folders_of_version_managers_tell_the_version() {
        for (path, expected) in [
            ("/home/u/.pyenv/versions/3.13.0/bin/python3.13", Some("3.13.0")),
            ("/home/u/.nvm/versions/node/v20.11.1/bin/node", Some("20.11.1")),
            ("/home/u/.pyenv/versions/3.13-dev/bin/python3.13", None),
            ("/usr/bin/node", None),
            ("/node", None),
        ] {
            assert_eq!(told_by_folder(Path::new(path)).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn what_is_found_is_remembered_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let memory = dir.path().join("memory");
        let first = interpreters(&memory);
        assert_eq!(interpreters(&memory), first);
        for (_, interpreter) in &first {
            assert!(!interpreter.numbers().is_empty(), "{interpreter:?}");
            assert!(is_program(&interpreter.path));
        }
        if first.is_empty() {
            base::trial::skip("no interpreter is installed here");
        }
    }
}
