//! Conditions on messages that are JSON objects. A selector names a value (`$.user.id`, `$.users[0].email`,
//! `$.list[*]`, `$.*.name`, `$['a.b']`); a comparison holds for texts, numbers and booleans, never for what is missing or
//! for lists and objects, so `!=` asks for a value that is there and differs.

use serde_json::Value;

use super::condition::{Comparison, Expression, Number};
use super::{Cursor, PatternError};

/// AWS's limits on wildcards in selectors.
const WILDCARDS_PER_SELECTOR_MAX: usize = 1;
const WILDCARDS_MAX: usize = 3;

#[derive(Debug)]
pub(super) struct Json(Expression<Condition>);

#[derive(Debug)]
struct Condition {
    selector: Vec<Step>,
    test: Test,
}

#[derive(Debug)]
enum Step {
    Member(String),
    Element(usize),
    AnyMember,
    AnyElement,
}

#[derive(Debug)]
enum Test {
    IsNull,
    IsTrue,
    IsFalse,
    NotExists,
    Compare(Comparison),
}

impl Json {
    /// Reads what stands between the braces.
    pub(super) fn parse(text: &str) -> Result<Self, PatternError> {
        let mut cursor = Cursor::new(text);
        let (mut regexes, mut wildcards) = (0, 0);
        let expression = Expression::parse(&mut cursor, &mut |cursor| {
            let condition = Condition::parse(cursor, &mut regexes)?;
            wildcards += condition.wildcards();
            if wildcards > WILDCARDS_MAX { Err(PatternError::Malformed) } else { Ok(condition) }
        })?;
        cursor.skip_spaces();
        if cursor.is_at_end() { Ok(Self(expression)) } else { Err(PatternError::Malformed) }
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        if !message.trim_start().starts_with('{') {
            return false;
        }
        // The parser bounds nesting by itself.
        let Ok(value) = serde_json::from_str::<Value>(message) else { return false };
        self.0.holds(&|condition| condition.holds(&value))
    }
}

impl Condition {
    fn parse(cursor: &mut Cursor<'_>, regexes: &mut usize) -> Result<Self, PatternError> {
        if !cursor.eat_spaced("$") {
            return Err(PatternError::Malformed);
        }
        let mut selector = Vec::new();
        while let Some(step) = Step::parse(cursor)? {
            selector.push(step);
        }
        let test = Test::parse(cursor, regexes)?;
        let condition = Self { selector, test };
        let fits = !condition.selector.is_empty() && condition.wildcards() <= WILDCARDS_PER_SELECTOR_MAX;
        if fits { Ok(condition) } else { Err(PatternError::Malformed) }
    }

    fn wildcards(&self) -> usize {
        self.selector.iter().filter(|step| matches!(step, Step::AnyMember | Step::AnyElement)).count()
    }

    fn holds(&self, root: &Value) -> bool {
        let mut found = vec![root];
        for step in &self.selector {
            found = found.into_iter().flat_map(|value| step.follow(value)).collect();
        }
        match &self.test {
            Test::NotExists => found.is_empty(),
            Test::IsNull => found.iter().any(|value| value.is_null()),
            Test::IsTrue => found.iter().any(|value| **value == Value::Bool(true)),
            Test::IsFalse => found.iter().any(|value| **value == Value::Bool(false)),
            Test::Compare(comparison) => found.iter().any(|value| compare(comparison, value)),
        }
    }
}

fn compare(comparison: &Comparison, value: &Value) -> bool {
    match value {
        Value::String(text) => comparison.holds_for_text(text),
        Value::Number(number) => {
            let text = number.to_string();
            Number::parse(&text).is_some_and(|number| comparison.holds_for_number(number, &text))
        }
        Value::Bool(truth) => comparison.holds_for_text(if *truth { "true" } else { "false" }),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

impl Step {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Option<Self>, PatternError> {
        if cursor.eat(".") {
            if cursor.peek() == Some('[') {
                // `$.['a.b']` is another way to write `$['a.b']`.
                return Self::parse(cursor);
            }
            if cursor.eat("*") {
                return Ok(Some(Self::AnyMember));
            }
            return match cursor.take_while(|c| c.is_alphanumeric() || c == '_' || c == '-') {
                "" => Err(PatternError::Malformed),
                name => Ok(Some(Self::Member(name.into()))),
            };
        }
        if !cursor.eat("[") {
            return Ok(None);
        }
        let step = match cursor.peek() {
            Some(quote @ ('"' | '\'')) => Self::Member(cursor.quoted(quote)?),
            Some('*') => {
                cursor.eat("*");
                Self::AnyElement
            }
            Some(_) | None => {
                let digits = cursor.take_while(|c| c.is_ascii_digit());
                Self::Element(digits.parse().map_err(|_| PatternError::Malformed)?)
            }
        };
        if cursor.eat("]") { Ok(Some(step)) } else { Err(PatternError::Malformed) }
    }

    fn follow<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Self::Member(name), Value::Object(members)) => members.get(name).into_iter().collect(),
            (Self::AnyMember, Value::Object(members)) => members.values().collect(),
            (Self::Element(index), Value::Array(items)) => items.get(*index).into_iter().collect(),
            (Self::AnyElement, Value::Array(items)) => items.iter().collect(),
            (Self::Member(_) | Self::AnyMember | Self::Element(_) | Self::AnyElement, _) => Vec::new(),
        }
    }
}

impl Test {
    fn parse(cursor: &mut Cursor<'_>, regexes: &mut usize) -> Result<Self, PatternError> {
        if cursor.eat_keyword("IS") {
            let words = [("NULL", Self::IsNull), ("TRUE", Self::IsTrue), ("FALSE", Self::IsFalse)];
            let found = words.into_iter().find(|(word, _)| cursor.eat_keyword(word));
            return found.map(|(_, test)| test).ok_or(PatternError::Malformed);
        }
        if cursor.eat_keyword("NOT") {
            return if cursor.eat_keyword("EXISTS") { Ok(Self::NotExists) } else { Err(PatternError::Malformed) };
        }
        Comparison::parse(cursor, regexes).map(Self::Compare)
    }
}
