//! The base for streams: what is done with the records of one shard, in which batches, again and again until each is done or given up.
//! Pure: [`Shard`] decides, whoever drives it reads the stream, calls the handler, and keeps the checkpoint.
//!
//! A shard has one or more lanes (AWS's parallelisation factor). A record's partition key says in which it goes, and a lane has one
//! batch in hand at a time, so records of a key are handled in order.
//!
//! What always holds:
//! - A record is done, or given up and told of as a [`Discard`], before the checkpoint passes it: after a crash whoever goes on from the
//!   checkpoint handles every record at least once.
//! - Records of a partition key are first handed over in their order.
//! - A shard holds at most [`Shard::HELD_MAX`] records, and takes in no more while they are [`Shard::HELD_BYTES_MAX`] bytes.
//!
//! [`crate::readers`] drives it.

mod checkpoint;
mod discard;
mod lane;

use std::collections::VecDeque;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use contract::Document;

pub use checkpoint::{Checkpoint, Window};
pub use discard::{Discard, Handler, Origin, Reason};

use lane::Lane;

/// How a shard is read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most records of a batch.
    pub batch: usize,
    /// How long a batch waits for more records, from the first one's coming on.
    pub window: Duration,
    /// How many lanes; one where there are tumbling windows.
    pub lanes: usize,
    /// Whether a failed batch is cut into halves.
    pub bisects: bool,
    /// How often a failed batch is tried again; none is for ever.
    pub retries_max: Option<u32>,
    /// How old a record may be; none is any age.
    pub age_max: Option<Duration>,
    /// How long tumbling windows are.
    pub tumbling: Option<Duration>,
}

/// A record of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its place in the shard; grows, with gaps.
    pub sequence: u128,
    /// What it must stay in order with.
    pub partition: String,
    /// When the stream got it, in milliseconds since the epoch.
    pub arrived_ms: i64,
    /// As the handler gets it.
    pub document: Document,
    /// How long the document is as JSON.
    pub bytes: usize,
}

/// A batch that is to be handed over.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Whose turn it is; goes back with the ending.
    pub lane: usize,
    /// In order. Empty where a window ends.
    pub records: Vec<Record>,
    /// How often it was tried before.
    pub tries: u32,
    /// The tumbling window that it belongs to, with the state that the handler answered last.
    pub window: Option<Window>,
    /// Whether it is the window's last.
    pub last_of_window: bool,
    /// Whether it is so before the window's time is over, because its state is too long: the window goes on with an empty one.
    pub ended_early: bool,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// All of it is done. With tumbling windows: the state that goes to the next attempt.
    Done {
        /// `state` of the answer, or null.
        state: Document,
    },
    /// Everything before a record is done; it and what follows is tried again.
    UpTo {
        /// The record.
        sequence: u128,
        /// With tumbling windows: the state that goes to the next attempt; none leaves it as it was.
        state: Option<Document>,
    },
    /// Nothing of it is done.
    Failed,
}

/// The records of a shard that are on their way.
#[derive(Clone, Debug)]
pub struct Shard {
    settings: Settings,
    lanes: Vec<Lane>,
    /// In order of the shard: sequence, and whether it is done.
    open: VecDeque<(u128, bool)>,
    /// Of all records that are held.
    bytes: usize,
    checkpoint: Checkpoint,
}

impl Shard {
    /// The most records that are held at once: a lane that waits for a retry must not take all memory.
    pub const HELD_MAX: usize = 20_000;
    /// Nothing more is taken in while the records held are so long: images of items may be large.
    pub const HELD_BYTES_MAX: usize = 32 << 20;

    /// A shard from a checkpoint on.
    pub fn new(settings: Settings, mut checkpoint: Checkpoint) -> Self {
        // There may have been windows before the settings were changed.
        checkpoint.window = checkpoint.window.filter(|_| settings.tumbling.is_some());
        let lanes = if settings.tumbling.is_some() { 1 } else { settings.lanes.clamp(1, 10) };
        let lane = Lane::new(checkpoint.window.clone());
        Self { settings, lanes: vec![lane; lanes], open: VecDeque::new(), bytes: 0, checkpoint }
    }

    /// How many more records may be read from the stream now.
    pub fn room(&self) -> usize {
        if self.bytes >= Self::HELD_BYTES_MAX {
            return 0;
        }
        Self::HELD_MAX.saturating_sub(self.open.len())
    }

    /// Takes in records that follow those taken in before; any that the checkpoint has passed are left out.
    pub fn feed(&mut self, records: Vec<Record>, now_ms: i64) {
        for record in records {
            if !self.follows(record.sequence) {
                continue;
            }
            self.open.push_back((record.sequence, false));
            self.bytes += record.bytes;
            let lane = self.lane_of(&record.partition);
            self.lanes[lane].push(record, now_ms);
        }
    }

    /// A record that nobody wants, in its turn: the checkpoint passes it when all before it is done.
    pub fn pass(&mut self, sequence: u128) {
        if self.follows(sequence) {
            self.open.push_back((sequence, true));
            self.close(&[]);
        }
    }

    /// Whether it comes after all that were taken in.
    fn follows(&self, sequence: u128) -> bool {
        let last = self.open.back().map(|(sequence, _)| *sequence).or(self.checkpoint.after);
        last.is_none_or(|last| sequence > last)
    }

    /// What is to be handed over now, and what was given up because it is too old.
    pub fn next(&mut self, now_ms: i64) -> (Vec<Attempt>, Vec<Discard>) {
        let (mut attempts, mut discards) = (Vec::new(), Vec::new());
        for number in 0..self.lanes.len() {
            if let Some(age_max) = self.settings.age_max
                && let Some(old) = self.lanes[number].drop_older(now_ms - millis(age_max))
            {
                self.close(&old.records);
                discards.push(old);
            }
            attempts.extend(self.lanes[number].next(number, &self.settings, now_ms));
        }
        (attempts, discards)
    }

    /// An attempt has ended. What was given up is told.
    pub fn end(&mut self, attempt: Attempt, ending: Ending) -> Option<Discard> {
        let lane = attempt.lane;
        let ended = self.lanes[lane].end(attempt, ending, &self.settings);
        self.close(&ended.done);
        if let Some(discard) = &ended.discard {
            self.close(&discard.records.clone());
        }
        if self.settings.tumbling.is_some() {
            self.checkpoint.window = self.lanes[lane].window();
        }
        ended.discard
    }

    /// How far everything is done. What is kept of it must never be newer than what was done and told of.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Whether nothing is left to do.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty() && self.lanes.iter().all(Lane::has_no_window)
    }

    /// When [`Shard::next`] may have something without anything else happening, in milliseconds since the epoch.
    pub fn due_ms(&self) -> Option<i64> {
        self.lanes.iter().filter_map(|lane| lane.due_ms(&self.settings)).min()
    }

    fn lane_of(&self, partition: &str) -> usize {
        // The same at each start, so that a key stays in its lane across restarts.
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(partition);
        usize::try_from(hash % self.lanes.len() as u64).unwrap_or(0)
    }

    /// Marks records as done, and moves the checkpoint past what has nothing undone before it.
    fn close(&mut self, records: &[Record]) {
        for record in records {
            self.bytes = self.bytes.saturating_sub(record.bytes);
            if let Ok(place) = self.open.binary_search_by_key(&record.sequence, |(sequence, _)| *sequence) {
                self.open[place].1 = true;
            }
        }
        while let Some((sequence, true)) = self.open.front() {
            self.checkpoint.after = Some(*sequence);
            self.open.pop_front();
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
