//! Whether a shape satisfies its model, in AWS's words.
//!
//! Checking is writing without a result: the shape is walked in the model's order, every violation is collected, and the text
//! names them all, as AWS's services do. Typed calls from inside the node are checked the same way as decoded ones.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::reader::{Missing, Path};
use crate::schema::{Kind, Rules};
use crate::text::Java;
use crate::{Entries, Items, Member, Schema, Shape, Writer};

/// How many violations are collected; a body of a million empty strings does not become an answer of 100 MB.
pub const VIOLATIONS_MAX: usize = 100;

/// How much of a value is quoted.
const QUOTED_CHARS_MAX: usize = 2048;

/// Everything that is wrong with an input; at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// The first required member that is not there, as query clients name it: `SendMessageBatchRequestEntry.1.Id`.
    pub fn first_missing(&self) -> Option<String> {
        let missing = self.0.iter().find(|violation| violation.value == Quoted::Null)?;
        let steps = missing.path.split('.').filter(|step| *step != "member").map(|step| {
            let mut letters = step.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        });
        Some(steps.collect::<Vec<_>>().join("."))
    }
}

impl Violations {
    /// Whether all that is wrong is in members of that name, as queries and documents write it.
    pub fn are_all_in(&self, member: &str) -> bool {
        let is_index = |step: &str| step == "member" || step.bytes().all(|byte| byte.is_ascii_digit());
        let name = |path: &str| path.rsplit('.').find(|step| !is_index(step)).map(str::to_ascii_lowercase);
        self.0.iter().all(|violation| name(&violation.path) == Some(member.to_ascii_lowercase()))
    }
}

/// One constraint that is not satisfied.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Violation {
    path: String,
    value: Quoted,
    constraint: String,
}

/// A value as a violation quotes it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Quoted {
    Null,
    Text(String),
    Secret,
}

/// Checks a shape that was made in memory.
pub fn check(shape: &dyn Shape) -> Result<(), Violations> {
    check_read(shape, &Missing::default())
}

/// Checks a shape that was read, with the required members that were not there.
pub fn check_read(shape: &dyn Shape, missing: &Missing) -> Result<(), Violations> {
    let mut checker = Checker { path: Path::default(), missing, found: Vec::new() };
    checker.members(shape);
    if checker.found.is_empty() { Ok(()) } else { Err(Violations(checker.found)) }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} validation error{} detected: ", if count == 1 { "" } else { "s" })?;
        for (index, violation) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            match &violation.value {
                Quoted::Null => f.write_str("Value null at ")?,
                Quoted::Text(text) => write!(f, "Value '{text}' at ")?,
                Quoted::Secret => f.write_str("Value at ")?,
            }
            write!(f, "'{}' failed to satisfy constraint: {}", violation.path, violation.constraint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}

/// Walks a shape and collects.
struct Checker<'a> {
    path: Path,
    missing: &'a Missing,
    found: Vec<Violation>,
}

impl Checker<'_> {
    fn members(&mut self, shape: &dyn Shape) {
        for (index, at) in shape.schema().members().iter().enumerate() {
            let value = shape.member(index);
            if value.is_absent() && !at.required {
                continue;
            }
            let length = self.path.member(at);
            if value.is_absent() || self.missing.0.contains(&self.path.text) {
                self.report(Quoted::Null, "Member must not be null".to_owned());
            } else {
                value.write(self, at);
            }
            self.path.cut(length);
        }
    }

    fn report(&mut self, value: Quoted, constraint: String) {
        if self.found.len() < VIOLATIONS_MAX {
            self.found.push(Violation { path: self.path.text.clone(), value, constraint });
        }
    }

    /// Reports the first rule that does not hold. `quote` is only asked then.
    fn apply(&mut self, schema: &Schema, value: Measured<'_>, quote: &dyn Fn() -> String) {
        for broken in Rule::of(schema).filter(|rule| !rule.holds(value)) {
            self.report(quoted(schema, quote), broken.to_string());
        }
    }

    /// The numbers of the list's items that were null. The reader left them out, and noted where they had been.
    fn nulls_inside(&self) -> impl Iterator<Item = usize> {
        let number = |path: &String| {
            let rest = path.strip_prefix(self.path.text.as_str())?.strip_prefix('.')?.strip_suffix(".member")?;
            rest.parse().ok()
        };
        self.missing.0.iter().filter_map(number)
    }

    /// Checks what a list or map holds where that has no members of its own: AWS then quotes the whole.
    fn apply_inside(&mut self, parts: &Parts<'_>, quote: &dyn Fn() -> String) {
        let mut probe = Probe { good: true };
        (parts.visit)(&mut probe);
        if probe.good && !(parts.nulls_refused && self.nulls_inside().next().is_some()) {
            return;
        }
        let mut rules: Vec<String> = Rule::of(parts.schema).map(|rule| rule.to_string()).collect();
        if parts.nulls_refused {
            rules.push("Member must not be null".to_owned());
        }
        self.report(quoted(parts.schema, quote), format!("{}: [{}]", parts.prefix, rules.join(", ")));
    }
}

