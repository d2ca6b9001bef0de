//! The two day fields, of which exactly one is `?`: days of the month (with `L`, `LW`, `15W`) or of the week (with `L`, `6L`,
//! `3#2`; 1 is Sunday).

use jiff::civil::{Date, Weekday};

use super::field::{Field, Set, number};
use crate::Error;

const OF_MONTH: Field = Field { name: "day-of-month", min: 1, max: 31, step_max: 31, names: &[] };
const OF_WEEK: Field = Field {
    name: "day-of-week",
    min: 1,
    max: 7,
    step_max: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};

/// Which days match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Days {
    OfMonth(OfMonth),
    OfWeek(OfWeek),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct OfMonth {
    days: Set,
    /// `L`
    last: bool,
    /// `LW`: the last day from Monday to Friday
    last_weekday: bool,
    /// `15W`: the day from Monday to Friday nearest to the 15th, in the same month; a month without such a day has none
    nearest: Set,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct OfWeek {
    days: Set,
    /// `6L`: the last Friday of the month
    last: Set,
    /// `3#2`: the second Tuesday of the month
    nth: Option<(u16, u16)>,
}

impl Days {
    pub(super) fn parse(of_month: &str, of_week: &str) -> Result<Self, Error> {
        // AWS passes over the empty parts of `?,` as of any list.
        match (of_month.trim_matches(','), of_week.trim_matches(',')) {
            ("?", "?") => Err(Error::Days { of_month: of_month.into(), of_week: of_week.into() }),
            (_, "?") => OfMonth::parse(of_month).map(Self::OfMonth),
            ("?", _) => OfWeek::parse(of_week).map(Self::OfWeek),
            _ => Err(Error::Days { of_month: of_month.into(), of_week: of_week.into() }),
        }
    }

    pub(super) fn contains(&self, date: Date) -> bool {
        match self {
            Self::OfMonth(days) => days.contains(date),
            Self::OfWeek(days) => days.contains(date),
        }
    }

    /// The first matching day of a month after a day of it (0: from its first).
    pub(super) fn next_in(&self, year: u16, month: u16, day_after: u16) -> Option<Date> {
        let first = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, 1).ok()?;
        let from = i8::try_from(day_after).ok()? + 1;
        (from..=first.days_in_month())
            .filter_map(|day| first.with().day(day).build().ok())
            .find(|date| self.contains(*date))
    }
}

impl OfMonth {
    fn parse(text: &str) -> Result<Self, Error> {
        let mut days = Self::default();
        for part in OF_MONTH.parts(text)? {
            if part.eq_ignore_ascii_case("L") {
                days.last = true;
            } else if part.eq_ignore_ascii_case("LW") {
                days.last_weekday = true;
            } else if let Some(day) = part.strip_suffix(['W', 'w']) {
                days.nearest.insert(OF_MONTH.value(day).ok_or_else(|| OF_MONTH.wrong(part))?);
            } else {
                OF_MONTH.add(part, &mut days.days)?;
            }
        }
        Ok(days)
    }

    fn contains(&self, date: Date) -> bool {
        let is_last = |date: Date| date.day() == date.days_in_month();
        // A weekday stands in for days at most two away from it.
        let stands_in = |other: i8| {
            let other = (other > 0).then(|| date.with().day(other).build().ok()).flatten();
            other.is_some_and(|other| {
                let wanted = self.nearest.contains(small(other.day())) || (self.last_weekday && is_last(other));
                wanted && weekday_near(other) == Some(date)
            })
        };
        self.days.contains(small(date.day()))
            || (self.last && is_last(date))
            || (date.day() - 2..=date.day() + 2).any(stands_in)
    }
}

/// The day from Monday to Friday that is nearest to a day, in the same month.
fn weekday_near(date: Date) -> Option<Date> {
    let day = match date.weekday() {
        Weekday::Saturday if date.day() == 1 => 3,
        Weekday::Saturday => date.day() - 1,
        Weekday::Sunday if date.day() == date.days_in_month() => date.day() - 2,
        Weekday::Sunday => date.day() + 1,
        Weekday::Monday | Weekday::Tuesday | Weekday::Wednesday | Weekday::Thursday | Weekday::Friday => date.day(),
    };
    date.with().day(day).build().ok()
}

impl OfWeek {
    fn parse(text: &str) -> Result<Self, Error> {
        let mut days = Self::default();
        let parts: Vec<&str> = OF_WEEK.parts(text)?.collect();
        for part in &parts {
            let wrong = || OF_WEEK.wrong(part);
            if part.eq_ignore_ascii_case("L") {
                // The last day of the week is its Saturday.
                days.days.insert(7);
            } else if let Some((day, nth)) = part.split_once('#') {
                let nth = number(nth).filter(|nth| (1..=5).contains(nth) && parts.len() == 1).ok_or_else(wrong)?;
                days.nth = Some((OF_WEEK.value(day).ok_or_else(wrong)?, nth));
            } else if let Some(day) = part.strip_suffix(['L', 'l']) {
                days.last.insert(OF_WEEK.value(day).ok_or_else(wrong)?);
            } else {
                OF_WEEK.add(part, &mut days.days)?;
            }
        }
        Ok(days)
    }

    fn contains(&self, date: Date) -> bool {
        let weekday = small(date.weekday().to_sunday_one_offset());
        let (day, length) = (small(date.day()), small(date.days_in_month()));
        self.days.contains(weekday)
            || (self.last.contains(weekday) && day + 7 > length)
            || self.nth == Some((weekday, day.div_ceil(7)))
    }
}

/// A calendar's small number, which is never negative.
fn small(number: i8) -> u16 {
    u16::from(number.unsigned_abs())
}
