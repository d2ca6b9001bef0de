//! Folders that are watched while `up` runs. Directories are watched, not files, because editors replace files; a burst of
//! events is one change; what no deployment contains (version control, editors' swap files, our own data) is no change.
//!
//! What is remembered is a set of folders, never a list of events, so a build that touches a million files costs nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base::Clock;
use bundle::archive::is_left_out;
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Quiet for this long: the change is whole.
const QUIET: Duration = Duration::from_millis(100);
/// Never quiet: after this many pauses it is taken as it is.
const PAUSES_MAX: u32 = 20;
/// A folder with more directories than this is not watched whole.
const DIRECTORIES_MAX: usize = 10_000;

/// Folders of editors; what no archive takes ([`is_left_out`]) does not matter either.
const FOLDERS_IGNORED: [&str; 4] = [".idea", ".vscode", ".jj", ".mypy_cache"];

/// Why a folder cannot be watched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The kernel has no more watches for this user.
    #[error("the limit on watched folders is reached; raise it with: sysctl fs.inotify.max_user_watches=524288")]
    LimitReached,
    /// More folders than we watch.
    #[error(
        "there are more than {DIRECTORIES_MAX} folders in what is deployed; name the one that you work in: freehold up FOLDER"
    )]
    TooMany,
    /// Anything else.
    #[error("{0}")]
    Other(notify::Error),
}

impl From<notify::Error> for Error {
    fn from(error: notify::Error) -> Self {
        let is_limit = match &error.kind {
            notify::ErrorKind::MaxFilesWatch => true,
            notify::ErrorKind::Io(error) => error.raw_os_error() == Some(28),
            _ => false,
        };
        if is_limit { Self::LimitReached } else { Self::Other(error) }
    }
}

/// What happened since it was last asked.
#[derive(Debug, Default)]
struct Seen {
    /// Which applications changed.
    applications: BTreeSet<usize>,
    /// How many events that was: while it grows, it is not quiet.
    events: u64,
    /// Directories that are not watched yet.
    directories: BTreeSet<PathBuf>,
}

/// Watches what applications are made of. Applications have numbers.
pub(crate) struct Watch {
    watcher: RecommendedWatcher,
    state: Arc<State>,
    watched: BTreeSet<PathBuf>,
}

/// What both ends share.
struct State {
    roots: Mutex<Roots>,
    seen: Mutex<Seen>,
    bell: Notify,
}

impl Watch {
    /// Watches nothing yet. What lies in `data` never counts.
    pub(crate) fn start(data: &Path) -> Result<Self, Error> {
        let roots = Roots { folders: BTreeSet::new(), data: absolute(data) };
        let state =
            Arc::new(State { roots: Mutex::new(roots), seen: Mutex::new(Seen::default()), bell: Notify::new() });
        let handler = Arc::clone(&state);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| handler.hear(event))?;
        Ok(Self { watcher, state, watched: BTreeSet::new() })
    }

    /// Watches these files and folders, too, and counts a change in them as one of application `number`. Harmless when done
    /// before.
    pub(crate) fn cover<'a>(
        &mut self,
        number: usize,
        paths: impl IntoIterator<Item = &'a PathBuf>,
    ) -> Result<(), Error> {
        for path in paths {
            let path = absolute(path);
            self.state.roots().folders.insert((number, path.clone()));
            match path.is_dir() {
                true => self.add(&path)?,
                // Of a file, its folder is watched: editors replace files.
                false => path.parent().map_or(Ok(()), |folder| self.add_one(folder))?,
            }
        }
        Ok(())
    }

    /// Returns the numbers of the applications that changed, once they are quiet. Safe to drop: nothing is forgotten.
    pub(crate) async fn changed(&mut self, clock: &Clock) -> Vec<usize> {
        while self.state.seen().applications.is_empty() {
            self.state.bell.notified().await;
        }
        for _ in 0..PAUSES_MAX {
            let loudness = self.state.seen().events;
            clock.sleep(QUIET).await;
            if self.state.seen().events == loudness {
                break;
            }
        }
        let seen = std::mem::take(&mut *self.state.seen());
        for directory in seen.directories {
            // It may be gone again, and then its parent's next event tells.
            drop(self.add(&directory));
        }
        seen.applications.into_iter().collect()
    }

    /// Watches a directory and those below it.
    fn add(&mut self, directory: &Path) -> Result<(), Error> {
        let mut waiting = vec![directory.to_owned()];
        while let Some(directory) = waiting.pop() {
            self.add_one(&directory)?;
            let Ok(entries) = fs::read_dir(&directory) else {
                continue;
            };
            let below = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            let roots = self.state.roots();
            waiting.extend(below.map(|entry| entry.path()).filter(|path| roots.is_worth_watching(path)));
        }
        Ok(())
    }

    fn add_one(&mut self, directory: &Path) -> Result<(), Error> {
        if self.watched.len() >= DIRECTORIES_MAX && !self.watched.contains(directory) {
            // Builds make and delete folders under ever new names; the kernel forgets those by itself.
            self.watched.retain(|watched| watched.is_dir());
            if self.watched.len() >= DIRECTORIES_MAX {
                return Err(Error::TooMany);
            }
        }
        // One that was deleted and made again has lost its watch; asking twice is harmless.
        self.watcher.watch(directory, RecursiveMode::NonRecursive)?;
        self.watched.insert(directory.to_owned());
        Ok(())
    }
}

