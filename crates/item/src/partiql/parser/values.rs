//! The values that a statement writes out: texts, numbers, lists, tuples and sets, and parameters in place of them.

use super::Parser;
use crate::partiql::Wrong;
use crate::partiql::lexer::Token;
use crate::{Item, Number, Refusal, Value};

impl Parser<'_> {
    /// A value, if one stands here. `place` is where it stands in a larger one.
    pub(super) fn value(&mut self, place: &str) -> Result<Option<Value>, Wrong> {
        let token = self.peek().clone();
        self.at += 1;
        let value = match token {
            Token::Text(text) => Value::S(text),
            Token::Number(text) => number(&text, place)?,
            Token::Mark("-") => match self.peek().clone() {
                Token::Number(text) => {
                    self.at += 1;
                    number(&format!("-{text}"), place)?
                }
                _ => return Err(Wrong::Malformed("Expected a number")),
            },
            Token::Mark("?") => {
                let value = self.parameters.get(self.used).cloned().ok_or(Wrong::Parameters)?;
                self.used += 1;
                value
            }
            Token::Mark("[") => self.deeper(|parser| parser.items(place))?,
            Token::Mark("{") => self.deeper(|parser| parser.tuple(place))?,
            Token::Mark("<<") => self.deeper(|parser| parser.bag(place))?,
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Value::Bool(true),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Value::Bool(false),
            Token::Word(word) if word.eq_ignore_ascii_case("null") => Value::Null,
            Token::Word(_) | Token::Quoted(_) | Token::Mark(_) | Token::End => {
                self.at -= 1;
                return Ok(None);
            }
        };
        Ok(Some(value))
    }

    pub(super) fn needed_value(&mut self, place: &str) -> Result<Value, Wrong> {
        self.value(place)?.ok_or(Wrong::Malformed("Expected a value"))
    }

    fn items(&mut self, place: &str) -> Result<Value, Wrong> {
        let mut items = Vec::new();
        if self.mark("]") {
            return Ok(Value::L(items));
        }
        loop {
            let item = self.needed_value(&format!("{place}[{}]", items.len()))?;
            items.push(item);
            if !self.mark(",") {
                self.need("]")?;
                return Ok(Value::L(items));
            }
        }
    }

    fn tuple(&mut self, place: &str) -> Result<Value, Wrong> {
        let mut entries = Item::new();
        if self.mark("}") {
            return Ok(Value::M(entries));
        }
        loop {
            let (Token::Text(name) | Token::Quoted(name)) = self.peek().clone() else {
                return Err(Wrong::Malformed("Expected a name in quotes"));
            };
            self.at += 1;
            self.need(":")?;
            // DynamoDB names the place inside an attribute, not the attribute.
            let inner = if self.depth == 1 { String::new() } else { format!("{place}.{name}") };
            let value = self.needed_value(&inner)?;
            entries.insert(name, value);
            if !self.mark(",") {
                self.need("}")?;
                return Ok(Value::M(entries));
            }
        }
    }

    fn bag(&mut self, place: &str) -> Result<Value, Wrong> {
        let mut members = Vec::new();
        if !self.mark(">>") {
            loop {
                members.push(self.needed_value(place)?);
                if !self.mark(",") {
                    self.need(">>")?;
                    break;
                }
            }
        }
        set_of(members)
    }
}

fn number(text: &str, place: &str) -> Result<Value, Wrong> {
    let number: Result<Number, Refusal> = text.parse();
    number.map(Value::N).map_err(|refusal| Wrong::Number { refusal, place: place.to_owned() })
}

/// The set of values of one type.
fn set_of(members: Vec<Value>) -> Result<Value, Wrong> {
    let mixed = Wrong::Malformed("Expected values of one type in a set");
    match members.first() {
        Some(Value::N(_)) => {
            let numbers: Option<Vec<String>> = members
                .iter()
                .map(|member| if let Value::N(number) = member { Some(number.to_string()) } else { None })
                .collect();
            Ok(Value::number_set(&numbers.ok_or(mixed)?)?)
        }
        Some(Value::B(_)) => {
            let bytes: Option<Vec<bytes::Bytes>> = members
                .into_iter()
                .map(|member| if let Value::B(bytes) = member { Some(bytes) } else { None })
                .collect();
            Ok(Value::bytes_set(bytes.ok_or(mixed)?)?)
        }
        _ => {
            let texts: Option<Vec<String>> =
                members.into_iter().map(|member| if let Value::S(text) = member { Some(text) } else { None }).collect();
            Ok(Value::text_set(texts.ok_or(mixed)?)?)
        }
    }
}
