//! What patterns on JSON and on fields share: `&&`, `||` and parentheses around conditions, and the right-hand side of a
//! comparison.

use regex::Regex;

use super::{Cursor, DEPTH_MAX, PatternError};

/// Conditions, joined. `&&` binds stronger than `||`.
#[derive(Debug)]
pub(super) enum Expression<C> {
    Is(C),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl<C> Expression<C> {
    /// Reads an expression whose single conditions are read by `condition`.
    pub(super) fn parse<F>(cursor: &mut Cursor<'_>, condition: &mut F) -> Result<Self, PatternError>
    where
        F: FnMut(&mut Cursor<'_>) -> Result<C, PatternError>,
    {
        Self::any(cursor, condition, 0)
    }

    /// Asks `is` about as many conditions as it takes.
    pub(super) fn holds(&self, is: &impl Fn(&C) -> bool) -> bool {
        match self {
            Self::Is(condition) => is(condition),
            Self::All(parts) => parts.iter().all(|part| part.holds(is)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(is)),
        }
    }

    fn any<F>(cursor: &mut Cursor<'_>, condition: &mut F, depth: usize) -> Result<Self, PatternError>
    where
        F: FnMut(&mut Cursor<'_>) -> Result<C, PatternError>,
    {
        let mut parts = vec![Self::all(cursor, condition, depth)?];
        while cursor.eat_spaced("||") {
            parts.push(Self::all(cursor, condition, depth)?);
        }
        Ok(Self::only_or(parts, Self::Any))
    }

    fn all<F>(cursor: &mut Cursor<'_>, condition: &mut F, depth: usize) -> Result<Self, PatternError>
    where
        F: FnMut(&mut Cursor<'_>) -> Result<C, PatternError>,
    {
        let mut parts = vec![Self::one(cursor, condition, depth)?];
        while cursor.eat_spaced("&&") {
            parts.push(Self::one(cursor, condition, depth)?);
        }
        Ok(Self::only_or(parts, Self::All))
    }

    fn one<F>(cursor: &mut Cursor<'_>, condition: &mut F, depth: usize) -> Result<Self, PatternError>
    where
        F: FnMut(&mut Cursor<'_>) -> Result<C, PatternError>,
    {
        if !cursor.eat_spaced("(") {
            return condition(cursor).map(Self::Is);
        }
        if depth >= DEPTH_MAX {
            return Err(PatternError::Malformed);
        }
        let inner = Self::any(cursor, condition, depth + 1)?;
        if cursor.eat_spaced(")") { Ok(inner) } else { Err(PatternError::Malformed) }
    }

    fn only_or(mut parts: Vec<Self>, join: fn(Vec<Self>) -> Self) -> Self {
        match parts.pop() {
            Some(only) if parts.is_empty() => only,
            Some(last) => {
                parts.push(last);
                join(parts)
            }
            None => join(parts),
        }
    }
}

/// `= 4*`, `!= "a b"`, `>= 1.5e3`, `= %re%`.
#[derive(Debug)]
pub(super) enum Comparison {
    Equal(Literal),
    Different(Literal),
    Ordered(Operator, Number),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a value is compared with.
#[derive(Debug)]
pub(super) enum Literal {
    Text { glob: Glob, number: Option<Number> },
    Regex(Regex),
}

impl Comparison {
    pub(super) fn parse(cursor: &mut Cursor<'_>, regexes: &mut usize) -> Result<Self, PatternError> {
        cursor.skip_spaces();
        // Two-character operators first.
        let ordered = [
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        if let Some((_, operator)) = ordered.into_iter().find(|(sign, _)| cursor.eat(sign)) {
            cursor.skip_spaces();
            let number = Number::parse(cursor.take_while(is_plain)).ok_or(PatternError::Malformed)?;
            return Ok(Self::Ordered(operator, number));
        }
        if cursor.eat("!=") {
            return Literal::parse(cursor, regexes).map(Self::Different);
        }
        if cursor.eat("=") {
            return Literal::parse(cursor, regexes).map(Self::Equal);
        }
        Err(PatternError::Malformed)
    }

    /// For a value that is text.
    pub(super) fn holds_for_text(&self, text: &str) -> bool {
        match self {
            Self::Equal(literal) => literal.is_text(text),
            Self::Different(literal) => !literal.is_text(text),
            Self::Ordered(..) => false,
        }
    }

    /// For a value that is a number, written as `text`.
    pub(super) fn holds_for_number(&self, number: Number, text: &str) -> bool {
        match self {
            Self::Equal(literal) => literal.is_number(number, text),
            Self::Different(literal) => !literal.is_number(number, text),
            Self::Ordered(operator, limit) => operator.holds(number, *limit),
        }
    }
}

impl Operator {
    fn holds(self, number: Number, limit: Number) -> bool {
        let order = number.compare(limit);
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Literal {
    fn parse(cursor: &mut Cursor<'_>, regexes: &mut usize) -> Result<Self, PatternError> {
        cursor.skip_spaces();
        match cursor.peek() {
            Some('"') => Ok(Self::Text { glob: Glob::new(&cursor.quoted('"')?), number: None }),
            Some('%') => {
                *regexes += 1;
                if *regexes > super::REGEXES_MAX {
                    return Err(PatternError::Malformed);
                }
                Ok(Self::Regex(cursor.regex()?))
            }
            Some(_) | None => match cursor.take_while(is_plain) {
                "" => Err(PatternError::Malformed),
                word => Ok(Self::Text { glob: Glob::new(word), number: Number::parse(word) }),
            },
        }
    }

    fn is_text(&self, text: &str) -> bool {
        match self {
            Self::Text { glob, .. } => glob.matches(text),
            Self::Regex(regex) => regex.is_match(text),
        }
    }

    fn is_number(&self, value: Number, text: &str) -> bool {
        match self {
            Self::Text { number: Some(number), .. } => value.compare(*number).is_eq(),
            Self::Text { .. } | Self::Regex(_) => self.is_text(text),
        }
    }
}

/// What needs no quotes.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || "_-+.:/*".contains(c)
}

/// A text with an asterisk, or none, at each end; one in the middle stands for itself.
#[derive(Debug)]
pub(super) struct Glob {
    text: String,
    open_start: bool,
    open_end: bool,
}

impl Glob {
    fn new(text: &str) -> Self {
        let (open_start, rest) = match text.strip_prefix('*') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (open_end, rest) = match rest.strip_suffix('*') {
            Some(rest) => (true, rest),
            // A lone asterisk is open at both ends.
            None => (open_start && rest.is_empty(), rest),
        };
        Self { text: rest.to_owned(), open_start, open_end }
    }

    fn matches(&self, text: &str) -> bool {
        match (self.open_start, self.open_end) {
            (false, false) => text == self.text,
            (false, true) => text.starts_with(&self.text),
            (true, false) => text.ends_with(&self.text),
            (true, true) => text.contains(&self.text),
        }
    }
}

/// A number, exact where it is whole: account ids and timestamps in nanoseconds do not fit a double.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    double: f64,
    whole: Option<i128>,
}

impl Number {
    /// An optional sign, digits, an optional fraction, an optional exponent; nothing else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let fits = digits(whole) && fraction.is_none_or(digits) && exponent.is_none_or(digits);
        let double = fits.then(|| text.parse().ok()).flatten()?;
        Some(Self { double, whole: text.parse().ok() })
    }

    fn compare(self, other: Self) -> std::cmp::Ordering {
        match (self.whole, other.whole) {
            (Some(one), Some(two)) => one.cmp(&two),
            // Neither is ever NaN; adding zero makes one of the two zeros.
            (Some(_) | None, _) => (self.double + 0.0).total_cmp(&(other.double + 0.0)),
        }
    }
}
