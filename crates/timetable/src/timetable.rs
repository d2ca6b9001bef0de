//! An expression in its zone and with its anchor: the times at which something is due.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::{Expression, Zone};

/// How far back [`Timetable::last_until`] looks first: expressions are never due more often than every minute.
const LOOK_BACK_MS: i64 = 120_000;

/// When something is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Timetable {
    expression: Expression,
    zone: Zone,
    anchor_ms: i64,
}

impl Timetable {
    /// A timetable. The anchor is where a rate counts from and means nothing to the others: the times of a rate are the anchor
    /// itself, one rate later, two rates later, and so on. A rule's first is `next_after(anchor)`, because a rule waits one rate
    /// after it is made; a schedule's is the anchor, because it starts at once or with its start date.
    pub fn new(expression: Expression, zone: Zone, anchor_ms: i64) -> Self {
        Self { expression, zone, anchor_ms }
    }

    /// The first time strictly after `now_ms`, or `None` if there is none.
    pub fn next_after(&self, now_ms: i64) -> Option<i64> {
        match &self.expression {
            Expression::Rate(rate) => {
                if now_ms < self.anchor_ms {
                    return Some(self.anchor_ms);
                }
                let passed = now_ms.checked_sub(self.anchor_ms)? / rate.every_ms();
                passed.checked_add(1)?.checked_mul(rate.every_ms())?.checked_add(self.anchor_ms)
            }
            Expression::Cron(cron) => {
                let now_ms = now_ms.clamp(Timestamp::MIN.as_millisecond(), Timestamp::MAX.as_millisecond());
                let now = Timestamp::from_millisecond(now_ms).ok()?;
                let mut local = self.zone.inner().to_datetime(now);
                // Ends: each round is at least a minute later, and only the times of one change of the clocks are passed over.
                loop {
                    local = cron.next_after(local)?;
                    match instant(self.zone.inner(), local, Skipped::Never) {
                        Some(due_ms) if due_ms > now_ms => return Some(due_ms),
                        Some(_) | None => {}
                    }
                }
            }
            Expression::At(local) => {
                instant(self.zone.inner(), *local, Skipped::Later).filter(|due_ms| *due_ms > now_ms)
            }
        }
    }

    /// All times strictly after `now_ms`, in order.
    pub fn upcoming(&self, now_ms: i64) -> impl Iterator<Item = i64> + '_ {
        std::iter::successors(self.next_after(now_ms), |due_ms| self.next_after(*due_ms))
    }

    /// The last time from `first_ms` on that is not after `now_ms`, where `first_ms` is such a time itself: which of several that
    /// passed unnoticed is the youngest. Looks back ever further from `now_ms`, so a long absence costs no more than a short one.
    pub fn last_until(&self, now_ms: i64, first_ms: i64) -> i64 {
        let mut back_ms = LOOK_BACK_MS;
        while now_ms.saturating_sub(back_ms) > first_ms {
            let found = self.upcoming(now_ms.saturating_sub(back_ms)).take_while(|due_ms| *due_ms <= now_ms).last();
            if let Some(found) = found {
                return found;
            }
            back_ms = back_ms.saturating_mul(2);
        }
        self.upcoming(first_ms).take_while(|due_ms| *due_ms <= now_ms).last().unwrap_or(first_ms)
    }

    /// True for `at(…)`, which is due once.
    pub fn is_once(&self) -> bool {
        matches!(self.expression, Expression::At(_))
    }
}

/// What becomes of a local time that the clocks skip.
#[derive(Clone, Copy)]
enum Skipped {
    /// It is not due: what AWS documents for `cron`.
    Never,
    /// It is due as long after midnight as if the clocks had not moved. AWS does not document `at` here, and a one-time schedule
    /// that silently never runs would help nobody.
    Later,
}

/// The moment at which a zone's clocks show a local time; the first, if they show it twice.
fn instant(zone: &TimeZone, local: DateTime, skipped: Skipped) -> Option<i64> {
    let offset = match (zone.to_ambiguous_zoned(local).offset(), skipped) {
        (AmbiguousOffset::Unambiguous { offset }, _) => offset,
        (AmbiguousOffset::Fold { before, .. }, _) => before,
        (AmbiguousOffset::Gap { before, .. }, Skipped::Later) => before,
        (AmbiguousOffset::Gap { .. }, Skipped::Never) => return None,
    };
    offset.to_timestamp(local).ok().map(|due| due.as_millisecond())
}