/// The scalars inside a list or map.
struct Parts<'a> {
    schema: &'static Schema,
    prefix: &'static str,
    nulls_refused: bool,
    visit: &'a dyn Fn(&mut Probe),
}

fn quoted(schema: &Schema, quote: &dyn Fn() -> String) -> Quoted {
    if schema.sensitive {
        return Quoted::Secret;
    }
    let mut text = quote();
    if let Some((end, _)) = text.char_indices().nth(QUOTED_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    Quoted::Text(text)
}

/// What rules look at.
#[derive(Clone, Copy)]
enum Measured<'a> {
    Text(&'a str),
    Count(usize),
    Whole(i64),
    Real(f64),
}

/// One rule of a schema.
enum Rule {
    Values(&'static [&'static str]),
    LengthMax(i64),
    LengthMin(i64),
    ValueMax(i64),
    ValueMin(i64),
    Pattern(&'static crate::schema::Pattern),
}

impl Rule {
    /// A schema's rules, in the order in which AWS lists them.
    fn of(schema: &Schema) -> impl Iterator<Item = Self> + use<> {
        let Rules { min, max, pattern, values } = schema.rules;
        let is_number = match schema.kind {
            Kind::Integer | Kind::Long | Kind::Float | Kind::Double => true,
            Kind::Boolean
            | Kind::String
            | Kind::Blob
            | Kind::Timestamp
            | Kind::Document
            | Kind::List(_)
            | Kind::Map { .. }
            | Kind::Structure(_)
            | Kind::Union(_) => false,
        };
        let bound = move |max: bool, limit: i64| match (is_number, max) {
            (true, true) => Self::ValueMax(limit),
            (true, false) => Self::ValueMin(limit),
            (false, true) => Self::LengthMax(limit),
            (false, false) => Self::LengthMin(limit),
        };
        let values = (!values.is_empty()).then_some(Self::Values(values));
        let max = max.map(|limit| bound(true, limit));
        let min = min.map(|limit| bound(false, limit));
        [values, max, min, pattern.map(Self::Pattern)].into_iter().flatten()
    }

    fn holds(&self, value: Measured<'_>) -> bool {
        match (self, value) {
            (Self::Values(values), Measured::Text(text)) => values.contains(&text),
            (Self::LengthMax(limit), Measured::Text(text)) => !length_exceeds(text, *limit),
            (Self::LengthMin(limit), Measured::Text(text)) => *limit <= 0 || length_exceeds(text, limit - 1),
            (Self::LengthMax(limit), Measured::Count(count)) => i64::try_from(count).is_ok_and(|count| count <= *limit),
            (Self::LengthMin(limit), Measured::Count(count)) => i64::try_from(count).is_ok_and(|count| count >= *limit),
            (Self::ValueMax(limit), Measured::Whole(value)) => value <= *limit,
            (Self::ValueMin(limit), Measured::Whole(value)) => value >= *limit,
            (Self::ValueMax(limit), Measured::Real(value)) => value <= *limit as f64,
            (Self::ValueMin(limit), Measured::Real(value)) => value >= *limit as f64,
            (Self::Pattern(pattern), Measured::Text(text)) => pattern.matches(text),
            // A rule for another kind of value says nothing.
            (Self::Values(_) | Self::Pattern(_), Measured::Count(_) | Measured::Whole(_) | Measured::Real(_))
            | (Self::LengthMax(_) | Self::LengthMin(_), Measured::Whole(_) | Measured::Real(_))
            | (Self::ValueMax(_) | Self::ValueMin(_), Measured::Text(_) | Measured::Count(_)) => true,
        }
    }
}

/// Whether the text has more than `limit` UTF-16 units, which is what AWS counts.
fn length_exceeds(text: &str, limit: i64) -> bool {
    let Ok(limit) = usize::try_from(limit) else { return true };
    // A text has at most as many units as bytes, and at least a third as many.
    text.len() > limit && (text.len() > limit.saturating_mul(3) || text.encode_utf16().count() > limit)
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Values(values) => write!(f, "Member must satisfy enum value set: [{}]", values.join(", ")),
            Self::LengthMax(limit) => write!(f, "Member must have length less than or equal to {limit}"),
            Self::LengthMin(limit) => write!(f, "Member must have length greater than or equal to {limit}"),
            Self::ValueMax(limit) => write!(f, "Member must have value less than or equal to {limit}"),
            Self::ValueMin(limit) => write!(f, "Member must have value greater than or equal to {limit}"),
            Self::Pattern(pattern) => write!(f, "Member must satisfy regular expression pattern: {}", pattern.java),
        }
    }
}

