//! Conditions on messages whose fields lie between spaces. What stands in double quotes or square brackets is one field.
//! The pattern names each field (a name may be empty), and one `...` stands for any number of them; without it the
//! message must have just as many fields as the pattern.

use super::condition::{Comparison, Expression, Number};
use super::{Cursor, PatternError};

#[derive(Debug)]
pub(super) struct Fields {
    before: Vec<Field>,
    /// Those behind the `...`; none: there is no `...`.
    after: Option<Vec<Field>>,
}

type Field = Option<Expression<Comparison>>;

impl Fields {
    /// Reads what stands between the brackets.
    pub(super) fn parse(text: &str) -> Result<Self, PatternError> {
        let mut cursor = Cursor::new(text);
        let mut fields = Self { before: Vec::new(), after: None };
        let mut regexes = 0;
        loop {
            if cursor.eat_spaced("...") || cursor.eat("…") {
                if fields.after.replace(Vec::new()).is_some() {
                    return Err(PatternError::Malformed);
                }
            } else {
                let field = field(&mut cursor, &mut regexes)?;
                fields.after.as_mut().unwrap_or(&mut fields.before).push(field);
            }
            cursor.skip_spaces();
            if cursor.is_at_end() {
                return Ok(fields);
            }
            if !cursor.eat(",") {
                return Err(PatternError::Malformed);
            }
        }
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        let after = self.after.as_deref().unwrap_or_default();
        let wanted = self.before.len() + after.len();
        // One more than is needed tells that there are too many; with a `...` all are needed.
        let count_max = if self.after.is_some() { usize::MAX } else { wanted + 1 };
        let values: Vec<&str> = Split { rest: message, unclosed: false }.take(count_max).collect();
        if values.len() < wanted || (self.after.is_none() && values.len() > wanted) {
            return false;
        }
        let head = self.before.iter().zip(&values);
        let tail = after.iter().zip(&values[values.len() - after.len()..]);
        head.chain(tail).all(|(field, value)| holds(field, value))
    }
}

fn holds(field: &Field, value: &str) -> bool {
    let Some(expression) = field else { return true };
    let number = Number::parse(value);
    expression.holds(&|comparison| match number {
        Some(number) => comparison.holds_for_number(number, value),
        None => comparison.holds_for_text(value),
    })
}

/// A name, or conditions on one name.
fn field(cursor: &mut Cursor<'_>, regexes: &mut usize) -> Result<Field, PatternError> {
    cursor.skip_spaces();
    let mut field_name = None;
    if cursor.peek() != Some('(') {
        let name = name(cursor);
        cursor.skip_spaces();
        if cursor.is_at_end() || cursor.peek() == Some(',') {
            return Ok(None);
        }
        if name.is_empty() {
            return Err(PatternError::Malformed);
        }
        field_name = Some(name);
    }
    let mut first = field_name.clone();
    let expression = Expression::parse(cursor, &mut |cursor| {
        let name = match first.take() {
            Some(name) => name,
            None => {
                cursor.skip_spaces();
                name(cursor)
            }
        };
        // A field's conditions are on that field: AWS refuses `status = 4* && bytes > 10`.
        if name.is_empty() || *field_name.get_or_insert_with(|| name.clone()) != name {
            return Err(PatternError::Malformed);
        }
        Comparison::parse(cursor, regexes)
    })?;
    Ok(Some(expression))
}

fn name(cursor: &mut Cursor<'_>) -> String {
    cursor.take_while(|c| c.is_alphanumeric() || c == '_' || c == '-').to_owned()
}

/// The fields of a message.
struct Split<'a> {
    rest: &'a str,
    /// A closing bracket was looked for in vain: looking again for every opening one would take quadratic time.
    unclosed: bool,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let closing = match rest.chars().next()? {
            '"' => closing_quote(rest),
            '[' if !self.unclosed => {
                let found = rest.find(']');
                self.unclosed = found.is_none();
                found
            }
            _ => None,
        };
        let (field, after) = match closing {
            Some(end) => (&rest[1..end], end + 1),
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (&rest[..end], end)
            }
        };
        self.rest = &rest[after..];
        Some(field)
    }
}

/// Where the quote that `text` begins with is closed; a backslash makes the next character an ordinary one.
fn closing_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}
