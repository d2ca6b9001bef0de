//! Why an expression or a zone is refused: for people. What AWS says of it to a caller is [`Error::fault`].

use crate::Dialect;

/// Why a text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is longer than AWS takes.
    #[error("an expression has at most {bytes_max} characters, this one has {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Neither of the forms that the dialect knows.
    #[error("{text:?} is not an expression: expected {expected}")]
    Form {
        /// The text.
        text: String,
        /// The forms.
        expected: &'static str,
    },
    /// A rate that is not a positive number and a unit.
    #[error("rate({text}): expected a positive number and minutes, hours or days")]
    Rate {
        /// What stood between the brackets.
        text: String,
    },
    /// `rate(1 minutes)` or `rate(5 minute)` where AWS insists on grammar.
    #[error("rate({text}): the unit is singular for 1 and plural for more")]
    Plural {
        /// What stood between the brackets.
        text: String,
    },
    /// Not six fields.
    #[error("cron has six fields (minutes hours day-of-month month day-of-week year), this one has {count}")]
    Fields {
        /// How many there are.
        count: usize,
    },
    /// Not exactly one of day-of-month and day-of-week is `?`.
    #[error("exactly one of day-of-month and day-of-week must be `?`: they are {of_month:?} and {of_week:?}")]
    Days {
        /// Day of month.
        of_month: String,
        /// Day of week.
        of_week: String,
    },
    /// A part of a field that cannot be read.
    #[error("{part:?} is not a value of the field {field} (from {min} to {max})")]
    Part {
        /// The field's name.
        field: &'static str,
        /// The part.
        part: String,
        /// Least value.
        min: u16,
        /// Greatest value.
        max: u16,
    },
    /// Not a time of the form `yyyy-mm-ddThh:mm:ss`.
    #[error("at({text}): expected a time of the form yyyy-mm-ddThh:mm:ss")]
    At {
        /// What stood between the brackets.
        text: String,
    },
    /// No zone has this name.
    #[error("{name:?} is not a time zone of the IANA database")]
    Zone {
        /// The name.
        name: String,
    },
}

impl Error {
    /// The words of AWS's `ValidationException` when `text` is refused, which do not tell why.
    pub fn fault(&self, dialect: Dialect, text: &str) -> String {
        match (self, dialect) {
            (Self::Zone { name }, _) => format!("Invalid Schedule Expression Timezone {name}."),
            (_, Dialect::Rule) => "Parameter ScheduleExpression is not valid.".into(),
            (_, Dialect::Scheduler) => format!("Invalid Schedule Expression {text}."),
        }
    }
}
