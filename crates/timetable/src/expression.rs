//! The three forms of an expression, and the two services' dialects of them. Without a zone or an anchor it says nothing of real
//! times; that is [`crate::Timetable`]'s.

use jiff::civil;

use crate::{Cron, Error};

/// The longest expression that AWS takes.
pub const TEXT_BYTES_MAX: usize = 256;

/// Whose expressions: the services differ in what they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// EventBridge's rules: `rate` (singular for one, plural for more) and `cron`.
    Rule,
    /// EventBridge Scheduler: `rate` with the unit in either form, `cron` and `at`.
    Scheduler,
}

/// A parsed expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// Again and again after the same time.
    Rate(Rate),
    /// At minutes that match.
    Cron(Box<Cron>),
    /// Once, at a local time.
    At(civil::DateTime),
}

/// A time that passes between one and the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    every_ms: i64,
}

impl Expression {
    /// Reads an expression as `dialect` does.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, Error> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Error::TooLong { bytes: text.len(), bytes_max: TEXT_BYTES_MAX });
        }
        let body = |form: &str| text.strip_prefix(form)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(body) = body("rate") {
            return Rate::parse(body, dialect).map(Self::Rate);
        }
        if let Some(body) = body("cron") {
            return Cron::parse(body).map(Box::new).map(Self::Cron);
        }
        match dialect {
            Dialect::Rule => Err(Error::Form { text: text.into(), expected: "rate(…) or cron(…)" }),
            Dialect::Scheduler => match body("at") {
                Some(body) => at(body).map(Self::At),
                None => Err(Error::Form { text: text.into(), expected: "rate(…), cron(…) or at(…)" }),
            },
        }
    }
}

impl Rate {
    /// How long from one to the next.
    pub fn every_ms(self) -> i64 {
        self.every_ms
    }

    fn parse(text: &str, dialect: Dialect) -> Result<Self, Error> {
        let wrong = || Error::Rate { text: text.into() };
        let mut words = text.split_ascii_whitespace();
        let (Some(count), Some(unit), None) = (words.next(), words.next(), words.next()) else { return Err(wrong()) };
        if !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let count: i64 = count.parse().map_err(|_| wrong())?;
        let (unit_ms, plural) = match unit {
            "minute" => (60_000, false),
            "minutes" => (60_000, true),
            "hour" => (3_600_000, false),
            "hours" => (3_600_000, true),
            "day" => (86_400_000, false),
            "days" => (86_400_000, true),
            _ => return Err(wrong()),
        };
        match dialect {
            Dialect::Rule if plural != (count != 1) => return Err(Error::Plural { text: text.into() }),
            Dialect::Rule | Dialect::Scheduler => {}
        }
        let every_ms = count.checked_mul(unit_ms).filter(|every_ms| *every_ms > 0).ok_or_else(wrong)?;
        Ok(Self { every_ms })
    }
}

/// `yyyy-mm-ddThh:mm:ss`, and nothing else that the calendar's parser would take.
fn at(text: &str) -> Result<civil::DateTime, Error> {
    let wrong = || Error::At { text: text.into() };
    let shape = |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    let form = b"0000-00-00T00:00:00";
    if text.len() != form.len() || !text.bytes().zip(*form).all(shape) {
        return Err(wrong());
    }
    // A leap second is read as the second before it by the calendar; it is no time that AWS takes.
    if text.ends_with(":60") {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}
