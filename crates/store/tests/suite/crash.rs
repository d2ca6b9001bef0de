//! Kill it in the middle of writing, again and again: every acknowledged commit is there, whole, and no other is torn;
//! and writing goes on after each opening. `FREEHOLD_CRASH_ROUNDS` says how many times.

use base::Random;
use store::Store;

use crate::load::{self, Ack, Engine, Load};

/// Rounds are forgotten so much later.
const KEPT: u64 = 6;

#[test]
fn embedded_survives_kills() {
    load::run_if_started();
    survives_kills("crash::embedded_survives_kills", Engine::Embedded, load::rounds(20));
}

#[test]
fn sqlite_survives_kills() {
    load::run_if_started();
    survives_kills("crash::sqlite_survives_kills", Engine::Sqlite, load::rounds(8));
}

fn survives_kills(test: &str, engine: Engine, rounds: u64) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let random = Random::seeded(rounds);
    let mut acks: Vec<Ack> = Vec::new();
    let mut acknowledged = 0;
    let mut counted_before = 0;
    for round in 0..rounds {
        let mut load = Load::start(test, engine, folder.path(), round);
        // A kill right after opening, after some commits, or after enough to fill a memtable and a journal.
        let commits = match engine {
            Engine::Embedded if round % 10 == 7 => 9_000,
            Engine::Embedded | Engine::Sqlite => [1, 200, 2_000][round as usize % 3],
        };
        acks.extend(load.acks(commits + random.below(500)));
        acks.extend(load.kill());
        // Every other time the next process opens what a killed one left, and nobody tidies up in between.
        if round % 2 == 0 && round + 1 < rounds {
            continue;
        }
        acknowledged += acks.len();
        runtime.block_on(async {
            let store = Store::open(engine.options(folder.path())).unwrap();
            let first = round.saturating_sub(1);
            let found = load::check(&store, first..round + 1, &acks).await as u64;
            let counted = load::counted(&store).await;
            assert_eq!(counted - counted_before, found, "the counters counted something else");
            load::writes_go_on(&store, round).await;
            counted_before = load::counted(&store).await;
            for old in [first, round].into_iter().filter_map(|round| round.checked_sub(KEPT)) {
                load::forget(&store, old).await;
            }
            // Not closed but dropped in the middle of life; the folder is free after that.
            drop(store);
        });
        acks.clear();
    }
    println!("{engine}: {rounds} kills, {acknowledged} acknowledged commits, none lost, none torn");
}
