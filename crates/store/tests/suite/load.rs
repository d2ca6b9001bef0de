//! A process that commits under load until it is killed, and what must be true of what it leaves behind.
//!
//! The process is this very test binary, started again on one test with [`FOLDER`] in its environment. It prints a line
//! for each acknowledged commit. Each commit writes several keys far apart, adds to a counter, and appends to a journal,
//! so that a lost one, a torn one, a doubled one and a lost update all show.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use base::{Clock, Random};
use rustix::time::{ClockId, clock_gettime};
use store::{Error, Key, Location, Options, Range, Store};

use crate::fixture::{all, get, number};

/// Says to the started process that it is one, and where to write.
const FOLDER: &str = "FREEHOLD_CRASH_FOLDER";
const DRIVER: &str = "FREEHOLD_CRASH_DRIVER";
const ROUND: &str = "FREEHOLD_CRASH_ROUND";

const WRITERS: u64 = 32;
const PARTS: u64 = 3;
const COUNTERS: u64 = 8;

/// How many rounds: few by default, more by this variable.
pub fn rounds(default: u64) -> u64 {
    std::env::var("FREEHOLD_CRASH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The engine under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Embedded,
    Sqlite,
}

impl Engine {
    pub fn options(self, folder: &Path) -> Options {
        let location = match self {
            Self::Embedded => Location::Embedded(folder.to_owned()),
            Self::Sqlite => Location::Sqlite(folder.to_owned()),
        };
        Options { disk_reserve: base::ByteSize(0), ..Options::new(location, Clock::system()) }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Sqlite => "sqlite",
        })
    }
}

/// One acknowledged commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ack {
    pub round: u64,
    pub writer: u64,
    pub count: u64,
    /// When the acknowledgement came, by the machine's monotonic clock.
    pub at_ns: u64,
}

/// The machine's monotonic clock, which all processes share.
fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// In the started process: commits for ever. Elsewhere: returns at once.
pub fn run_if_started() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let engine = match std::env::var(DRIVER).as_deref() {
        Ok("sqlite") => Engine::Sqlite,
        _ => Engine::Embedded,
    };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(engine.options(Path::new(&folder))).unwrap();
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            writers.spawn(write_for_ever(store.clone(), round, writer));
        }
        writers.join_all().await;
    });
}

async fn write_for_ever(store: Store, round: u64, writer: u64) {
    let random = Random::seeded(round * WRITERS + writer);
    for count in 0.. {
        write(&store, &random, round, writer, count).await;
        let line = format!("ack {round} {writer} {count} {}\n", monotonic_ns());
        // One write to the pipe: a line is there whole or not at all.
        std::io::stdout().write_all(line.as_bytes()).unwrap();
    }
}

