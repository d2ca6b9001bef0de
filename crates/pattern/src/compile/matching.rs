//! The operators of the language, such as `{"prefix": "a"}`, become conditions.

use crate::address::Network;
use crate::condition::{But, Condition, fold};
use crate::lexer::{Lexer, Token};
use crate::malformed::{Malformed, Why};
use crate::number::{MILLIONTHS_MAX, millionths};
use crate::wildcard::Wildcard;

/// One operator, whose brace was read.
pub(super) fn condition(lexer: &mut Lexer<'_>) -> Result<Condition, Malformed> {
    let Token::Name(name) = lexer.token()? else {
        return Err(lexer.fault(Why::NoMatchName));
    };
    let condition = match name.as_str() {
        "exactly" => Condition::Text(text(lexer, "exact")?.into()),
        "prefix" => match affix(lexer, "prefix", "Prefix")? {
            Affix::Plain(text) => Condition::Prefix(text.into()),
            Affix::Folded(text) => Condition::PrefixFolded(text.into()),
        },
        "suffix" => match affix(lexer, "suffix", "Suffix")? {
            Affix::Plain(text) => Condition::Suffix(text.into()),
            Affix::Folded(text) => Condition::SuffixFolded(text.into()),
        },
        "equals-ignore-case" => Condition::Folded(fold(&text(lexer, "equals-ignore-case")?).into()),
        "wildcard" => {
            let text = text(lexer, "wildcard")?;
            Condition::Wildcard(Wildcard::parse(&text).map_err(|why| lexer.fault(why))?)
        }
        // AWS says "prefix" here too, and no place for what is wrong inside the text.
        "cidr" => Condition::Network(Network::parse(&text(lexer, "prefix")?).map_err(Malformed::anywhere)?),
        "exists" => match lexer.token()? {
            Token::Boolean(true) => Condition::Present,
            Token::Boolean(false) => Condition::Absent,
            _ => return Err(lexer.fault(Why::NotABoolean)),
        },
        "numeric" => {
            let condition = numeric(lexer)?;
            ends(lexer, Why::TooManyElements)?;
            return Ok(condition);
        }
        "anything-but" => {
            let condition = Condition::But(anything_but(lexer)?);
            ends(lexer, Why::TooManyElements)?;
            return Ok(condition);
        }
        other => return Err(lexer.fault(Why::UnknownMatch(other.to_owned()))),
    };
    ends(lexer, Why::MoreThanOneKey)?;
    Ok(condition)
}

/// The object's end, or this fault.
fn ends(lexer: &mut Lexer<'_>, why: Why) -> Result<(), Malformed> {
    match lexer.token()? {
        Token::ObjectEnd => Ok(()),
        _ => Err(lexer.fault(why)),
    }
}

fn text(lexer: &mut Lexer<'_>, what: &'static str) -> Result<String, Malformed> {
    match lexer.token()? {
        Token::Text(text) => Ok(text),
        _ => Err(lexer.fault(Why::NotText(what))),
    }
}

enum Affix {
    Plain(String),
    Folded(String),
}

/// A text, or `{"equals-ignore-case": TEXT}`.
fn affix(lexer: &mut Lexer<'_>, what: &'static str, capital: &'static str) -> Result<Affix, Malformed> {
    match lexer.token()? {
        Token::Text(text) => Ok(Affix::Plain(text)),
        Token::ObjectStart => {
            let Token::Name(name) = lexer.token()? else {
                return Err(lexer.fault(Why::NoInnerName(capital)));
            };
            if name != "equals-ignore-case" {
                return Err(lexer.fault(Why::UnsupportedInner(what, name)));
            }
            let text = text(lexer, "equals-ignore-case")?;
            ends(lexer, Why::MoreThanOneKey)?;
            Ok(Affix::Folded(fold(&text)))
        }
        _ => Err(lexer.fault(Why::NotText(what))),
    }
}

/// What `anything-but` excludes: a value, values, or an operator with a text or texts.
fn anything_but(lexer: &mut Lexer<'_>) -> Result<But, Malformed> {
    let first = lexer.token()?;
    match first {
        Token::ObjectStart => {}
        Token::ArrayStart => {
            let members = members(lexer, first)?;
            return but_values(lexer, members);
        }
        Token::Text(_) | Token::Number(_) => return but_values(lexer, vec![first]),
        _ => return Err(lexer.fault(Why::AnythingButValue)),
    }
    let Token::Name(name) = lexer.token()? else {
        return Err(lexer.fault(Why::NoInnerName("Anything-But")));
    };
    let operator = match name.as_str() {
        "equals-ignore-case" => Operator::Folded,
        "prefix" => Operator::Prefix,
        "suffix" => Operator::Suffix,
        "wildcard" => Operator::Wildcard,
        _ => return Err(lexer.fault(Why::UnsupportedInner("anything-but", name))),
    };
    let first = lexer.token()?;
    let members = match first {
        Token::ArrayStart | Token::Text(_) | Token::Number(_) => members(lexer, first)?,
        _ => return Err(lexer.fault(Why::AnythingButValue)),
    };
    let but = operator.but(lexer, members)?;
    ends(lexer, Why::TooManyElements)?;
    Ok(but)
}

/// An array's members, or the single one.
fn members(lexer: &mut Lexer<'_>, first: Token) -> Result<Vec<Token>, Malformed> {
    if first != Token::ArrayStart {
        return Ok(vec![first]);
    }
    let mut members = Vec::new();
    loop {
        match lexer.token()? {
            Token::ArrayEnd => return Ok(members),
            member @ (Token::ObjectStart | Token::ArrayStart) => {
                // Whatever it holds, no list may have it: the caller refuses it where it stands.
                members.push(member);
                return Ok(members);
            }
            member => members.push(member),
        }
    }
}

