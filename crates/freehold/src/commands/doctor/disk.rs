//! The data folder and the disk below it: whose it is, how much room there is, and how fast it says that data is safe.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::{ByteSize, Clock};

use super::Check;

const SUBJECT: &str = "data folder";
/// Where a node keeps its store: its own engine's, or SQLite's.
const STORES: [&str; 2] = ["store", "store-sqlite"];
/// The newest format of a store that this program reads. The command line has no way to ask the store without opening it, and a test
/// has this number say yes to what a node has just written.
const FORMAT_KNOWN: u32 = 1;
/// One line is there; more is not looked at.
const FORMAT_BYTES_MAX: u64 = 4096;
/// Below this, a node soon refuses writes.
const ROOM_LEAST: ByteSize = ByteSize::gib(1);
/// Below this, it will not do.
const ROOM_MIN: ByteSize = ByteSize::mib(256);
/// A commit waits for one sync, so a slow disk is a slow node.
const SYNC_SLOW: Duration = Duration::from_millis(20);
/// How often is measured.
const SYNCS: usize = 20;

/// All there is to say about the folder `data`, which may not exist yet.
pub(super) fn checks(data: &Path, clock: &Clock) -> Vec<Check> {
    let mut checks = folder(data);
    let Some(existing) = nearest_existing(data) else {
        return checks;
    };
    checks.extend(room(&existing));
    checks.push(sync(&existing, clock));
    checks
}

/// The folder, or the nearest one above it that exists: the disk is the same.
fn nearest_existing(data: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(data).ok()?;
    absolute.ancestors().find(|folder| folder.is_dir()).map(Path::to_owned)
}

fn folder(data: &Path) -> Vec<Check> {
    let shown = data.display();
    match fs::metadata(data) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return vec![Check::bad(SUBJECT, format!("{shown} is not a folder"), "name another with --data DIR")],
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return vec![Check::good(SUBJECT, format!("{shown} will be made by the first `freehold up`"))];
        }
        Err(error) => {
            return vec![Check::bad(
                SUBJECT,
                format!("{shown} cannot be read: {error}"),
                "correct its permissions, or use --data DIR",
            )];
        }
    }
    let stores: Vec<Check> = STORES.iter().filter_map(|name| store(&data.join(name))).collect();
    if stores.is_empty() { vec![Check::good(SUBJECT, format!("{shown} holds nothing yet"))] } else { stores }
}

/// A store, if there is one: whether this program can read it, and whether a node has it.
fn store(folder: &Path) -> Option<Check> {
    let shown = folder.display();
    let mut text = String::new();
    match File::open(folder.join("FORMAT")).and_then(|file| file.take(FORMAT_BYTES_MAX).read_to_string(&mut text)) {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return None,
        Err(error) => {
            let found = format!("{shown}/FORMAT cannot be read: {error}");
            return Some(Check::bad(
                SUBJECT,
                found,
                "correct its permissions: whoever runs the node must read and write it",
            ));
        }
    }
    let mut words = text.split_whitespace();
    let (Some("freehold-store"), Some(Ok(format))) = (words.next(), words.next().map(str::parse::<u32>)) else {
        let said: String = text.trim().chars().filter(|letter| !letter.is_control()).take(80).collect();
        let found = format!("{shown} does not look like a node's: its file FORMAT says '{said}'");
        return Some(Check::bad(SUBJECT, found, "restore it from a backup, or name another folder with --data DIR"));
    };
    let engine = words.next().unwrap_or("unknown");
    if format > FORMAT_KNOWN {
        let found = format!(
            "{shown} has format {format}, written by a newer version of Freehold; this one knows formats up to {FORMAT_KNOWN}"
        );
        return Some(Check::bad(SUBJECT, found, "upgrade this program; the data is left as it is"));
    }
    let found = format!("{shown}: format {format} ({engine})");
    Some(match is_locked(folder) {
        Ok(false) => Check::good(SUBJECT, format!("{found}, no node uses it")),
        Ok(true) => Check::good(SUBJECT, format!("{found}, in use by a node; another one needs a folder of its own")),
        Err(error) => Check::poor(
            SUBJECT,
            format!("{found}; whether a node uses it cannot be told: {error}"),
            "correct the permissions of its file LOCK",
        ),
    })
}

