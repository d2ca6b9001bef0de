//! A pattern's text as tokens, each with the place that AWS would name if something were wrong with it.
//!
//! Not serde's reader: a fault must say where in the text it is, and a name that comes twice counts as it does there (the later
//! one wins).

use serde_json::Number;

use crate::malformed::{Malformed, Why};

/// One token. Colons and commas are checked, and not shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    /// A member's name; its value is the next token.
    Name(String),
    Text(String),
    Number(Number),
    Boolean(bool),
    Null,
    /// The text is over.
    End,
}

/// What is open, and whether something stands in it already.
struct Open {
    is_object: bool,
    is_first: bool,
}

pub(crate) struct Lexer<'a> {
    source: &'a str,
    /// The next byte to read.
    next: usize,
    /// Where a fault about the last token is said to be. A string counts as read up to its opening quote only.
    place: usize,
    open: Vec<Open>,
    /// The value after a name is read together with it, as AWS's reader does; it shows in the places of faults.
    ahead: Option<Token>,
}

const DEPTH_MAX: usize = 128;

impl<'a> Lexer<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self { source, next: 0, place: 0, open: Vec::new(), ahead: None }
    }

    /// A fault about the last token.
    pub(crate) fn fault(&self, why: Why) -> Malformed {
        Malformed::at(why, self.source, self.place)
    }

    /// The next token; [`Token::End`] again and again after the last.
    pub(crate) fn token(&mut self) -> Result<Token, Malformed> {
        if let Some(token) = self.ahead.take() {
            return Ok(token);
        }
        self.space();
        let Some(open) = self.open.last_mut() else {
            return self.outermost();
        };
        let Some(byte) = self.source.as_bytes().get(self.next).copied() else {
            return Err(self.stop(Why::UnexpectedEnd));
        };
        let (is_object, is_first) = (open.is_object, std::mem::replace(&mut open.is_first, false));
        match byte {
            b'}' if is_object => return Ok(self.close(Token::ObjectEnd)),
            b']' if !is_object => return Ok(self.close(Token::ArrayEnd)),
            b',' if !is_first => self.next += 1,
            _ if is_first => {}
            _ if is_object => return Err(self.unexpected("was expecting comma to separate Object entries")),
            _ => return Err(self.unexpected("was expecting comma to separate Array entries")),
        }
        self.space();
        if !is_object {
            return self.value();
        }
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("was expecting double-quote to start field name"));
        }
        let name = self.text()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("was expecting a colon to separate field name and value"));
        }
        self.next += 1;
        self.space();
        let value = self.value()?;
        self.ahead = Some(value);
        Ok(Token::Name(name))
    }

    /// Outside everything: the one value, then nothing.
    fn outermost(&mut self) -> Result<Token, Malformed> {
        if self.next == self.source.len() {
            return Ok(Token::End);
        }
        self.value()
    }

    fn value(&mut self) -> Result<Token, Malformed> {
        let Some(byte) = self.peek() else {
            return Err(self.stop(Why::UnexpectedEnd));
        };
        match byte {
            b'{' => self.begin(Token::ObjectStart),
            b'[' => self.begin(Token::ArrayStart),
            b'"' => {
                let place = self.next + 1;
                let text = self.text()?;
                self.place = place;
                Ok(Token::Text(text))
            }
            b'-' | b'0'..=b'9' => self.number(),
            b if b.is_ascii_alphabetic() => self.word(),
            _ => Err(self.unexpected(
                "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
            )),
        }
    }

    fn begin(&mut self, token: Token) -> Result<Token, Malformed> {
        self.next += 1;
        self.place = self.next;
        if self.open.len() == DEPTH_MAX {
            return Err(self.fault(Why::TooDeep { max: DEPTH_MAX }));
        }
        self.open.push(Open { is_object: token == Token::ObjectStart, is_first: true });
        Ok(token)
    }

    fn close(&mut self, token: Token) -> Token {
        self.open.pop();
        self.next += 1;
        self.place = self.next;
        token
    }

    /// A string, whose opening quote is next.
    fn text(&mut self) -> Result<String, Malformed> {
        let start = self.next;
        let bytes = self.source.as_bytes();
        self.next += 1;
        loop {
            match bytes.get(self.next) {
                None => return Err(self.stop(Why::UnexpectedEnd)),
                Some(b'\\') => self.next = (self.next + 2).min(bytes.len()),
                Some(b'"') => break,
                Some(control) if *control < 0x20 => {
                    return Err(self.stop(Why::ControlCharacter(u32::from(*control))));
                }
                Some(_) => self.next += 1,
            }
        }
        self.next += 1;
        self.place = self.next;
        serde_json::from_str(&self.source[start..self.next]).map_err(|_| self.fault(Why::StringEscape))
    }

    fn number(&mut self) -> Result<Token, Malformed> {
        let digits = self.taken(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        match serde_json::from_str(digits) {
            Ok(number) => Ok(Token::Number(number)),
            Err(_) => Err(self.fault(Why::BadNumber(digits.to_owned()))),
        }
    }

    fn word(&mut self) -> Result<Token, Malformed> {
        match self.taken(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            "true" => Ok(Token::Boolean(true)),
            "false" => Ok(Token::Boolean(false)),
            "null" => Ok(Token::Null),
            other => Err(self.fault(Why::UnknownToken(other.to_owned()))),
        }
    }

    fn taken(&mut self, fits: impl Fn(u8) -> bool) -> &'a str {
        let rest = &self.source[self.next..];
        let length = rest.bytes().take_while(|byte| fits(*byte)).count();
        self.next += length;
        self.place = self.next;
        &rest[..length]
    }

    fn space(&mut self) {
        let rest = &self.source.as_bytes()[self.next..];
        self.next += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    fn peek(&self) -> Option<u8> {
        self.source.as_bytes().get(self.next).copied()
    }

    fn unexpected(&mut self, wanted: &'static str) -> Malformed {
        match self.source[self.next..].chars().next() {
            None => self.stop(Why::UnexpectedEnd),
            Some(found) => {
                self.next += found.len_utf8();
                self.stop(Why::UnexpectedCharacter { found, wanted })
            }
        }
    }

    fn stop(&mut self, why: Why) -> Malformed {
        self.place = self.next;
        self.fault(why)
    }
}
