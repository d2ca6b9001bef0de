//! The data folder and the disk below it: whose it is, how much room there is, and how fast it says that data is safe.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::{ByteSize, Clock};

use super::Check;

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
    let mut checks = vec![folder(data)];
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

fn folder(data: &Path) -> Check {
    let shown = data.display();
    let subject = "data folder";
    match fs::metadata(data) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Check::bad(subject, format!("{shown} is not a folder"), "name another with --data DIR"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Check::good(subject, format!("{shown} will be made by the first `freehold up`"));
        }
        Err(error) => {
            return Check::bad(
                subject,
                format!("{shown} cannot be read: {error}"),
                "correct its permissions, or use --data DIR",
            );
        }
    }
    match formats(data).next() {
        None => Check::good(subject, format!("{shown} holds nothing yet")),
        Some((folder, format)) => {
            let used = if is_locked(&folder) { "in use by a node" } else { "no node uses it" };
            Check::good(subject, format!("{shown}: {format}, {used}"))
        }
    }
}

/// The stores in a data folder (one, in practice), each with what its FORMAT says.
fn formats(data: &Path) -> impl Iterator<Item = (PathBuf, String)> {
    [data.to_owned(), data.join("store")].into_iter().filter_map(|folder| {
        let format = fs::read_to_string(folder.join("FORMAT")).ok()?;
        let format: String = format.trim().chars().filter(|letter| !letter.is_control()).take(80).collect();
        Some((folder, format))
    })
}

/// Whether a node holds the lock of the store. Looks, and lets go at once.
fn is_locked(store: &Path) -> bool {
    File::open(store.join("LOCK")).is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
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
    fn a_store_is_seen_with_its_lock() {
        let data = tempfile::tempdir().unwrap();
        assert!(folder(data.path()).found.ends_with("holds nothing yet"));
        fs::create_dir(data.path().join("store")).unwrap();
        fs::write(data.path().join("store/FORMAT"), "freehold-store 1 fjall\n").unwrap();
        let lock = File::create(data.path().join("store/LOCK")).unwrap();
        assert!(folder(data.path()).found.ends_with("freehold-store 1 fjall, no node uses it"));
        lock.lock().unwrap();
        assert!(folder(data.path()).found.ends_with("freehold-store 1 fjall, in use by a node"));
    }

    #[test]
    fn a_file_is_no_folder() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(folder(file.path()).verdict, Verdict::Bad);
    }
}