fn absolute(path: &Path) -> PathBuf {
    fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

impl State {
    fn roots(&self) -> MutexGuard<'_, Roots> {
        self.roots.lock().expect("nothing panics while it holds this lock")
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nothing panics while it holds this lock")
    }

    /// Called on the watcher's own thread.
    fn hear(&self, event: notify::Result<Event>) {
        let roots = self.roots();
        let mut seen = self.seen();
        match event {
            Ok(event) if !event.need_rescan() => {
                if !is_change(event.kind) {
                    return;
                }
                let appeared = matches!(event.kind, EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_)));
                for path in &event.paths {
                    seen.applications.extend(roots.touched_by(path));
                    seen.events += u64::from(roots.is_worth_watching(path));
                    if appeared && path.is_dir() && roots.is_worth_watching(path) {
                        seen.directories.insert(path.clone());
                    }
                }
            }
            // Events were lost: everything may have changed. Deploying what did not change does nothing.
            Ok(_) | Err(_) => {
                seen.applications.extend(roots.folders.iter().map(|(number, _)| *number));
                seen.events += 1;
            }
        }
        if !seen.applications.is_empty() {
            self.bell.notify_one();
        }
    }
}

/// Reading is no change, else every deployment would cause the next one.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    }
}

/// What is watched, absolute, each for an application.
#[derive(Debug)]
struct Roots {
    folders: BTreeSet<(usize, PathBuf)>,
    data: PathBuf,
}

impl Roots {
    /// The applications to which a change of `path` matters.
    fn touched_by<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = usize> + 'a {
        let roots = self.folders.iter().filter(move |_| !path.starts_with(&self.data));
        roots.filter_map(move |(number, root)| matters(path.strip_prefix(root).ok()?).then_some(*number))
    }

    fn is_worth_watching(&self, directory: &Path) -> bool {
        self.touched_by(directory).next().is_some()
    }
}

/// Whether a file or directory, named from its root, can be part of a deployment.
fn matters(path: &Path) -> bool {
    let mut names = path.components().filter_map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let Some(file) = path.file_name().map(|name| name.to_string_lossy()) else {
        return true;
    };
    if names.any(|name| FOLDERS_IGNORED.contains(&name) || is_left_out(name)) || is_editors(&file) {
        return false;
    }
    // Packages are installed file by file; npm, pnpm and yarn write a file at the top of node_modules when they are done.
    let mut folders = path.components().skip_while(|component| component.as_os_str() != "node_modules");
    folders.next().is_none() || folders.count() <= 1 && (file == "node_modules" || file.starts_with('.'))
}

/// Swap files, backups and probes of vim, Emacs, Kate, JetBrains' and others.
fn is_editors(file: &str) -> bool {
    const ENDS: [&str; 8] = ["~", ".swp", ".swo", ".swx", ".tmp", ".kate-swp", "___jb_tmp___", "___jb_old___"];
    file == "4913"
        || file == ".DS_Store"
        || file.starts_with(".#")
        || (file.starts_with('#') && file.ends_with('#'))
        || ENDS.iter().any(|end| file.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_deployment_contains_is_no_change() {
        let check = |path: &str, expected: bool| assert_eq!(matters(Path::new(path)), expected, "{path}");
        check("", true);
        check("index.mjs", true);
        check("src/deep/handler.py", true);
        check(".env", true);
        check(".git/index", false);
        check("sub/.git/HEAD", false);
        check(".freehold/store/1", false);
        check("__pycache__/app.pyc", false);
        check(".index.mjs.swp", false);
        check("index.mjs~", false);
        check("4913", false);
        check(".#index.mjs", false);
        check("#index.mjs#", false);
        check("node_modules", true);
        check("node_modules/.package-lock.json", true);
        check("node_modules/left-pad", false);
        check("node_modules/left-pad/index.js", false);
        check("node_modules/left-pad/node_modules/.hidden", false);
    }

    /// Waits for the first change, with a deadline for machines that are very busy.
    async fn first_change(watch: &mut Watch) -> Vec<usize> {
        tokio::time::timeout(Duration::from_secs(30), watch.changed(&Clock::system())).await.expect("a change is seen")
    }

    #[tokio::test]
    async fn each_root_hears_of_its_own_changes() {
        let above = tempfile::tempdir().unwrap();
        let roots = [above.path().join("one"), above.path().join("two")];
        roots.iter().for_each(|root| fs::create_dir(root).unwrap());
        let data = roots[0].join("data");
        fs::create_dir(&data).unwrap();
        let mut watch = Watch::start(&data).unwrap();
        watch.cover(0, &roots[..1]).unwrap();
        watch.cover(1, &roots[1..]).unwrap();

        // What does not matter comes first: had it counted, root 0 would be named.
        fs::write(data.join("journal"), "x").unwrap();
        fs::write(roots[0].join("index.mjs~"), "x").unwrap();
        fs::write(roots[1].join("index.mjs"), "x").unwrap();
        assert_eq!(first_change(&mut watch).await, [1]);

        // An editor's way: write beside it, rename over it.
        fs::write(roots[0].join("app.py.tmp"), "x").unwrap();
        fs::rename(roots[0].join("app.py.tmp"), roots[0].join("app.py")).unwrap();
        assert_eq!(first_change(&mut watch).await, [0]);

        // A directory that was not there at first is watched too.
        fs::create_dir_all(roots[1].join("lib/deep")).unwrap();
        assert_eq!(first_change(&mut watch).await, [1]);
        fs::write(roots[1].join("lib/deep/a.js"), "x").unwrap();
        assert_eq!(first_change(&mut watch).await, [1]);

        // A file from elsewhere, and only that file.
        let shared = above.path().join("shared.py");
        watch.cover(0, [&shared]).unwrap();
        fs::write(above.path().join("stranger.py"), "x").unwrap();
        fs::write(&shared, "x").unwrap();
        assert_eq!(first_change(&mut watch).await, [0]);
    }
}
