//! The languages that functions are written in, and which interpreter of this machine runs each.
//!
//! The list is closed; what is installed is found when it is first asked for, and remembered in a file, because asking an
//! interpreter for its version costs as much as starting it.

mod find;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

pub use find::Interpreter;
pub(crate) use find::answer;
#[cfg(test)]
pub(crate) use find::interpreters as installed;
use serde::{Deserialize, Serialize};

use crate::guest::http;
use crate::image::Settings;

/// What a guest speaks and how it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Family {
    /// Node.js with our bootstrap.
    Javascript,
    /// Python with our bootstrap.
    Python,
    /// Any `bootstrap` that speaks the Lambda Runtime API.
    Provided,
    /// Any program that is a web server.
    Http,
}

/// One language: its name, its family, and the interpreter's version as far as the name says it.
struct Entry {
    name: &'static str,
    family: Family,
    wanted: &'static [u32],
}

/// Every language there is.
const LANGUAGES: &[Entry] = &[
    Entry { name: "nodejs16.x", family: Family::Javascript, wanted: &[16] },
    Entry { name: "nodejs18.x", family: Family::Javascript, wanted: &[18] },
    Entry { name: "nodejs20.x", family: Family::Javascript, wanted: &[20] },
    Entry { name: "nodejs22.x", family: Family::Javascript, wanted: &[22] },
    Entry { name: "nodejs24.x", family: Family::Javascript, wanted: &[24] },
    Entry { name: "python3.8", family: Family::Python, wanted: &[3, 8] },
    Entry { name: "python3.9", family: Family::Python, wanted: &[3, 9] },
    Entry { name: "python3.10", family: Family::Python, wanted: &[3, 10] },
    Entry { name: "python3.11", family: Family::Python, wanted: &[3, 11] },
    Entry { name: "python3.12", family: Family::Python, wanted: &[3, 12] },
    Entry { name: "python3.13", family: Family::Python, wanted: &[3, 13] },
    Entry { name: "python3.14", family: Family::Python, wanted: &[3, 14] },
    Entry { name: "provided", family: Family::Provided, wanted: &[] },
    Entry { name: "provided.al2", family: Family::Provided, wanted: &[] },
    Entry { name: "provided.al2023", family: Family::Provided, wanted: &[] },
    Entry { name: "http", family: Family::Http, wanted: &[] },
];

/// What container images are: nobody can ask for it by name.
const CONTAINER: Entry = Entry { name: "container", family: Family::Provided, wanted: &[] };

/// How a language stands on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanguageStatus {
    /// `nodejs20.x`.
    pub name: &'static str,
    /// How it is run.
    pub family: Family,
    /// What runs it; none for `provided` and `http`, which bring their own, and where nothing is installed.
    pub interpreter: Option<Interpreter>,
    /// Whether the interpreter has exactly the version that the name says.
    pub exact: bool,
}

impl LanguageStatus {
    /// True if functions in this language can run here.
    pub fn is_usable(&self) -> bool {
        matches!(self.family, Family::Provided | Family::Http) || self.interpreter.is_some()
    }

    /// A sentence for people where another version than the named one runs it.
    pub fn note(&self) -> Option<String> {
        let interpreter = self.interpreter.as_ref().filter(|_| !self.exact)?;
        Some(format!(
            "{} runs on {} {}, the nearest version installed on this machine ({})",
            self.name,
            self.family,
            interpreter.version,
            interpreter.path.display()
        ))
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Javascript => "Node.js",
            Self::Python => "Python",
            Self::Provided => "its own bootstrap",
            Self::Http => "its own web server",
        })
    }
}

/// Why a language cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LanguageError {
    /// There is no such language.
    #[error("'{name}' is not a runtime that this node has; it has {}", names())]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// Nothing on this machine runs it.
    #[error("{name} needs {family}, and none is installed on this machine: {advice}")]
    Missing {
        /// The language.
        name: &'static str,
        /// What it needs.
        family: Family,
        /// What to do.
        advice: &'static str,
    },
}

/// The family of a language, if there is one of that name.
pub(crate) fn family_of(name: &str) -> Option<Family> {
    LANGUAGES.iter().find(|entry| entry.name == name).map(|entry| entry.family)
}

fn names() -> String {
    LANGUAGES.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ")
}

/// A language that can be used: what an image runs on.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) status: LanguageStatus,
    /// What its guests speak: the language's own family, or [`Family::Http`] where the function says that it is a server.
    pub(crate) family: Family,
    /// What servers may be written in: the language's own interpreter, and the newest of each other family.
    pub(crate) tools: Vec<(Family, Interpreter)>,
}

impl Resolved {
    fn of(status: LanguageStatus) -> Self {
        Self { family: status.family, status, tools: Vec::new() }
    }
}

/// The languages and what was found for them.
#[derive(Debug)]
pub(crate) struct Languages {
    memory: PathBuf,
    found: Mutex<Option<Vec<(Family, Interpreter)>>>,
}

impl Languages {
    /// `memory` is the file in which versions are remembered.
    pub(crate) fn new(memory: PathBuf) -> Self {
        Self { memory, found: Mutex::new(None) }
    }

    /// Every language and how it stands, looked up anew.
    pub(crate) fn all(&self) -> Vec<LanguageStatus> {
        *self.found.lock().expect("nothing panics while it holds this lock") = None;
        LANGUAGES.iter().map(|entry| self.status(entry)).collect()
    }