/// Whether a node holds the lock of the store. Looks, and lets go at once.
fn is_locked(store: &Path) -> io::Result<bool> {
    match File::open(store.join("LOCK")) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn room(folder: &Path) -> Option<Check> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    let free = ByteSize(stat.f_bavail.saturating_mul(stat.f_frsize));
    let found = format!("{free} free");
    let remedy = "make room, or put the data on another disk with --data DIR";
    Some(if free < ROOM_MIN {
        Check::bad("disk space", found, remedy)
    } else if free < ROOM_LEAST {
        Check::poor("disk space", found, remedy)
    } else {
        Check::good("disk space", found)
    })
}

fn sync(folder: &Path, clock: &Clock) -> Check {
    let subject = "disk sync";
    match median_sync(folder, clock) {
        Ok(time) if time > SYNC_SLOW => Check::poor(
            subject,
            format!("{:.1} ms, half of the time more", time.as_secs_f64() * 1e3),
            "every change waits for the disk: a local SSD takes 0.1 to 2 ms",
        ),
        Ok(time) => Check::good(subject, format!("{:.2} ms", time.as_secs_f64() * 1e3)),
        Err(error) => Check::bad(
            subject,
            format!("{} cannot be written: {error}", folder.display()),
            "correct its permissions, or name another folder with --data DIR",
        ),
    }
}

/// How long a written page takes to be safe.
fn median_sync(folder: &Path, clock: &Clock) -> io::Result<Duration> {
    let path = folder.join(format!(".freehold-doctor-{}", std::process::id()));
    let mut file = File::options().write(true).create_new(true).open(&path)?;
    let mut times = Vec::with_capacity(SYNCS);
    let measured = (0..SYNCS).try_for_each(|_| {
        let start = clock.elapsed();
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        times.push(clock.elapsed() - start);
        Ok(())
    });
    fs::remove_file(&path)?;
    measured.map(|()| {
        times.sort_unstable();
        times[SYNCS / 2]
    })
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_folder_that_will_be_made_is_fine_and_nothing_is_left_behind() {
        let above = tempfile::tempdir().unwrap();
        let checks = checks(&above.path().join("not/yet"), &Clock::system());
        assert_eq!(checks.len(), 3, "{checks:?}");
        assert!(checks.iter().all(|check| check.subject == "disk sync" || check.verdict != Verdict::Bad), "{checks:?}");
        assert_eq!(fs::read_dir(above.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_store_is_judged_by_its_format_and_its_lock() {
        let data = tempfile::tempdir().unwrap();
        let folder = || folder(data.path());
        assert!(folder()[0].found.ends_with("holds nothing yet"));
        let write = |store: &str, format: &str| {
            fs::create_dir_all(data.path().join(store)).unwrap();
            fs::write(data.path().join(store).join("FORMAT"), format).unwrap();
        };
        for (format, verdict, expected) in [
            ("freehold-store 1 fjall\n", Verdict::Good, "/store: format 1 (fjall), no node uses it"),
            (
                "freehold-store 99 fjall\n",
                Verdict::Bad,
                "/store has format 99, written by a newer version of Freehold; this one knows formats up to 1",
            ),
            ("hello\u{7}", Verdict::Bad, "/store does not look like a node's: its file FORMAT says 'hello'"),
            ("freehold-store x", Verdict::Bad, "its file FORMAT says 'freehold-store x'"),
            ("", Verdict::Bad, "its file FORMAT says ''"),
        ] {
            write("store", format);
            let checks = folder();
            assert_eq!((checks.len(), checks[0].verdict), (1, verdict), "{checks:?}");
            assert!(checks[0].found.ends_with(expected), "{checks:?}");
            assert_eq!(checks[0].remedy.is_some(), verdict == Verdict::Bad, "{checks:?}");
        }
        write("store", "freehold-store 1 fjall\n");
        write("store-sqlite", "freehold-store 1 sqlite\n");
        let lock = File::create(data.path().join("store-sqlite/LOCK")).unwrap();
        lock.lock().unwrap();
        let checks = folder();
        assert!(checks[0].found.ends_with("no node uses it"), "{checks:?}");
        let expected = "/store-sqlite: format 1 (sqlite), in use by a node; another one needs a folder of its own";
        assert!(checks[1].found.ends_with(expected), "{checks:?}");
        drop(lock);
        assert!(folder()[1].found.ends_with("no node uses it"));
    }

    #[test]
    fn a_file_is_no_folder() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(folder(file.path())[0].verdict, Verdict::Bad);
    }
}
