//! Items out of Ion's text: a struct with the member `Item`, as exports have it. Sets are lists that say what they are.
//!
//! Of Ion's types those are read that values of items have; timestamps, symbols, clobs, s-expressions and symbol tables are refused. Floats
//! are taken by their digits, which are decimal. What always holds: nothing is read twice, and nesting ends at [`LEVELS_MAX`].

use bytes::Bytes;

use crate::{Item, Refusal, Value, json};

/// Values in values that are read at all; items have fewer, which is checked where they are put.
const LEVELS_MAX: usize = 64;

/// Why a text is no item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Not the language, and where.
    #[error("The record is not Ion: expected {expected} at byte {at}")]
    Syntax {
        /// What was expected.
        expected: &'static str,
        /// Where.
        at: usize,
    },
    /// Ion that no item has.
    #[error("The record has a value that is of no type of items: {0}")]
    Type(&'static str),
    /// Nested deeper than any item.
    #[error("The record is nested deeper than {LEVELS_MAX} levels")]
    TooDeep,
    /// A struct without `Item`, or another value.
    #[error("The record has no Item")]
    NoItem,
    /// A value that is none of DynamoDB's.
    #[error(transparent)]
    Value(#[from] Refusal),
}

/// The item of a record: `{Item:{…}}`, behind a version marker or not.
pub fn read_record(text: &str) -> Result<Item, Wrong> {
    let mut reader = Reader { text, at: 0, levels: 0 };
    reader.space()?;
    if reader.takes("$ion_1_0") {
        reader.space()?;
    }
    let record = reader.value()?;
    reader.space()?;
    if reader.at < text.len() {
        return Err(reader.wrong("the end of the record"));
    }
    let Value::M(mut members) = record else { return Err(Wrong::NoItem) };
    match members.remove("Item") {
        Some(Value::M(item)) => Ok(item),
        Some(_) | None => Err(Wrong::NoItem),
    }
}

/// Which sets annotations make of lists.
#[derive(Clone, Copy)]
enum Set {
    Texts,
    Numbers,
    Bytes,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    levels: usize,
}

impl<'a> Reader<'a> {
    fn wrong(&self, expected: &'static str) -> Wrong {
        Wrong::Syntax { expected, at: self.at }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn takes(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &'static str) -> Result<(), Wrong> {
        if self.takes(token) { Ok(()) } else { Err(self.wrong(token)) }
    }

    /// Takes what letters come that are wanted.
    fn run(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|letter| !wanted(letter)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Passes over blanks and comments.
    fn space(&mut self) -> Result<(), Wrong> {
        loop {
            self.run(|letter| letter.is_ascii_whitespace() || letter == '\u{b}');
            if self.takes("//") {
                self.run(|letter| letter != '\n');
            } else if self.takes("/*") {
                let end = self.rest().find("*/").ok_or_else(|| self.wrong("*/"))?;
                self.at += end + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn value(&mut self) -> Result<Value, Wrong> {
        if self.levels >= LEVELS_MAX {
            return Err(Wrong::TooDeep);
        }
        self.levels += 1;
        let read = self.annotated();
        self.levels -= 1;
        read
    }

    fn annotated(&mut self) -> Result<Value, Wrong> {
        let mut set = None;
        while let Some(annotation) = self.annotation()? {
            set = match annotation.as_str() {
                "$dynamodb_SS" => Some(Set::Texts),
                "$dynamodb_NS" => Some(Set::Numbers),
                "$dynamodb_BS" => Some(Set::Bytes),
                "$ion_symbol_table" => return Err(Wrong::Type("a symbol table")),
                // What others annotate means nothing here.
                _ => set,
            };
        }
        let value = self.plain()?;
        match (set, value) {
            (None, value) => Ok(value),
            (Some(set), Value::L(members)) => set.of(members),
            (Some(_), _) => Err(Wrong::Type("a set that is no list")),
        }
    }

    /// A symbol with two colons behind it.
    fn annotation(&mut self) -> Result<Option<String>, Wrong> {
        let before = self.at;
        let name = match self.rest().chars().next() {
            Some('\'') if !self.rest().starts_with("'''") => Some(self.quoted('\'')?),
            Some(letter) if is_name_start(letter) => Some(self.run(is_name).to_owned()),
            Some(_) | None => None,
        };
        if let Some(name) = name {
            self.space()?;
            if self.takes("::") {
                self.space()?;
                return Ok(Some(name));
            }
        }
        self.at = before;
        Ok(None)
    }

    fn plain(&mut self) -> Result<Value, Wrong> {
        match self.rest().chars().next() {
            Some('{') if self.rest().starts_with("{{") => self.blob(),
            Some('{') => self.structure(),
            Some('[') => self.list(),
            Some('"') => Ok(Value::S(self.quoted('"')?)),
            Some('\'') if self.rest().starts_with("'''") => Ok(Value::S(self.long_text()?)),
            Some('\'') => Err(Wrong::Type("a symbol")),
            Some('(') => Err(Wrong::Type("an s-expression")),
            Some('0'..='9' | '-' | '+') => self.number(),
            Some(letter) if is_name_start(letter) => self.word(),
            Some(_) | None => Err(self.wrong("a value")),
        }
    }

    fn word(&mut self) -> Result<Value, Wrong> {
        match self.run(|letter| is_name(letter) || letter == '.') {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            // Whatever type it would have been of.
            word if word == "null" || word.starts_with("null.") => Ok(Value::Null),
            "nan" => Err(Wrong::Type("a float that is no number")),
            _ => Err(Wrong::Type("a symbol")),
        }
    }

    fn number(&mut self) -> Result<Value, Wrong> {
        let text = self.run(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '+' | '_' | ':'));
        if text.ends_with("inf") {
            return Err(Wrong::Type("a float that is no number"));
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_year = digits.len() > 4 && digits.as_bytes()[..4].iter().all(u8::is_ascii_digit);
        if is_year && matches!(digits.as_bytes()[4], b'-' | b'T') {
            return Err(Wrong::Type("a timestamp"));
        }
        let plain: String = text.chars().filter(|letter| *letter != '_').collect();
        if let Some((hex, base)) = radix(&plain) {
            let whole = u128::from_str_radix(hex, base).map_err(|_| self.wrong("an integer"))?;
            let sign = if plain.starts_with('-') { "-" } else { "" };
            return Ok(Value::number(&format!("{sign}{whole}"))?);
        }
        // A point needs no digits behind it, and a `d` is what tells decimals from floats.
        let plain = plain.replace(['d', 'D'], "E").replace(".E", "E");
        Ok(Value::number(plain.strip_suffix('.').unwrap_or(&plain))?)
    }

    fn blob(&mut self) -> Result<Value, Wrong> {
        self.expect("{{")?;
        self.run(|letter| letter.is_ascii_whitespace());
        if self.rest().starts_with(['"', '\'']) {
            return Err(Wrong::Type("a clob"));
        }
        let end = self.rest().find("}}").ok_or_else(|| self.wrong("}}"))?;
        let packed: String = self.rest()[..end].chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
        self.at += end + 2;
        Ok(json::read(&serde_json::json!({ "B": packed }))?)
    }

    fn list(&mut self) -> Result<Value, Wrong> {
        self.expect("[")?;
        let mut items = Vec::new();
        loop {
            self.space()?;
            if self.takes("]") {
                return Ok(Value::L(items));
            }
            items.push(self.value()?);
            self.space()?;
            if !self.takes(",") && !self.rest().starts_with(']') {
                return Err(self.wrong("]"));
            }
        }
    }

    fn structure(&mut self) -> Result<Value, Wrong> {
        self.expect("{")?;
        let mut members = Item::new();
        loop {
            self.space()?;
            if self.takes("}") {
                return Ok(Value::M(members));
            }
            let name = self.name()?;
            self.space()?;
            self.expect(":")?;
            self.space()?;
            let value = self.value()?;
            members.insert(name, value);
            self.space()?;
            if !self.takes(",") && !self.rest().starts_with('}') {
                return Err(self.wrong("}"));
            }
        }
    }

    fn name(&mut self) -> Result<String, Wrong> {
        match self.rest().chars().next() {
            Some('"') => self.quoted('"'),
            Some('\'') if self.rest().starts_with("'''") => self.long_text(),
            Some('\'') => self.quoted('\''),
            Some(letter) if is_name_start(letter) => Ok(self.run(is_name).to_owned()),
            Some(_) | None => Err(self.wrong("a name")),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, Wrong> {
        self.at += quote.len_utf8();
        let mut out = String::new();
        loop {
            out.push_str(self.run(|letter| letter != quote && letter != '\\' && letter != '\n'));
            match self.rest().chars().next() {
                Some('\\') => self.escape(&mut out)?,
                Some(letter) if letter == quote => {
                    self.at += quote.len_utf8();
                    return Ok(out);
                }
                Some(_) | None => return Err(self.wrong("the end of the text")),
            }
        }
    }

    /// Texts between three quotes each, one behind the other.
    fn long_text(&mut self) -> Result<String, Wrong> {
        let mut out = String::new();
        while self.takes("'''") {
            while !self.takes("'''") {
                out.push_str(self.run(|letter| letter != '\'' && letter != '\\'));
                match self.rest().chars().next() {
                    Some('\\') => self.escape(&mut out)?,
                    Some('\'') if !self.rest().starts_with("'''") => {
                        self.at += 1;
                        out.push('\'');
                    }
                    Some(_) => {}
                    None => return Err(self.wrong("'''")),
                }
            }
            self.space()?;
        }
        Ok(out)
    }

    fn escape(&mut self, out: &mut String) -> Result<(), Wrong> {
        self.expect("\\")?;
        let letter = self.rest().chars().next().ok_or_else(|| self.wrong("an escape"))?;
        self.at += letter.len_utf8();
        out.push(match letter {
            '0' => '\0',
            'a' => '\u{7}',
            'b' => '\u{8}',
            't' => '\t',
            'n' => '\n',
            'f' => '\u{c}',
            'r' => '\r',
            'v' => '\u{b}',
            '"' | '\'' | '?' | '\\' | '/' => letter,
            // A text that goes on in the next line.
            '\n' => return Ok(()),
            'x' => self.letter(2)?,
            'u' => self.unit()?,
            'U' => self.letter(8)?,
            _ => return Err(self.wrong("an escape")),
        });
        Ok(())
    }

    /// Four digits, or twice four where they are halves of one letter.
    fn unit(&mut self) -> Result<char, Wrong> {
        let high = self.hex(4)?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high).ok_or_else(|| self.wrong("a letter"));
        }
        self.expect("\\u")?;
        let low = self.hex(4)?;
        let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or_else(|| self.wrong("a letter"))?;
        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low).ok_or_else(|| self.wrong("a letter"))
    }

    fn letter(&mut self, digits: usize) -> Result<char, Wrong> {
        let code = self.hex(digits)?;
        char::from_u32(code).ok_or_else(|| self.wrong("a letter"))
    }

    fn hex(&mut self, digits: usize) -> Result<u32, Wrong> {
        let found = self.rest().get(..digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = found.and_then(|text| u32::from_str_radix(text, 16).ok()).ok_or_else(|| self.wrong("a digit"))?;
        self.at += digits;
        Ok(code)
    }
}

/// The digits of an integer that is not written in tens.
fn radix(text: &str) -> Option<(&str, u32)> {
    let text = text.strip_prefix('-').unwrap_or(text);
    let of = |prefixes: [&str; 2], base| {
        prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)).map(|digits| (digits, base))
    };
    of(["0x", "0X"], 16).or_else(|| of(["0b", "0B"], 2))
}

fn is_name_start(letter: char) -> bool {
    letter.is_ascii_alphabetic() || matches!(letter, '_' | '$')
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '$')
}

impl Set {
    fn of(self, members: Vec<Value>) -> Result<Value, Wrong> {
        let other = || Wrong::Type("a set with members of another type");
        match self {
            Self::Texts => {
                let text = |member| if let Value::S(text) = member { Ok(text) } else { Err(other()) };
                Ok(Value::text_set(members.into_iter().map(text).collect::<Result<_, _>>()?)?)
            }
            Self::Numbers => {
                let number = |member| if let Value::N(number) = member { Ok(number.to_string()) } else { Err(other()) };
                Ok(Value::number_set(&members.into_iter().map(number).collect::<Result<Vec<_>, _>>()?)?)
            }
            Self::Bytes => {
                let bytes = |member| if let Value::B(bytes) = member { Ok(bytes) } else { Err(other()) };
                Ok(Value::bytes_set(members.into_iter().map(bytes).collect::<Result<Vec<Bytes>, _>>()?)?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ion: &str, expected: &str) {
        let read = read_record(&format!("$ion_1_0 {{Item:{{v:{ion}}}}}")).map(|item| match item.get("v") {
            Some(value) => json::write(value).to_string(),
            None => String::new(),
        });
        assert_eq!(read.unwrap_or_else(|wrong| format!("! {wrong}")), expected, "{ion}");
    }

    #[test]
    fn values_are_those_of_items() {
        for (ion, expected) in [
            (r#""a\"b\\c\nd'e\x01\u00e9\U0001F600\uD83D\uDE00""#, "{\"S\":\"a\\\"b\\\\c\\nd'e\\u0001é😀😀\"}"),
            ("'''a''' '''b\n\\'c'd'''", "{\"S\":\"ab\\n'c'd\"}"),
            ("20.", r#"{"N":"20"}"#),
            ("-1.5", r#"{"N":"-1.5"}"#),
            ("1_000", r#"{"N":"1000"}"#),
            ("-0xFF", r#"{"N":"-255"}"#),
            ("0b101", r#"{"N":"5"}"#),
            ("1.5d3", r#"{"N":"1500"}"#),
            ("2.d-2", r#"{"N":"0.02"}"#),
            ("1.5e0", r#"{"N":"1.5"}"#),
            ("{{ AP\n8= }}", r#"{"B":"AP8="}"#),
            ("true", r#"{"BOOL":true}"#),
            ("null.string", r#"{"NULL":true}"#),
            ("[1., /* two */ \"b\",]", r#"{"L":[{"N":"1"},{"S":"b"}]}"#),
            (r#"{'it\'s':1, "b" : false, c:null}"#, r#"{"M":{"b":{"BOOL":false},"c":{"NULL":true},"it's":{"N":"1"}}}"#),
            (r#"$dynamodb_SS::["a","b"]"#, r#"{"SS":["a","b"]}"#),
            ("$dynamodb_NS :: [1.,2.5]", r#"{"NS":["1","2.5"]}"#),
            ("'$dynamodb_BS'::[{{AA==}}]", r#"{"BS":["AA=="]}"#),
            ("meters::3.", r#"{"N":"3"}"#),
        ] {
            check(ion, expected);
        }
    }

    #[test]
    fn what_is_no_value_says_why() {
        for (ion, expected) in [
            ("2026-11-21T", "! The record has a value that is of no type of items: a timestamp"),
            ("symbol", "! The record has a value that is of no type of items: a symbol"),
            ("'symbol'", "! The record has a value that is of no type of items: a symbol"),
            ("(a b)", "! The record has a value that is of no type of items: an s-expression"),
            ("{{\"clob\"}}", "! The record has a value that is of no type of items: a clob"),
            ("+inf", "! The record has a value that is of no type of items: a float that is no number"),
            (
                "$dynamodb_SS::[1.]",
                "! The record has a value that is of no type of items: a set with members of another type",
            ),
            ("$dynamodb_NS::1.", "! The record has a value that is of no type of items: a set that is no list"),
            ("\"open", "! The record is not Ion: expected the end of the text at byte 25"),
            ("[1. 2.]", "! The record is not Ion: expected ] at byte 22"),
            ("", "! The record is not Ion: expected a value at byte 18"),
        ] {
            check(ion, expected);
        }
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        check(&deep(LEVELS_MAX), "! The record is nested deeper than 64 levels");
        for (record, expected) in [
            ("{Item:1.}", Wrong::NoItem),
            ("[]", Wrong::NoItem),
            ("{item:{}}", Wrong::NoItem),
            ("{Item:{}} {}", Wrong::Syntax { expected: "the end of the record", at: 10 }),
            ("$ion_symbol_table::{}", Wrong::Type("a symbol table")),
        ] {
            assert_eq!(read_record(record), Err(expected), "{record}");
        }
        assert_eq!(read_record("{Item:{}} // nothing"), Ok(Item::new()));
    }
}
