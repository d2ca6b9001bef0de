//! What schedules and groups are in memory, and the pure decisions about them.

pub mod due;
pub mod input;
pub mod name;
pub mod target;

use std::collections::BTreeMap;

use timetable::{Dialect, Expression, Timetable, Zone};

pub use due::Due;
pub use name::{GroupName, ScheduleName, Scope};
pub use target::{Aim, Target};

use crate::error::Error;

/// A schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Its name.
    pub name: ScheduleName,
    /// When it was made.
    pub created_ms: i64,
    /// When it was last changed.
    pub modified_ms: i64,
    /// The token of the call that made it, and the hash of what that call said.
    pub made_by: Option<(String, String)>,
    /// What was asked for.
    pub settings: Settings,
    /// Where a rate counts from.
    pub anchor_ms: i64,
}

/// What a schedule was asked to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The expression, as it was written.
    pub expression: String,
    /// The zone's name, as it was written.
    pub zone: String,
    /// Not before; nothing to an `at`.
    pub start_ms: Option<i64>,
    /// Not after; nothing to an `at`.
    pub end_ms: Option<i64>,
    /// Whether it is due at all.
    pub state: State,
    /// The flexible window.
    pub window_minutes: Option<u32>,
    /// What is called.
    pub target: Target,
    /// What becomes of it after its last time.
    pub completion: Completion,
    /// For people.
    pub description: Option<String>,
    /// Kept and shown; nothing here is encrypted with it.
    pub kms_key: Option<String>,
}

/// Whether a schedule is due at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is.
    Enabled,
    /// It rests.
    Disabled,
}

/// What becomes of a schedule after its last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// It stays.
    Keep,
    /// It is deleted in the transaction that fires it for the last time.
    Delete,
}

/// A group of schedules.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// When it was made.
    pub created_ms: i64,
    /// When its tags were last changed.
    pub modified_ms: i64,
    /// Whether its schedules are being taken away.
    pub deleting: bool,
    /// The token of the call that made it.
    pub token: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Settings {
    /// The times that the expression means.
    pub fn timetable(&self, anchor_ms: i64) -> Result<Timetable, Error> {
        let wrong = |error: timetable::Error| Error::invalid(error.fault(Dialect::Scheduler, &self.expression));
        let expression = Expression::parse(&self.expression, Dialect::Scheduler).map_err(wrong)?;
        Ok(Timetable::new(expression, Zone::parse(&self.zone).map_err(wrong)?, anchor_ms))
    }

    /// Whether both mean the same times.
    pub fn same_times(&self, other: &Self) -> bool {
        (&self.expression, &self.zone, self.start_ms) == (&other.expression, &other.zone, other.start_ms)
    }
}
