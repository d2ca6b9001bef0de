//! Capacity units as DynamoDB counts them, what a call has spent of them, and the buckets that it spends them from.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use wire::dynamodb::{Capacity, ConsumedCapacity, ReturnConsumedCapacity};

use crate::desk::Sight;
use crate::error::Error;
use crate::model::{Mode, Throughput};

const READ_BYTES: usize = 4_096;
const WRITE_BYTES: usize = 1_024;

/// Unused capacity is kept for so long.
const BURST_S: f64 = 300.0;

/// How sure a read is of what it sees. All of ours are; they cost what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Half a unit for 4 KB.
    Eventual,
    /// A unit for 4 KB.
    Consistent,
    /// Two.
    Transactional,
}

impl Reads {
    pub(crate) fn of(consistent: Option<bool>) -> Self {
        if consistent.unwrap_or(false) { Self::Consistent } else { Self::Eventual }
    }

    /// What it costs to read so many bytes.
    pub(crate) fn units(self, bytes: usize) -> f64 {
        let units = bytes.div_ceil(READ_BYTES).max(1) as f64;
        match self {
            Self::Eventual => units / 2.0,
            Self::Consistent => units,
            Self::Transactional => units * 2.0,
        }
    }
}

/// What it costs to write so many bytes.
pub(crate) fn write_units(bytes: usize) -> f64 {
    bytes.div_ceil(WRITE_BYTES).max(1) as f64
}

/// What was spent on a table and its indexes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Spent {
    pub(crate) table: f64,
    /// By the index's number.
    pub(crate) indexes: BTreeMap<u16, f64>,
}

impl Spent {
    pub(crate) fn on_table(units: f64) -> Self {
        Self { table: units, ..Self::default() }
    }

    pub(crate) fn add_index(&mut self, index: u16, units: f64) {
        if units > 0.0 {
            *self.indexes.entry(index).or_default() += units;
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.table += other.table;
        other.indexes.iter().for_each(|(index, units)| self.add_index(*index, *units));
    }

    /// Transactions pay twice.
    #[must_use]
    pub(crate) fn twice(&self) -> Self {
        let indexes = self.indexes.iter().map(|(index, units)| (*index, units * 2.0)).collect();
        Self { table: self.table * 2.0, indexes }
    }

    fn total(&self) -> f64 {
        self.table + self.indexes.values().sum::<f64>()
    }
}

/// What units were spent for, where that is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Not told.
    Plain,
    /// Reads of a transaction.
    Reads,
    /// Writes of a transaction.
    Writes,
}

/// What a call is told of what it spent, if it wants to know.
pub(crate) fn consumed(
    wanted: Option<&ReturnConsumedCapacity>,
    sight: &Sight,
    spent: &Spent,
    told: Told,
) -> Option<ConsumedCapacity> {
    let apart = match wanted? {
        ReturnConsumedCapacity::Indexes => true,
        ReturnConsumedCapacity::Total => false,
        ReturnConsumedCapacity::None | ReturnConsumedCapacity::Other(_) => return None,
    };
    let share = |units: f64| Capacity {
        read_capacity_units: (told == Told::Reads).then_some(units),
        write_capacity_units: (told == Told::Writes).then_some(units),
        capacity_units: Some(units),
    };
    let of = |local: bool| {
        let known = sight.table.indexes().filter(|index| sight.table.is_local(index) == local);
        let paid = known.filter_map(|index| Some((index.name.clone(), share(*spent.indexes.get(&index.number)?))));
        let paid: BTreeMap<String, Capacity> = paid.collect();
        (apart && !paid.is_empty()).then_some(paid)
    };
    let all = share(spent.total());
    Some(ConsumedCapacity {
        table_name: Some(sight.table.name.clone()),
        capacity_units: all.capacity_units,
        read_capacity_units: all.read_capacity_units,
        write_capacity_units: all.write_capacity_units,
        table: apart.then(|| share(spent.table)),
        local_secondary_indexes: of(true),
        global_secondary_indexes: of(false),
    })
}

/// The buckets of a table and its global indexes. Each fills with what is provisioned, up to five minutes of it.
#[derive(Debug, Default)]
pub(crate) struct Buckets(Mutex<BTreeMap<(Option<u16>, Purpose), Bucket>>);

/// What units are spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    Read,
    Write,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    units: f64,
    filled_ms: i64,
}

impl Buckets {
    /// Refuses when nothing is left in the table's bucket, or in one of the indexes'. Called before the work; what it cost is
    /// taken afterwards with [`Buckets::spend`], so a bucket can be below empty for a while, and DynamoDB's can too.
    pub(crate) fn check(
        &self,
        sight: &Sight,
        purpose: Purpose,
        indexes: impl Iterator<Item = u16>,
        now_ms: i64,
    ) -> Result<(), Error> {
        if sight.table.mode == Mode::PerRequest {
            return Ok(());
        }
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if level(&mut buckets, (None, purpose), &sight.table.throughput, now_ms) <= 0.0 {
            return Err(exceeded(
                "The level of configured provisioned throughput for the table was exceeded. Consider increasing your \
                 provisioning level with the UpdateTable API.",
            ));
        }
        for number in indexes {
            let Some(index) = sight.table.globals.iter().find(|index| index.number == number) else { continue };
            if level(&mut buckets, (Some(number), purpose), &index.throughput, now_ms) <= 0.0 {
                return Err(exceeded(
                    "The level of configured provisioned throughput for one or more global secondary indexes of the table was \
                     exceeded. Consider increasing your provisioning level for the under-provisioned global secondary \
                     indexes with the UpdateTable API",
                ));
            }
        }
        Ok(())
    }

    /// Takes out what was spent. Local indexes are paid from the table's bucket.
    pub(crate) fn spend(&self, sight: &Sight, purpose: Purpose, spent: &Spent, now_ms: i64) {
        if sight.table.mode == Mode::PerRequest {
            return;
        }
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_table = spent.table;
        for (number, units) in &spent.indexes {
            match sight.table.globals.iter().find(|index| index.number == *number) {
                Some(index) => take(&mut buckets, (Some(*number), purpose), &index.throughput, *units, now_ms),
                None => of_table += units,
            }
        }
        take(&mut buckets, (None, purpose), &sight.table.throughput, of_table, now_ms);
    }
}

type Shelf = BTreeMap<(Option<u16>, Purpose), Bucket>;

/// What is in a bucket now.
fn level(buckets: &mut Shelf, of: (Option<u16>, Purpose), provisioned: &Throughput, now_ms: i64) -> f64 {
    let rate = match of.1 {
        Purpose::Read => provisioned.read,
        Purpose::Write => provisioned.write,
    } as f64;
    let bucket = buckets.entry(of).or_insert(Bucket { units: rate * BURST_S, filled_ms: now_ms });
    let seconds = (now_ms - bucket.filled_ms).max(0) as f64 / 1_000.0;
    bucket.units = (bucket.units + seconds * rate).min(rate * BURST_S);
    bucket.filled_ms = bucket.filled_ms.max(now_ms);
    bucket.units
}

fn take(buckets: &mut Shelf, of: (Option<u16>, Purpose), provisioned: &Throughput, units: f64, now_ms: i64) {
    let left = level(buckets, of, provisioned, now_ms) - units;
    if let Some(bucket) = buckets.get_mut(&of) {
        bucket.units = left;
    }
}

fn exceeded(words: &str) -> Error {
    Error::Exceeded(words.to_owned())
}
