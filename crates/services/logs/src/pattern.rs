//! Filter patterns: the little language in which people say which log events they want. Pure: text in, yes or no out.
//!
//! Three forms, told apart by the first character: terms (`ERROR -Exiting`, `?WARN ?ERROR`, `"a phrase"`, `%a[0-9]+b%`),
//! conditions on JSON (`{ $.code = 4* && $.ms > 100 }`) and conditions on fields between spaces (`[ip, ..., status = 4*]`).
//! An empty pattern matches everything.
//!
//! What always holds: a pattern that is not understood is refused, never guessed at; parsing and matching take time
//! linear in the pattern and in the message (regular expressions have no backtracking), and nesting is bounded.

mod condition;
mod cursor;
mod fields;
mod json;
mod regular;
mod terms;
#[cfg(test)]
mod tests;

use cursor::Cursor;

/// How deep parentheses may nest.
const DEPTH_MAX: usize = 32;

/// How many regular expressions a pattern on JSON or on fields may have: AWS's limit.
const REGEXES_MAX: usize = 2;

/// A pattern, understood.
#[derive(Debug)]
pub struct Pattern(Form);

#[derive(Debug)]
enum Form {
    Everything,
    Terms(terms::Terms),
    Json(json::Json),
    Fields(fields::Fields),
}

impl Pattern {
    /// The pattern that every message matches.
    pub const EVERYTHING: Self = Self(Form::Everything);

    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        let form = match text.chars().next() {
            None => Form::Everything,
            Some('{') => Form::Json(json::Json::parse(inside(text, '{', '}')?)?),
            Some('[') => Form::Fields(fields::Fields::parse(inside(text, '[', ']')?)?),
            Some(_) => Form::Terms(terms::Terms::parse(text)?),
        };
        Ok(Self(form))
    }

    /// Whether `message` is wanted.
    pub fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Form::Everything => true,
            Form::Terms(terms) => terms.matches(message),
            Form::Json(json) => json.matches(message),
            Form::Fields(fields) => fields.matches(message),
        }
    }
}

/// Why a text is no pattern. The words are AWS's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The closing bracket is missing.
    #[error("If a filter pattern starts with '{open}' it must end with '{close}'")]
    Unclosed {
        /// What it starts with.
        open: char,
        /// What it does not end with.
        close: char,
    },
    /// A term that needs double quotes, or is empty.
    #[error("Invalid character(s) in term '{0}'")]
    Term(String),
    /// Anything else.
    #[error("Invalid filter pattern")]
    Malformed,
}

/// What lies between the brackets of `text`, which begins with `open`.
fn inside(text: &str, open: char, close: char) -> Result<&str, PatternError> {
    text.strip_prefix(open).and_then(|text| text.strip_suffix(close)).ok_or(PatternError::Unclosed { open, close })
}
