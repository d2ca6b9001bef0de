//! Which events of a batch are taken.

use std::ops::Range;

use super::{DAY_MS, EVENT_OVERHEAD_BYTES};

/// A batch may be this large, its events' overhead included.
const BATCH_BYTES_MAX: u64 = 1_048_576;

/// An event may be this large, its overhead included.
const EVENT_BYTES_MAX: u64 = 1_048_576;

const OLD_DAYS_MAX: u64 = 14;
const NEW_MS_MAX: u64 = 2 * 60 * 60 * 1_000;
const SPAN_MS_MAX: u64 = DAY_MS;

/// An event as a client sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// When it happened, in milliseconds.
    pub time_ms: u64,
    /// What was logged.
    pub message: String,
}

/// The events that are taken, and those that are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Which are taken: since a batch is in order, they lie together.
    pub taken: Range<usize>,
    /// Why the others are not; none: all are taken.
    pub rejected: Option<Rejected>,
}

/// AWS's `rejectedLogEventsInfo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// The first that is too new.
    pub too_new_start: Option<usize>,
    /// One past the last that is too old.
    pub too_old_end: Option<usize>,
    /// One past the last that the group's retention would delete at once.
    pub expired_end: Option<usize>,
}

/// Why nothing of a batch is taken. The words are AWS's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// All together are too large.
    #[error("Upload too large: {0} bytes exceeds limit of {BATCH_BYTES_MAX}")]
    BatchTooLarge(u64),
    /// One is too large.
    #[error("Log event too large: {0} bytes exceeds limit of {EVENT_BYTES_MAX}")]
    EventTooLarge(u64),
    /// A later one has an earlier timestamp.
    #[error("Log events in a single PutLogEvents request must be in chronological order.")]
    Unordered,
    /// Those that would be taken lie too far apart.
    #[error("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")]
    TooWide,
}

/// Decides on a batch. `expired_before_ms` is the group's retention.
pub fn admit(events: &[Input], now_ms: u64, expired_before_ms: u64) -> Result<Admitted, BatchError> {
    let sizes = events.iter().map(|event| event.message.len() as u64 + EVENT_OVERHEAD_BYTES);
    if let Some(size) = sizes.clone().find(|size| *size > EVENT_BYTES_MAX) {
        return Err(BatchError::EventTooLarge(size));
    }
    let total = sizes.sum();
    if total > BATCH_BYTES_MAX {
        return Err(BatchError::BatchTooLarge(total));
    }
    if !events.is_sorted_by_key(|event| event.time_ms) {
        return Err(BatchError::Unordered);
    }
    let too_old = events.partition_point(|event| event.time_ms < now_ms.saturating_sub(OLD_DAYS_MAX * DAY_MS));
    let expired = events.partition_point(|event| event.time_ms < expired_before_ms);
    let too_new = events.partition_point(|event| event.time_ms <= now_ms.saturating_add(NEW_MS_MAX));
    let start = too_old.max(expired);
    let taken = start..too_new.max(start);
    if let (Some(first), Some(last)) = (events[taken.clone()].first(), events[taken.clone()].last())
        && last.time_ms - first.time_ms > SPAN_MS_MAX
    {
        return Err(BatchError::TooWide);
    }
    let rejected = (taken.len() < events.len()).then_some(Rejected {
        too_new_start: (too_new < events.len()).then_some(too_new),
        too_old_end: (too_old > 0).then_some(too_old),
        expired_end: (expired > too_old).then_some(expired),
    });
    Ok(Admitted { taken, rejected })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;
    const HOUR: i64 = 3_600_000;

    fn events(offsets_ms: &[i64]) -> Vec<Input> {
        offsets_ms.iter().map(|ms| Input { time_ms: NOW.strict_add_signed(*ms), message: "x".into() }).collect()
    }

    #[track_caller]
    fn check(offsets_ms: &[i64], retention_days: u64, taken: Range<usize>, rejected: Option<[Option<usize>; 3]>) {
        let rejected = rejected.map(|[too_new_start, too_old_end, expired_end]| Rejected {
            too_new_start,
            too_old_end,
            expired_end,
        });
        let expired_before_ms = NOW - retention_days * DAY_MS;
        assert_eq!(admit(&events(offsets_ms), NOW, expired_before_ms), Ok(Admitted { taken, rejected }));
    }

    #[test]
    fn only_events_of_the_allowed_time_are_taken() {
        let day = 24 * HOUR;
        check(&[0, 0, 1], 365, 0..3, None);
        check(&[-14 * day, -14 * day + day], 365, 0..2, None);
        check(&[-14 * day - 1, 0], 365, 1..2, Some([None, Some(1), None]));
        check(&[0, 2 * HOUR, 2 * HOUR + 1, 3 * HOUR], 365, 0..2, Some([Some(2), None, None]));
        check(&[-15 * day, -2 * day, 0, 3 * HOUR], 1, 2..3, Some([Some(3), Some(1), Some(2)]));
        check(&[-30 * day], 365, 1..1, Some([None, Some(1), None]));
        check(&[day], 365, 0..0, Some([Some(0), None, None]));
    }

    #[test]
    fn a_bad_batch_is_refused_whole() {
        for (batch, expected) in [
            (events(&[1, 0]), BatchError::Unordered),
            (events(&[-25 * HOUR, 0]), BatchError::TooWide),
            (vec![Input { time_ms: NOW, message: "x".repeat(1_048_551) }], BatchError::EventTooLarge(1_048_577)),
            (vec![Input { time_ms: NOW, message: "x".repeat(524_263) }; 2], BatchError::BatchTooLarge(1_048_578)),
        ] {
            assert_eq!(admit(&batch, NOW, 0), Err(expected));
        }
        assert!(admit(&[Input { time_ms: NOW, message: "x".repeat(1_048_550) }], NOW, 0).is_ok());
        assert_eq!(BatchError::BatchTooLarge(7).to_string(), "Upload too large: 7 bytes exceeds limit of 1048576");
    }
}
