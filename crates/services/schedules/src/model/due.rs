//! When a schedule fires: its times, moved to its place in the flexible window, between its dates.

use timetable::Timetable;

use crate::error::Error;
use crate::model::{Schedule, State};

/// How late an `at` may be and still be due at once when its schedule is made: AWS promises no finer precision.
const LATE_MS: i64 = 60_000;

/// A time at which a schedule is due, and when it fires for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When the schedule fires: the time itself, or later in its window.
    pub fire_ms: i64,
    /// The time that the expression means.
    pub due_ms: i64,
}

/// What is to be done when a schedule fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// For which time.
    pub now: Due,
    /// When it fires again.
    pub next: Option<Due>,
}

/// The first time from `now_ms` on; none for a schedule that rests or has nothing left to do.
pub fn first(schedule: &Schedule, now_ms: i64) -> Result<Option<Due>, Error> {
    match schedule.settings.state {
        State::Disabled => return Ok(None),
        State::Enabled => {}
    }
    let timetable = schedule.settings.timetable(schedule.anchor_ms)?;
    let from_ms = match timetable.is_once() {
        true => now_ms.saturating_sub(LATE_MS),
        false => schedule.settings.start_ms.unwrap_or(now_ms).max(now_ms),
    };
    Ok(next_from(schedule, &timetable, from_ms))
}

/// What to do at `now_ms`, when the schedule was to fire at `fired`: for the youngest of all times whose moment has come, and then
/// again for the first whose moment has not.
pub fn turn(schedule: &Schedule, fired: Due, now_ms: i64) -> Result<Turn, Error> {
    let timetable = schedule.settings.timetable(schedule.anchor_ms)?;
    if timetable.is_once() {
        return Ok(Turn { now: fired, next: None });
    }
    let shift_ms = shift_ms(schedule);
    let until_ms = now_ms.saturating_sub(shift_ms).min(schedule.settings.end_ms.unwrap_or(i64::MAX));
    let due_ms = timetable.last_until(until_ms, fired.due_ms);
    let now = Due { due_ms, fire_ms: due_ms.saturating_add(shift_ms) };
    Ok(Turn { now, next: next_from(schedule, &timetable, due_ms.saturating_add(1)) })
}

fn next_from(schedule: &Schedule, timetable: &Timetable, from_ms: i64) -> Option<Due> {
    let due_ms = timetable.next_after(from_ms.saturating_sub(1))?;
    let end_ms = schedule.settings.end_ms.filter(|_| !timetable.is_once());
    let within = end_ms.is_none_or(|end_ms| due_ms <= end_ms);
    within.then(|| Due { due_ms, fire_ms: due_ms.saturating_add(shift_ms(schedule)) })
}

/// The schedule's place in its window, from 0 to just before the window's end.
fn shift_ms(schedule: &Schedule) -> i64 {
    let Some(minutes) = schedule.settings.window_minutes else { return 0 };
    let window_ms = u64::from(minutes.max(1)) * 60_000;
    i64::try_from(spread(&schedule.name.arn().to_string()) % window_ms).unwrap_or(0)
}

/// A number that is the same for a text on every machine and in every version: FNV-1a, and a finish that mixes the upper bits
/// down, as the remainder is taken of it.
fn spread(text: &str) -> u64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}
