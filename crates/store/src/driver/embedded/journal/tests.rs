//! Every page of the last commit lost, alone and with others: all before it is there. A page of an earlier one lost: refused.

use std::fs;
use std::path::{Path, PathBuf};

use base::{ByteSize, Random};
use bytes::Bytes;

use super::{TORN_FILE, mend, rest};
use crate::driver::{Batch, Driver, embedded};
use crate::{Key, OpenError, Sequence};

const PAGE: usize = 4 << 10;
const COMMITS: u64 = 5;

/// A store's folder after some commits of long values that cannot be packed, and where each of them ends in its journal.
struct Written {
    folder: tempfile::TempDir,
    journal: Vec<u8>,
    ends: Vec<usize>,
}

fn written() -> Written {
    let folder = tempfile::tempdir().unwrap();
    let (driver, _) = embedded::open(folder.path(), ByteSize::mib(8)).unwrap();
    let mut journal = Vec::new();
    let mut ends = Vec::new();
    for commit in 1..=COMMITS {
        driver.apply(&batch(commit)).unwrap();
        journal = rest(&mut fs::File::open(journal_of(folder.path())).unwrap(), 0).unwrap();
        ends.push(journal.len());
    }
    drop(driver);
    Written { folder, journal, ends }
}

fn batch(commit: u64) -> Batch {
    let random = Random::seeded(commit);
    let writes = (0..3).map(|part| {
        let mut value = vec![0; 20_000 + random.below(40_000) as usize];
        random.fill(&mut value);
        (Key::new("value").with(commit).with(part), Some(Bytes::from(value)))
    });
    Batch { last: Sequence::new(commit), writes: writes.collect() }
}

fn journal_of(folder: &Path) -> PathBuf {
    folder.join(embedded::NAME).join("0.jnl")
}

/// The journal with the pages of its last commit that `is_kept` tells; what the first page held before stays there.
fn torn(written: &Written, is_kept: impl Fn(usize) -> bool) -> Vec<u8> {
    let before = written.ends[written.ends.len() - 2];
    let mut journal = written.journal.clone();
    for start in (before / PAGE * PAGE..journal.len()).step_by(PAGE) {
        let end = journal.len().min(start + PAGE);
        if !is_kept(start / PAGE) {
            journal[start.max(before)..end].fill(0);
        }
    }
    journal
}

/// What `mend` leaves of a journal, alone in a folder.
fn mended(journal: &[u8]) -> Result<(u64, Vec<u8>), OpenError> {
    let folder = tempfile::tempdir().unwrap();
    let path = journal_of(folder.path());
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, journal).unwrap();
    mend(path.parent().unwrap())?;
    Ok((fs::metadata(path).unwrap().len(), fs::read(folder.path().join(TORN_FILE)).unwrap_or_default()))
}

#[test]
fn a_torn_end_is_cut_off_and_put_aside() {
    let written = written();
    let before = written.ends[written.ends.len() - 2];
    let pages: Vec<usize> = (before / PAGE..written.journal.len().div_ceil(PAGE)).collect();
    let random = Random::seeded(6);
    let masks =
        pages.iter().flat_map(|page| [vec![*page], pages.iter().copied().filter(|other| other != page).collect()]);
    let seeded = (0..100).map(|_| pages.iter().copied().filter(|_| random.below(2) == 0).collect::<Vec<_>>());
    for (index, lost) in masks.chain(seeded).enumerate() {
        let journal = torn(&written, |page| !lost.contains(&page));
        let (length, kept) = mended(&journal).unwrap();
        let expected = if lost.is_empty() { written.journal.len() } else { before };
        let left = &journal[before..];
        let used = left.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if expected == before && used > 0 {
            assert_eq!((length as usize, &kept[..]), (before, &left[..used]), "pages {lost:?} lost");
        }
        if index % 10 == 0 {
            opens(&written, &journal, if lost.is_empty() { COMMITS } else { COMMITS - 1 });
        }
    }
}

/// That a store with this journal opens with all of so many commits, and goes on.
fn opens(written: &Written, journal: &[u8], commits: u64) {
    let path = written.folder.path();
    fs::write(journal_of(path), journal).unwrap();
    for last in [commits, commits + 1] {
        let (driver, found) = embedded::open(path, ByteSize::mib(8)).unwrap();
        assert_eq!(found, Sequence::new(last));
        let view = driver.view().unwrap();
        for (key, value) in (1..=last).flat_map(|commit| batch(commit).writes) {
            assert!(view.get(&key).unwrap() == value, "{key} is not what was committed");
        }
        if last == commits {
            driver.apply(&batch(last + 1)).unwrap();
        }
    }
}

#[test]
fn a_hole_before_whole_commits_is_refused_and_nothing_touched() {
    let written = written();
    let before = written.ends[written.ends.len() - 2];
    for start in (0..before - PAGE).step_by(PAGE) {
        let mut journal = written.journal.clone();
        journal[start..start + PAGE].fill(0);
        let broken = written.ends.iter().rfind(|end| **end <= start).copied().unwrap_or_default();
        match mended(&journal) {
            Err(OpenError::Rotten { at, .. }) => assert_eq!(at as usize, broken),
            other => panic!("a page lost at {start}: {other:?}"),
        }
    }
    let path = journal_of(written.folder.path());
    let mut journal = written.journal.clone();
    journal[PAGE] ^= 1;
    fs::write(&path, &journal).unwrap();
    let refused = embedded::open(written.folder.path(), ByteSize::mib(8)).map(drop).unwrap_err().to_string();
    assert!(refused.contains("is damaged at byte 0, before commits that were acknowledged"), "{refused}");
    assert!(fs::read(&path).unwrap() == journal, "it was touched");
    // A younger journal is begun when the one before it is whole: no cut tears that.
    fs::write(&path, &written.journal[..written.journal.len() - 1]).unwrap();
    fs::write(path.with_file_name("1.jnl"), []).unwrap();
    assert!(matches!(mend(path.parent().unwrap()), Err(OpenError::Rotten { .. })));
}