    /// What an image with these settings runs on.
    pub(crate) fn resolve_for(&self, settings: &Settings) -> Result<Resolved, LanguageError> {
        if settings.container.is_some() {
            let resolved = Resolved::of(self.status(&CONTAINER));
            let family = if settings.is_server() { Family::Http } else { Family::Provided };
            return Ok(Resolved { family, ..resolved });
        }
        let resolved = self.resolve(&settings.language)?;
        if !http::is_server(resolved.family, &settings.environment) {
            return Ok(resolved);
        }
        let own = resolved.status.interpreter.clone().map(|interpreter| (resolved.family, interpreter));
        let mut tools = Vec::from_iter(own);
        for (family, interpreter) in self.newest() {
            if tools.iter().all(|(other, _)| *other != family) {
                tools.push((family, interpreter));
            }
        }
        Ok(Resolved { family: Family::Http, tools, ..resolved })
    }

    /// How one language stands, if it can be used.
    pub(crate) fn resolve(&self, name: &str) -> Result<Resolved, LanguageError> {
        let entry = LANGUAGES
            .iter()
            .find(|entry| entry.name == name)
            .ok_or_else(|| LanguageError::Unknown { name: name.to_owned() })?;
        let status = self.status(entry);
        if status.is_usable() {
            return Ok(Resolved::of(status));
        }
        // Someone may just have followed the advice.
        *self.found.lock().expect("nothing panics while it holds this lock") = None;
        let status = self.status(entry);
        if status.is_usable() {
            return Ok(Resolved::of(status));
        }
        let advice = match entry.family {
            Family::Javascript => "install Node.js from your distribution or nodejs.org, so that `node` is on the PATH",
            Family::Python => "install Python 3 from your distribution or python.org, so that `python3` is on the PATH",
            Family::Provided | Family::Http => "nothing to install",
        };
        Err(LanguageError::Missing { name: entry.name, family: entry.family, advice })
    }

    fn status(&self, entry: &Entry) -> LanguageStatus {
        let interpreter = match entry.family {
            Family::Provided | Family::Http => None,
            Family::Javascript | Family::Python => self.nearest(entry),
        };
        let exact = interpreter.as_ref().is_none_or(|found| found.numbers().starts_with(entry.wanted));
        LanguageStatus { name: entry.name, family: entry.family, interpreter, exact }
    }

    /// The newest interpreter of each family.
    fn newest(&self) -> Vec<(Family, Interpreter)> {
        let mut found = self.found.lock().expect("nothing panics while it holds this lock");
        let mut all = found.get_or_insert_with(|| find::interpreters(&self.memory)).clone();
        all.sort_by_key(|(_, interpreter)| std::cmp::Reverse(interpreter.numbers()));
        let of = |family| all.iter().find(|(one, _)| *one == family).cloned();
        [of(Family::Javascript), of(Family::Python)].into_iter().flatten().collect()
    }

    fn nearest(&self, entry: &Entry) -> Option<Interpreter> {
        let mut found = self.found.lock().expect("nothing panics while it holds this lock");
        let found = found.get_or_insert_with(|| find::interpreters(&self.memory));
        found
            .iter()
            .filter(|(family, _)| *family == entry.family)
            .map(|(_, interpreter)| interpreter)
            .min_by_key(|interpreter| distance(entry.wanted, &interpreter.numbers()))
            .cloned()
    }
}

/// How far a version is from the wanted one: by the last number that the name gives, newer before older at the same distance, then
/// the newest patch.
fn distance(wanted: &[u32], have: &[u32]) -> (u32, bool, std::cmp::Reverse<Vec<u32>>) {
    let at = wanted.len() - 1;
    let (wanted, found) = (wanted[at], have.get(at).copied().unwrap_or(0));
    (wanted.abs_diff(found), found < wanted, std::cmp::Reverse(have.to_vec()))
}

/// True for what Lambda calls a managed runtime's own folder.
pub(crate) fn is_under(path: &Path, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_version_is_chosen() {
        for (wanted, installed, expected) in [
            (&[20][..], vec![vec![18, 0, 0], vec![20, 1, 0], vec![20, 9, 0], vec![22, 0, 0]], vec![20, 9, 0]),
            (&[24], vec![vec![18, 0, 0], vec![20, 1, 0]], vec![20, 1, 0]),
            (&[20], vec![vec![18, 0, 0], vec![22, 1, 0]], vec![22, 1, 0]),
            (&[3, 13], vec![vec![3, 11, 7], vec![3, 12, 1]], vec![3, 12, 1]),
            (&[3, 8], vec![vec![3, 11, 7], vec![3, 9, 1], vec![3, 7, 16]], vec![3, 9, 1]),
        ] {
            let best = installed.iter().min_by_key(|have| distance(wanted, have)).unwrap();
            assert_eq!(best, &expected, "{wanted:?}");
        }
    }

    #[test]
    fn unknown_languages_are_named_with_what_there_is() {
        let dir = tempfile::tempdir().unwrap();
        let error = Languages::new(dir.path().join("memory")).resolve("cobol85").unwrap_err();
        assert!(
            error.to_string().starts_with("'cobol85' is not a runtime that this node has; it has nodejs16.x, "),
            "{error}"
        );
    }
}
