//! Every page of the last commit lost, alone and with others: all before it is there. A page of an earlier one lost: refused. And what
//! is neither: forged, packed, short, first, in another journal, or mended half before.

use std::fs;
use std::path::{Path, PathBuf};

use base::{ByteSize, Random};
use bytes::Bytes;

use super::{END, HEAD_BYTES, ITEM, START, TORN_BYTES_MAX, TORN_FILE, TRAILER, mend, rest};
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
    written_of(COMMITS, batch)
}

fn written_of(commits: u64, batch: impl Fn(u64) -> Batch) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let (driver, _) = embedded::open(folder.path(), ByteSize::mib(8)).unwrap();
    let mut journal = Vec::new();
    let mut ends = Vec::new();
    for commit in 1..=commits {
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

/// A commit of one value.
fn short(commit: u64, value: &[u8]) -> Batch {
    let write = (Key::new("value").with(commit), Some(Bytes::copy_from_slice(value)));
    Batch { last: Sequence::new(commit), writes: [write].into_iter().collect() }
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

/// That a journal is cut there, or refused there.
fn check(what: &str, journal: &[u8], expected: Result<usize, usize>) {
    let found = match mended(journal) {
        Ok((length, _)) => Ok(length as usize),
        Err(OpenError::Rotten { at, .. }) => Err(at as usize),
        Err(error) => panic!("{what}: {error}"),
    };
    assert_eq!(found, expected, "{what}");
}

#[test]
fn damage_to_many_short_commits_is_not_a_torn_one() {
    let written = written_of(60, |commit| short(commit, b"twenty bytes of value"));
    let (journal, ends) = (&written.journal, &written.ends);
    assert!(journal.len() > PAGE && ends[ends.len() - 10] > PAGE, "the last page holds few commits");
    // One bit of the value of each of so many: 45 bytes from the end are the number's entry and the batch's end.
    let flipped = |commits: &[usize]| {
        let mut journal = journal.clone();
        commits.iter().for_each(|commit| journal[ends[*commit] - 50] ^= 1);
        journal
    };
    let in_page: Vec<usize> = (0..60).filter(|commit| *commit > 0 && ends[commit - 1] >= PAGE).collect();
    check("every commit of the last page", &flipped(&in_page), Err(ends[in_page[0] - 1]));
    check("the last two", &flipped(&[58, 59]), Err(ends[57]));
    check("the last, which may be torn", &flipped(&[59]), Ok(ends[58]));
    let mut lost = flipped(&in_page);
    lost[..PAGE].fill(0);
    check("and the first page lost", &lost, Err(0));
    let random = Random::seeded(2);
    random.fill(&mut lost[..PAGE]);
    check("and the first page changed", &lost, Err(0));
}

#[test]
fn what_is_no_commit_is_cut_off() {
    let written = written_of(2, |commit| short(commit, b"a value"));
    let torn = |value: &[u8]| {
        // A batch whose first entry is lost.
        let head = [&[START, 2, 0, 0, 0][..], &1_000_u64.to_le_bytes(), &[0; 40]].concat();
        [&written.journal[..], &head, value].concat()
    };
    let next = |entries: u8, number: u64| [&[START, entries, 0, 0, 0][..], &number.to_le_bytes()].concat();
    let end = |entries: &[u8]| [&[END][..], &xxhash_rust::xxh3::xxh3_64(entries).to_le_bytes(), TRAILER].concat();
    let empty = [next(0, 1_001), end(&[])].concat();
    let item = |key: &[u8]| {
        let lengths = [&[key.len() as u8, 0][..], &8_u32.to_le_bytes(), &8_u32.to_le_bytes()].concat();
        [&[ITEM, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0][..], &lengths, key, &[7; 8]].concat()
    };
    let forged = |key: &[u8]| [next(1, 1_001), item(key), end(&item(key))].concat();
    let mut garbage = vec![0; 3 << 20];
    Random::seeded(3).fill(&mut garbage);
    let heads: Vec<u8> = (0..2_000)
        .flat_map(|_| [&next(9, 1_001)[..], &[ITEM, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0], &[0xff; 8]].concat())
        .collect();
    let (cut, refused) = (Ok(written.journal.len()), Err(written.journal.len()));
    check("an empty batch in a value", &torn(&empty), cut);
    check("several of them", &torn(&empty.repeat(9)), cut);
    check("a batch that says no number", &torn(&forged(b"k")), cut);
    check("a whole commit", &torn(&forged(&[0])), refused);
    check("an end and a head", &torn(&[end(b"?"), next(1, 1_001), vec![ITEM]].concat()), refused);
    check("an end and the head of one before", &torn(&[end(b"?"), next(1, 0)].concat()), cut);
    check("garbage", &[&written.journal[..], &garbage].concat(), cut);
    check("garbage in the very first batch", &garbage, Ok(0));
    check("more to search than is bearable", &torn(&heads), refused);
    let kept = mended(&[&written.journal[..], &garbage].concat()).unwrap().1;
    assert!(kept == garbage[..TORN_BYTES_MAX], "the beginning of what was cut off is kept");
}

#[test]
fn the_very_first_commit_may_be_torn() {
    let written = written_of(1, batch);
    for start in (0..written.journal.len()).step_by(PAGE) {
        let mut journal = written.journal.clone();
        let end = journal.len().min(start + PAGE);
        journal[start..end].fill(0);
        check("a page lost", &journal, Ok(0));
        if start == PAGE {
            opens(&written, &journal, 0);
        }
    }
}

#[test]
fn packed_values_are_read_as_they_lie_there() {
    let value = |commit| vec![commit as u8; 60_000];
    let written = written_of(3, |commit| short(commit, &value(commit)));
    assert!(written.journal.len() < 60_000, "they were not packed");
    let before = written.ends[1];
    check("whole", &written.journal, Ok(written.journal.len()));
    // The engine's sum leaves out the head, so that a number that changed is not seen.
    for place in (before + HEAD_BYTES..written.journal.len()).step_by(7) {
        let mut journal = written.journal.clone();
        journal[place] ^= 0x10;
        check("the last commit changed", &journal, Ok(before));
        journal.truncate(place);
        check("the last commit short", &journal, Ok(before));
    }
    fs::write(journal_of(written.folder.path()), &written.journal[..before + 30]).unwrap();
    let (driver, found) = embedded::open(written.folder.path(), ByteSize::mib(8)).unwrap();
    assert_eq!(found, Sequence::new(2));
    let stored = driver.view().unwrap().get(&Key::new("value").with(2_u64)).unwrap();
    assert!(stored.as_deref() == Some(&value(2)[..]));
}

#[test]
fn the_youngest_journal_may_be_torn_behind_a_whole_one() {
    let written = written();
    let (older, path) = (journal_of(written.folder.path()), journal_of(written.folder.path()).with_file_name("1.jnl"));
    let (sealed, before) = (written.ends[1], written.ends[3]);
    let youngest = &torn(&written, |page| page % 2 == 0)[sealed..];
    fs::write(&older, &written.journal[..sealed]).unwrap();
    fs::write(&path, youngest).unwrap();
    mend(path.parent().unwrap()).unwrap();
    assert!(fs::read(&older).unwrap() == written.journal[..sealed], "the sealed one was touched");
    assert!(fs::read(&path).unwrap() == written.journal[sealed..before], "the youngest was not cut where it is whole");
    let (_, found) = embedded::open(written.folder.path(), ByteSize::mib(8)).unwrap();
    assert_eq!(found, Sequence::new(COMMITS - 1));
}

#[test]
fn cutting_goes_on_after_a_crash_and_where_nothing_can_be_put_aside() {
    let written = written();
    let before = written.ends[written.ends.len() - 2];
    let journal = torn(&written, |page| page % 2 == 0);
    let (folder, path) = (written.folder.path(), journal_of(written.folder.path()));
    let aside = folder.join(TORN_FILE);
    let again = || {
        fs::write(&path, &journal).unwrap();
        mend(path.parent().unwrap()).unwrap();
        assert!(fs::read(&path).unwrap() == written.journal[..before]);
    };
    again();
    let kept = fs::read(&aside).unwrap();
    // Put aside and not cut, then also put aside by half.
    again();
    fs::write(aside.with_extension("new"), &kept[..9]).unwrap();
    again();
    assert!(fs::read(&aside).unwrap() == kept);
    fs::create_dir(aside.with_extension("new")).unwrap();
    again();
    opens(&written, &journal, COMMITS - 1);
}