async fn write(store: &Store, random: &Random, round: u64, writer: u64, count: u64) {
    let length = 100 + random.below(3_000) as usize;
    store
        .transact(|tx| async move {
            let counter = counter(writer % COUNTERS);
            let before = tx.get(&counter).await?.map_or(0, |bytes| number(&bytes));
            tx.put(counter, (before + 1).to_string());
            for part in 0..PARTS {
                tx.put(part_key(round, part, writer, count), value(writer, count, part, length));
            }
            tx.append(Key::journal("done").with(round), format!("{writer} {count}"));
            // A queue: what was put in is taken out by the next.
            tx.put(Key::queue("next").with(writer).with(round).with(count), "");
            if count > 0 {
                tx.delete(Key::queue("next").with(writer).with(round).with(count - 1));
            }
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
}

fn counter(number: u64) -> Key {
    Key::new("counter").with(number)
}

fn part_key(round: u64, part: u64, writer: u64, count: u64) -> Key {
    Key::new("part").with(round).with(part).with(writer).with(count)
}

/// Follows from its place, so that a value in a wrong one is found.
fn value(writer: u64, count: u64, part: u64, length: usize) -> Vec<u8> {
    let mut value = format!("{writer}/{count}/{part}/{length}/").into_bytes();
    let fill = Random::seeded(writer ^ (count << 8) ^ (part << 40));
    let head = value.len();
    value.resize(head + length, 0);
    fill.fill(&mut value[head..]);
    value
}

/// A process under load.
pub struct Load {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Load {
    /// Starts this binary again on `test`, which must call [`run_if_started`].
    pub fn start(test: &str, engine: Engine, folder: &Path, round: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder)
            .env(DRIVER, engine.to_string())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits for so many acknowledgements. Panics, with what the process said, when it ends before; hangs when it hangs,
    /// unless its own watchdog ends it (which is what is tested).
    pub fn acks(&mut self, count: u64) -> Vec<Ack> {
        let mut acks = Vec::new();
        while (acks.len() as u64) < count {
            match self.lines.next() {
                Some(line) => acks.extend(parse(&line.unwrap())),
                None => {
                    let mut said = String::new();
                    let mut stderr = self.child.stderr.take().unwrap();
                    std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
                    panic!("the process ended by itself: {said}");
                }
            }
        }
        acks
    }

    /// SIGKILL, and the rest of what was acknowledged before it.
    pub fn kill(mut self) -> Vec<Ack> {
        self.child.kill().unwrap();
        let rest = self.lines.filter_map(|line| parse(&line.ok()?)).collect();
        self.child.wait().unwrap();
        rest
    }
}

fn parse(line: &str) -> Option<Ack> {
    let mut words = line.strip_prefix("ack ")?.split(' ').map(str::parse);
    let mut next = || words.next()?.ok();
    Some(Ack { round: next()?, writer: next()?, count: next()?, at_ns: next()? })
}

/// Checks what some rounds left behind, and tells how many commits there are in them.
///
/// Every acknowledged commit is there; every commit that is there is whole, once, in the journal in the order of its
/// writer; and the counters have counted each of them.
pub async fn check(store: &Store, rounds: std::ops::Range<u64>, acks: &[Ack]) -> usize {
    let mut found: BTreeSet<(u64, u64, u64)> = BTreeSet::new();
    for round in rounds.clone() {
        let mut next: BTreeMap<u64, u64> = BTreeMap::new();
        for (_, line) in all(store, Range::prefix(&Key::journal("done").with(round))).await {
            let line = String::from_utf8(line.to_vec()).unwrap();
            let (writer, count) = line.split_once(' ').unwrap();
            let (writer, count) = (writer.parse().unwrap(), count.parse().unwrap());
            assert_eq!(std::mem::replace(next.entry(writer).or_default(), count + 1), count, "out of order or doubled");
            found.insert((round, writer, count));
        }
        let parts = all(store, Range::prefix(&Key::new("part").with(round))).await;
        assert_eq!(parts.len() as u64, next.values().sum::<u64>() * PARTS, "round {round} has torn commits");
        for (key, bytes) in parts {
            check_part(&key, &bytes);
        }
    }
    let acknowledged: BTreeSet<_> = acks.iter().map(|ack| (ack.round, ack.writer, ack.count)).collect();
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged commits are lost: {lost:?}", lost.len(), acknowledged.len());
    found.len()
}

fn check_part(key: &Key, bytes: &[u8]) {
    let mut parts = key.parts_after(&Key::new("part")).unwrap();
    let (_round, part) = (parts.number().unwrap(), parts.number().unwrap());
    let (writer, count) = (parts.number().unwrap(), parts.number().unwrap());
    let head = format!("{writer}/{count}/{part}/");
    let length = bytes.strip_prefix(head.as_bytes()).and_then(|rest| rest.split(|byte| *byte == b'/').next());
    let length: usize = std::str::from_utf8(length.unwrap_or_default()).unwrap().parse().unwrap();
    assert!(bytes == value(writer, count, part, length), "{key} holds other bytes than were written");
}

/// The sum of the counters: how many commits there were in all rounds.
pub async fn counted(store: &Store) -> u64 {
    let mut sum = 0;
    for which in 0..COUNTERS {
        sum += get(store, &counter(which)).await.map_or(0, |bytes| number(&bytes));
    }
    sum
}

/// Deletes what a round wrote, so that many rounds do not fill the disk.
pub async fn forget(store: &Store, round: u64) {
    for prefix in [Key::journal("done").with(round), Key::new("part").with(round)] {
        let keys: Vec<_> = all(store, Range::prefix(&prefix)).await.into_iter().map(|(key, _)| key).collect();
        for some in keys.chunks(10_000) {
            crate::fixture::commit(store, |tx| some.iter().for_each(|key| tx.delete(key.clone()))).await;
        }
    }
}

/// Commits some, each soon.
pub async fn writes_go_on(store: &Store, round: u64) {
    let random = Random::seeded(round);
    for count in 0..50 {
        let write = write(store, &random, u64::MAX - round, 0, count);
        let in_time = tokio::time::timeout(Duration::from_secs(30), write).await;
        assert!(in_time.is_ok(), "writes hang after the kill of round {round}");
    }
    forget(store, u64::MAX - round).await;
}
