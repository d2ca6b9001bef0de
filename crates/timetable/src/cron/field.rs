//! One field of a cron expression: lists of values, names, ranges and steps become a set of small numbers. What only days have
//! (`L`, `W`, `#`, `?`) is in `days`.

use crate::Error;

/// What a field may hold.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) min: u16,
    pub(super) max: u16,
    pub(super) step_max: u16,
    /// The names of the values from `min` on; empty where values have none.
    pub(super) names: &'static [&'static str],
}

/// Values that match: a bit for each from 0 (for years: from 1970) on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Set {
    base: u16,
    bits: [u64; 4],
}

impl Field {
    /// Reads a whole field.
    pub(super) fn parse(&self, text: &str) -> Result<Set, Error> {
        let mut set = self.empty();
        for part in self.parts(text)? {
            self.add(part, &mut set)?;
        }
        Ok(set)
    }

    pub(super) fn empty(&self) -> Set {
        Set { base: if self.min >= 1970 { 1970 } else { 0 }, bits: [0; 4] }
    }

    /// The parts of a list. Empty ones are passed over as AWS does (`cron(0/5, 9-18, ? * MON-FRI *)` is known to be taken), but
    /// something must be left.
    pub(super) fn parts<'a>(&self, text: &'a str) -> Result<impl Iterator<Item = &'a str> + use<'a>, Error> {
        if text.split(',').all(str::is_empty) {
            return Err(self.wrong(text));
        }
        Ok(text.split(',').filter(|part| !part.is_empty()))
    }

    /// Adds one part of a list: `*`, `5`, `MON`, `1-5`, and each of them with `/step`.
    pub(super) fn add(&self, part: &str, set: &mut Set) -> Result<(), Error> {
        let wrong = || self.wrong(part);
        let (values, step) = match part.split_once('/') {
            Some((values, step)) => {
                let step = number(step).filter(|step| (1..=self.step_max).contains(step)).ok_or_else(wrong)?;
                (values, Some(step))
            }
            None => (part, None),
        };
        let (first, last) = match (values, values.split_once('-')) {
            ("*", _) => (self.min, self.max),
            (_, Some((first, last))) => (self.value(first).ok_or_else(wrong)?, self.value(last).ok_or_else(wrong)?),
            (value, None) => {
                let value = self.value(value).ok_or_else(wrong)?;
                (value, if step.is_some() { self.max } else { value })
            }
        };
        // A range may go over the end (FRI-MON, 22-2): then it is counted on from the least value. Years do not come again.
        let span = self.max - self.min + 1;
        let length = if first <= last {
            last - first
        } else if self.min < 1970 {
            last + span - first
        } else {
            return Err(wrong());
        };
        for distance in (0..=length).step_by(usize::from(step.unwrap_or(1))) {
            set.insert(self.min + (first - self.min + distance) % span);
        }
        Ok(())
    }

    /// A number or a name, within the field's bounds.
    pub(super) fn value(&self, text: &str) -> Option<u16> {
        let named = self.names.iter().zip(self.min..).find(|(name, _)| name.eq_ignore_ascii_case(text));
        named.map(|(_, value)| value).or_else(|| number(text)).filter(|value| (self.min..=self.max).contains(value))
    }

    pub(super) fn wrong(&self, part: &str) -> Error {
        Error::Part { field: self.name, part: part.into(), min: self.min, max: self.max }
    }
}

impl Set {
    pub(super) fn contains(&self, value: u16) -> bool {
        let Some(at) = value.checked_sub(self.base).map(usize::from) else { return false };
        self.bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// The least member that is not less than `value`.
    pub(super) fn at_or_after(&self, value: u16) -> Option<u16> {
        (value.max(self.base)..self.base + 256).find(|value| self.contains(*value))
    }

    pub(super) fn insert(&mut self, value: u16) {
        let at = usize::from(value.saturating_sub(self.base));
        if let Some(word) = self.bits.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }
}

/// Digits only: no sign, no more than the fields need.
pub(super) fn number(text: &str) -> Option<u16> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
