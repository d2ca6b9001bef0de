//! A place in a pattern's text, and the few steps that all three forms take from there.

use super::PatternError;
use super::regular;

/// A place in a text. It only moves forward.
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Steps over `word`, if it comes next.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The same, after spaces.
    pub(super) fn eat_spaced(&mut self, word: &str) -> bool {
        self.skip_spaces();
        self.eat(word)
    }

    /// Steps over `word` in upper or lower case, if it comes next and ends there.
    pub(super) fn eat_keyword(&mut self, word: &str) -> bool {
        self.skip_spaces();
        let Some((head, rest)) = self.rest.split_at_checked(word.len()) else { return false };
        let ends = !rest.chars().next().is_some_and(char::is_alphanumeric);
        if ends && head.eq_ignore_ascii_case(word) {
            self.rest = rest;
            return true;
        }
        false
    }

    /// Everything up to the first character that is not `wanted`.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// A text in the given quotes, which come next; a backslash makes the next character an ordinary one.
    pub(super) fn quoted(&mut self, quote: char) -> Result<String, PatternError> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => text.push(chars.next().ok_or(PatternError::Malformed)?.1),
                c if c == quote => {
                    self.rest = &self.rest[at + c.len_utf8()..];
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err(PatternError::Malformed)
    }

    /// A regular expression between percent signs, which come next.
    pub(super) fn regex(&mut self) -> Result<regex::Regex, PatternError> {
        let (body, rest) = self.rest[1..].split_once('%').ok_or(PatternError::Malformed)?;
        self.rest = rest;
        regular::compile(body)
    }
}