fn but_values(lexer: &Lexer<'_>, members: Vec<Token>) -> Result<But, Malformed> {
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    for member in members {
        match member {
            Token::Text(text) => texts.push(text.into()),
            Token::Number(number) => {
                numbers.push(millionths(&number).ok_or_else(|| lexer.fault(Why::NumberOutOfRange))?);
            }
            _ => return Err(lexer.fault(Why::AnythingButMember)),
        }
    }
    match (texts.is_empty(), numbers.is_empty()) {
        (false, true) => Ok(But::Texts(texts.into())),
        (true, false) => Ok(But::Numbers(numbers.into())),
        (false, false) | (true, true) => Err(lexer.fault(Why::AnythingButMixed)),
    }
}

#[derive(Clone, Copy)]
enum Operator {
    Folded,
    Prefix,
    Suffix,
    Wildcard,
}

impl Operator {
    fn but(self, lexer: &Lexer<'_>, members: Vec<Token>) -> Result<But, Malformed> {
        let mut texts: Vec<Box<str>> = Vec::with_capacity(members.len());
        for member in members {
            let Token::Text(text) = member else {
                return Err(lexer.fault(match self {
                    Self::Folded => Why::AnythingButFolded,
                    Self::Wildcard => Why::NotText("wildcard"),
                    Self::Prefix | Self::Suffix => Why::NotText("prefix/suffix"),
                }));
            };
            match self {
                Self::Prefix | Self::Suffix if text.is_empty() => return Err(lexer.fault(Why::EmptyAffix)),
                Self::Folded => texts.push(fold(&text).into()),
                Self::Prefix | Self::Suffix | Self::Wildcard => texts.push(text.into()),
            }
        }
        Ok(match self {
            Self::Folded => But::Folded(texts.into()),
            Self::Prefix => But::Prefixes(texts.into()),
            Self::Suffix => But::Suffixes(texts.into()),
            Self::Wildcard => {
                let wildcards: Result<_, Why> = texts.iter().map(|text| Wildcard::parse(text)).collect();
                But::Wildcards(wildcards.map_err(|why| lexer.fault(why))?)
            }
        })
    }
}

/// `[">", 0, "<=", 5]` and its kind.
fn numeric(lexer: &mut Lexer<'_>) -> Result<Condition, Malformed> {
    if lexer.token()? != Token::ArrayStart {
        return Err(lexer.fault(Why::NumericNotAnArray));
    }
    let operator = match lexer.token()? {
        Token::Text(operator) => operator,
        other => return Err(lexer.fault(Why::NumericMember(written(&other)))),
    };
    let next = lexer.token()?;
    let (low, high) = match operator.as_str() {
        "=" => bound(lexer, next, "equals").map(|value| (value, value))?,
        "<" => (-MILLIONTHS_MAX, bound(lexer, next, "<")? - 1),
        "<=" => (-MILLIONTHS_MAX, bound(lexer, next, "<=")?),
        ">" | ">=" => {
            let bottom = bound(lexer, next, &operator)?;
            return range(lexer, bottom, i64::from(operator == ">"));
        }
        _ => return Err(lexer.fault(Why::NumericOperator(operator))),
    };
    match lexer.token()? {
        Token::ArrayEnd => Ok(Condition::Range { low, high }),
        _ => Err(lexer.fault(Why::TooManyElements)),
    }
}

/// What may follow a lower end, which is itself left out by `open_bottom`: nothing, or an upper end.
fn range(lexer: &mut Lexer<'_>, bottom: i64, open_bottom: i64) -> Result<Condition, Malformed> {
    let low = bottom + open_bottom;
    let operator = match lexer.token()? {
        Token::ArrayEnd => return Ok(Condition::Range { low, high: MILLIONTHS_MAX }),
        Token::Text(operator) => operator,
        other => return Err(lexer.fault(Why::NumericBadValue(written(&other)))),
    };
    let open_top = match operator.as_str() {
        "<" => 1,
        "<=" => 0,
        _ => return Err(lexer.fault(Why::NumericSecondOperator(operator))),
    };
    let top = lexer.token()?;
    let top = bound(lexer, top, &operator)?;
    if lexer.token()? != Token::ArrayEnd {
        return Err(lexer.fault(Why::TooManyTerms));
    }
    if bottom >= top {
        return Err(lexer.fault(Why::EmptyRange));
    }
    Ok(Condition::Range { low, high: top - open_top })
}

fn bound(lexer: &Lexer<'_>, token: Token, operator: &str) -> Result<i64, Malformed> {
    match token {
        Token::Number(number) => millionths(&number).ok_or_else(|| lexer.fault(Why::NumberOutOfRange)),
        _ => Err(lexer.fault(Why::NumericValue(operator.to_owned()))),
    }
}

/// A token as it stands in the text, for faults.
fn written(token: &Token) -> String {
    match token {
        Token::ObjectStart => "{".to_owned(),
        Token::ObjectEnd => "}".to_owned(),
        Token::ArrayStart => "[".to_owned(),
        Token::ArrayEnd => "]".to_owned(),
        Token::Name(text) | Token::Text(text) => text.clone(),
        Token::Number(number) => number.to_string(),
        Token::Boolean(boolean) => boolean.to_string(),
        Token::Null => "null".to_owned(),
        Token::End => String::new(),
    }
}
