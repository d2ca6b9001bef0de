//! AWS's cron: six fields, minutes to years, over local time. Without zones: what a local time means is the timetable's matter.
//!
//! The libraries that were looked at come near, but take what AWS refuses (both day fields set, fields left out) and read a bare
//! `L` of the week otherwise than AWS; checking their input first would have meant to parse it here anyway.

mod days;
mod field;

use jiff::civil::{Date, DateTime};

use self::days::Days;
use self::field::{Field, Set};
use crate::Error;

const MINUTES: Field = Field { name: "minutes", min: 0, max: 59, step_max: 59, names: &[] };
const HOURS: Field = Field { name: "hours", min: 0, max: 23, step_max: 23, names: &[] };
const MONTHS: Field = Field {
    name: "month",
    min: 1,
    max: 12,
    step_max: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
const YEARS: Field = Field { name: "year", min: 1970, max: 2199, step_max: 229, names: &[] };

/// A set of local minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    minutes: Set,
    hours: Set,
    days: Days,
    months: Set,
    years: Set,
}

impl Cron {
    /// The first local minute strictly after `local` that matches.
    pub fn next_after(&self, local: DateTime) -> Option<DateTime> {
        let minute_of_day = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).ok()?;
        if let Some(due) = self.on(local.date(), minute_of_day + 1) {
            return Some(due);
        }
        let mut year = u16::try_from(local.year()).unwrap_or(0);
        let mut month = u16::try_from(local.month()).ok()?;
        let mut day_after = u16::try_from(local.day()).ok()?;
        while let Some(found) = self.years.at_or_after(year) {
            if found != year {
                (year, month, day_after) = (found, 1, 0);
            }
            while let Some(found) = self.months.at_or_after(month) {
                if found != month {
                    (month, day_after) = (found, 0);
                }
                if let Some(date) = self.days.next_in(year, month, day_after) {
                    return self.on(date, 0);
                }
                (month, day_after) = (month + 1, 0);
            }
            (year, month, day_after) = (year + 1, 1, 0);
        }
        None
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let &[minutes, hours, of_month, months, of_week, years] = fields.as_slice() else {
            return Err(Error::Fields { count: fields.len() });
        };
        Ok(Self {
            minutes: MINUTES.parse(minutes)?,
            hours: HOURS.parse(hours)?,
            days: Days::parse(of_month, of_week)?,
            months: MONTHS.parse(months)?,
            years: YEARS.parse(years)?,
        })
    }

    /// The first matching minute of a day from a minute of it on; none if the day itself does not match.
    fn on(&self, date: Date, minute_of_day: u16) -> Option<DateTime> {
        let (year, month) = (u16::try_from(date.year()).ok()?, u16::try_from(date.month()).ok()?);
        let matches = self.years.contains(year) && self.months.contains(month) && self.days.contains(date);
        if !matches || minute_of_day >= 24 * 60 {
            return None;
        }
        let (hour, minute) = (minute_of_day / 60, minute_of_day % 60);
        let within = self.hours.contains(hour).then(|| self.minutes.at_or_after(minute)).flatten();
        let (hour, minute) = match within {
            Some(minute) => (hour, minute),
            None => (self.hours.at_or_after(hour + 1)?, self.minutes.at_or_after(0)?),
        };
        Some(date.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0))
    }
}
