//! Terms: words, phrases and regular expressions that a message must have (`ERROR`), must not have (`-ERROR`), or of
//! which it must have one (`?ERROR ?WARN`). A word is found anywhere, also within a longer one; case counts.

use regex::Regex;

use super::{Cursor, PatternError};

#[derive(Debug, Default)]
pub(super) struct Terms {
    all: Vec<Needle>,
    none: Vec<Needle>,
    /// Ignored beside terms of the other kinds, as AWS does.
    any: Vec<Needle>,
}

#[derive(Debug)]
enum Needle {
    Text(String),
    Regex(Regex),
}

impl Terms {
    pub(super) fn parse(text: &str) -> Result<Self, PatternError> {
        let mut terms = Self::default();
        let mut cursor = Cursor::new(text);
        cursor.skip_spaces();
        while !cursor.is_at_end() {
            let kind = if cursor.eat("-") {
                &mut terms.none
            } else if cursor.eat("?") {
                &mut terms.any
            } else {
                &mut terms.all
            };
            cursor.skip_spaces();
            kind.push(Needle::parse(&mut cursor)?);
            cursor.skip_spaces();
        }
        Ok(terms)
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        if self.all.is_empty() && self.none.is_empty() {
            return self.any.iter().any(|needle| needle.is_in(message));
        }
        self.all.iter().all(|needle| needle.is_in(message)) && !self.none.iter().any(|needle| needle.is_in(message))
    }
}

impl Needle {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        match cursor.peek() {
            Some('"') => match cursor.quoted('"')? {
                text if text.is_empty() => Err(PatternError::Term("\"\"".into())),
                text => Ok(Self::Text(text)),
            },
            Some('%') => Ok(Self::Regex(cursor.regex()?)),
            Some(_) | None => {
                let word = cursor.take_while(|c| !c.is_whitespace());
                let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
                if plain { Ok(Self::Text(word.into())) } else { Err(PatternError::Term(word.into())) }
            }
        }
    }

    fn is_in(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => message.contains(text.as_str()),
            Self::Regex(regex) => regex.is_match(message),
        }
    }
}