impl Writer for Checker<'_> {
    fn null(&mut self, _at: &'static Member) {}

    fn boolean(&mut self, _at: &'static Member, _value: bool) {}

    fn integer(&mut self, at: &'static Member, value: i64) {
        self.apply(at.target, Measured::Whole(value), &|| value.to_string());
    }

    fn float(&mut self, at: &'static Member, value: f32) {
        self.double(at, f64::from(value));
    }

    fn double(&mut self, at: &'static Member, value: f64) {
        self.apply(at.target, Measured::Real(value), &|| value.to_string());
    }

    fn string(&mut self, at: &'static Member, value: &str) {
        self.apply(at.target, Measured::Text(value), &|| value.to_owned());
    }

    fn blob(&mut self, at: &'static Member, value: &Bytes) {
        self.apply(at.target, Measured::Count(value.len()), &|| "java.nio.HeapByteBuffer".to_owned());
    }

    fn timestamp(&mut self, _at: &'static Member, _value: Timestamp) {}

    fn document(&mut self, _at: &'static Member, _value: &Value) {}

    fn structure(&mut self, _at: &'static Member, value: &dyn Shape) {
        self.members(value);
    }

    fn list(&mut self, at: &'static Member, value: &dyn Items) {
        let Kind::List(item) = at.target.kind else { return };
        let quote = || Java::list(value, item);
        self.apply(at.target, Measured::Count(value.count()), &quote);
        if item.target.is_composite() {
            let mut nulls: Vec<usize> = self.nulls_inside().collect();
            nulls.sort_unstable();
            for number in nulls {
                let length = self.path.item(number);
                self.report(Quoted::Null, "Member must not be null".to_owned());
                self.path.cut(length);
            }
            for index in 0..value.count() {
                let length = self.path.item(index + 1);
                value.item(index).write(self, item);
                self.path.cut(length);
            }
            return;
        }
        let visit = |probe: &mut Probe| (0..value.count()).for_each(|index| value.item(index).write(probe, item));
        let prefix = "Member must satisfy constraint";
        let parts = Parts { schema: item.target, prefix, nulls_refused: true, visit: &visit };
        self.apply_inside(&parts, &quote);
    }

    fn map(&mut self, at: &'static Member, value: &dyn Entries) {
        let Kind::Map { key, value: held } = at.target.kind else { return };
        let quote = || Java::map(value, held);
        self.apply(at.target, Measured::Count(value.count()), &quote);
        let visit = |probe: &mut Probe| value.each(&mut |text, _| probe.string(key, text));
        let prefix = "Map keys must satisfy constraint";
        self.apply_inside(&Parts { schema: key.target, prefix, nulls_refused: false, visit: &visit }, &quote);
        if held.target.is_composite() {
            value.each(&mut |text, value| {
                let length = self.path.key(text);
                value.write(self, held);
                self.path.cut(length);
            });
            return;
        }
        let visit = |probe: &mut Probe| value.each(&mut |_, value| value.write(probe, held));
        let prefix = "Map value must satisfy constraint";
        self.apply_inside(&Parts { schema: held.target, prefix, nulls_refused: false, visit: &visit }, &quote);
    }
}

/// Tells whether scalars satisfy their rules, and nothing more.
struct Probe {
    good: bool,
}

impl Probe {
    fn apply(&mut self, schema: &Schema, value: Measured<'_>) {
        self.good = self.good && Rule::of(schema).all(|rule| rule.holds(value));
    }
}

impl Writer for Probe {
    fn null(&mut self, _at: &'static Member) {}

    fn boolean(&mut self, _at: &'static Member, _value: bool) {}

    fn integer(&mut self, at: &'static Member, value: i64) {
        self.apply(at.target, Measured::Whole(value));
    }

    fn float(&mut self, at: &'static Member, value: f32) {
        self.apply(at.target, Measured::Real(f64::from(value)));
    }

    fn double(&mut self, at: &'static Member, value: f64) {
        self.apply(at.target, Measured::Real(value));
    }

    fn string(&mut self, at: &'static Member, value: &str) {
        self.apply(at.target, Measured::Text(value));
    }

    fn blob(&mut self, at: &'static Member, value: &Bytes) {
        self.apply(at.target, Measured::Count(value.len()));
    }

    fn timestamp(&mut self, _at: &'static Member, _value: Timestamp) {}

    fn document(&mut self, _at: &'static Member, _value: &Value) {}

    fn structure(&mut self, _at: &'static Member, _value: &dyn Shape) {}

    fn list(&mut self, _at: &'static Member, _value: &dyn Items) {}

    fn map(&mut self, _at: &'static Member, _value: &dyn Entries) {}
}
