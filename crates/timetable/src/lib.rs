//! When something is due: the schedule expressions of EventBridge's rules and of its Scheduler. Pure: a text becomes a
//! [`Timetable`], which answers what comes [next](Timetable::next_after); nothing is kept, called or waited for here.
//!
//! ```
//! use timetable::{Dialect, Expression, Timetable, Zone};
//!
//! let expression = Expression::parse("cron(0 8 ? * MON-FRI *)", Dialect::Scheduler)?;
//! let timetable = Timetable::new(expression, Zone::parse("Europe/Berlin")?, 0);
//! // Friday 2025-03-28 08:00 in Berlin is 07:00 UTC; on Monday summer time has begun, and it is 06:00.
//! let friday = 1_743_145_200_000;
//! assert_eq!(timetable.next_after(friday - 1), Some(friday));
//! assert_eq!(timetable.next_after(friday), Some(friday + (3 * 24 - 1) * 3_600_000));
//! # Ok::<(), timetable::Error>(())
//! ```
//!
//! What always holds:
//! * Times are milliseconds since 1970 in UTC; `next_after` is strictly after, so asking again from an answer never repeats it.
//! * Zones are those of the database inside the binary; the machine's own is never read.
//! * A local time that a change of the clocks skips is skipped; one that it repeats is due once, the first time.
//! * A rate is elapsed time from its anchor: a day is 24 hours, whatever the clocks do.
//! * No text makes this crate panic or run without bound.

mod cron;
mod error;
mod expression;
mod timetable;
mod zone;

pub use cron::Cron;
pub use error::Error;
pub use expression::{Dialect, Expression, Rate, TEXT_BYTES_MAX};
pub use timetable::Timetable;
pub use zone::Zone;

/// What the fuzzer does with a text, and the seeded test too: whatever is accepted can be asked.
#[doc(hidden)]
pub fn fuzzing(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (expression, zone) = text.split_once('\n').unwrap_or((&text, "UTC"));
    for dialect in [Dialect::Rule, Dialect::Scheduler] {
        let (Ok(expression), Ok(zone)) = (Expression::parse(expression, dialect), Zone::parse(zone)) else { continue };
        let timetable = Timetable::new(expression, zone, 1_700_000_000_000);
        for since in [i64::MIN, 0, 1_700_000_000_000, i64::MAX] {
            let mut last = since;
            for due in timetable.upcoming(since).take(3) {
                assert!(due > last, "{text:?}: {due} is not after {last}");
                last = due;
            }
        }
    }
}
