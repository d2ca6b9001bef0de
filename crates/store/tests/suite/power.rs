//! Cut the power: a file system on a loop device is shut down under the load without writing its caches, mounted again,
//! and every commit that was acknowledged before the cut began must be there. Needs root, loop devices, ext4's tools and
//! Python for the ioctl; where one is missing the test says so and is over. `FREEHOLD_POWER_ROUNDS` says how many cuts.
//!
//! Acknowledgements and the beginning of the cut carry the machine's monotonic time: while the shutdown runs, a sync
//! that is under way may report success without being one, which is a race of the simulation and not of the store.
//!
//! A file system that is shut down loses all of what was not synced, or its end. A disk writes in any order: so after each cut one more
//! commit is made that nobody is told of, and pages of it, chosen by chance, are taken out of the embedded engine's journal. Where that
//! commit was the one that filled the engine's memory, and was written into a table before the journal lost it, all of it may be there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base::Random;
use store::{Key, Range, Store};

use crate::disk::Disk;
use crate::fixture::{all, commit};
use crate::load::{self, Ack, Engine, Load};

const DISK_BYTES: u64 = 1 << 30;

/// What a disk loses or keeps as one.
const PAGE_BYTES: usize = 4 << 10;

/// Of the commit that is torn.
const VALUES: u64 = 4;

#[test]
fn embedded_survives_power_cuts() {
    load::run_if_started();
    survives_power_cuts("power::embedded_survives_power_cuts", Engine::Embedded);
}

#[test]
fn sqlite_survives_power_cuts() {
    load::run_if_started();
    survives_power_cuts("power::sqlite_survives_power_cuts", Engine::Sqlite);
}

fn survives_power_cuts(test: &str, engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = match Disk::new(folder.path(), DISK_BYTES) {
        Ok(disk) => disk,
        Err(missing) => return println!("skipped: no power to cut here: {missing}"),
    };
    let rounds = std::env::var("FREEHOLD_POWER_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (mut acknowledged, mut late, mut kept_in_tables) = (0, 0, 0);
    for round in 0..rounds {
        let mut load = Load::start(test, engine, &disk.data(), round);
        let mut acks = load.acks([300, 1_500, 5_000][round as usize % 3]);
        let began_ns = disk.cut();
        acks.extend(load.kill());
        let before: Vec<Ack> = acks.iter().filter(|ack| ack.at_ns < began_ns).copied().collect();
        acknowledged += before.len();
        late += acks.len() - before.len();
        disk.mount_again();
        runtime.block_on(async {
            let torn = match engine {
                Engine::Embedded => Some(tear_a_commit(&disk.data(), &Random::seeded(round)).await),
                Engine::Sqlite => None,
            };
            let store = Store::open(engine.options(&disk.data())).unwrap();
            if let Some(torn) = torn {
                kept_in_tables += u64::from(torn.check(&store).await);
            }
            load::check(&store, round..round + 1, &before).await;
            load::writes_go_on(&store, round).await;
            load::forget(&store, round).await;
            store.close().await;
        });
    }
    println!(
        "{engine}: {rounds} power cuts, {acknowledged} commits acknowledged before them, none lost, none torn ({late} later, {kept_in_tables} \
         that the journal lost in tables)"
    );
}

/// A commit whose journal lost pages.
struct Torn {
    key: Key,
    values: Vec<Vec<u8>>,
    /// A table was written meanwhile.
    may_be_in_a_table: bool,
}

impl Torn {
    /// Nothing of it is there, or all of it in a table, which then is told.
    async fn check(&self, store: &Store) -> bool {
        let found = all(store, Range::prefix(&self.key)).await;
        if found.is_empty() {
            return false;
        }
        assert!(self.may_be_in_a_table, "of a torn commit {} of {VALUES} values are there", found.len());
        let found: Vec<Vec<u8>> = found.into_iter().map(|(_, value)| value.to_vec()).collect();
        assert!(found == self.values, "of a torn commit some is there, and some is not");
        true
    }
}

/// Commits, and loses half of the pages that were written for it.
async fn tear_a_commit(data: &Path, random: &Random) -> Torn {
    let store = Store::open(Engine::Embedded.options(data)).unwrap();
    let path = youngest_journal(data);
    let before = fs::read(&path).unwrap();
    let tables_before = tables(data);
    let key = Key::new("torn").with(random.below(u64::MAX));
    let values: Vec<_> = (0..VALUES)
        .map(|_| {
            let mut value = vec![0; 20_000 + random.below(40_000) as usize];
            random.fill(&mut value);
            value
        })
        .collect();
    let write = |tx: &store::Transaction| {
        (0..).zip(&values).for_each(|(part, value)| tx.put(key.clone().with(part), value.clone()));
    };
    commit(&store, write).await;
    drop(store);
    assert_eq!(youngest_journal(data), path, "the commit may be in another journal");
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() > before.len() && whole.starts_with(&before), "the commit is not behind the ones before it");
    let mut journal = whole.clone();
    for start in (before.len() / PAGE_BYTES * PAGE_BYTES..journal.len()).step_by(PAGE_BYTES) {
        if random.below(2) == 0 {
            // What was there before stays.
            let end = journal.len().min(start + PAGE_BYTES);
            journal[start.max(before.len())..end].fill(0);
        }
    }
    assert!(journal != whole, "nothing was torn");
    fs::write(path, journal).unwrap();
    Torn { key, values, may_be_in_a_table: tables(data) != tables_before }
}

/// The engine's tables.
fn tables(data: &Path) -> BTreeSet<PathBuf> {
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries(data.join("fjall/keyspaces")).flat_map(|keyspace| entries(keyspace.join("tables"))).collect()
}

fn youngest_journal(data: &Path) -> PathBuf {
    let files = fs::read_dir(data.join("fjall")).unwrap().map(|entry| entry.unwrap().path());
    let number = |path: &PathBuf| path.file_name()?.to_str()?.strip_suffix(".jnl")?.parse::<u64>().ok();
    files.filter(|path| number(path).is_some()).max_by_key(number).unwrap()
}
