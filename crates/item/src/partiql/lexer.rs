//! The text of a statement into tokens.

use super::Wrong;

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word: a keyword or a name, as it is written.
    Word(String),
    /// `"a name"`
    Quoted(String),
    /// `'a text'`
    Text(String),
    /// Digits, with a point and an exponent perhaps.
    Number(String),
    /// An operator or a bracket.
    Mark(&'static str),
    End,
}

const MARKS: [&str; 22] = [
    "<<", ">>", "<=", ">=", "<>", "!=", "=", "<", ">", "(", ")", "[", "]", "{", "}", ",", ".", ":", "+", "-", "*", "?",
];

/// All tokens, the last of which is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Wrong> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { break };
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").ok_or(Wrong::Malformed(""))?.1;
        } else if first == '\'' || first == '"' {
            let (word, behind) = quoted(&rest[1..], first)?;
            tokens.push(if first == '"' { Token::Quoted(word) } else { Token::Text(word) });
            rest = behind;
        } else if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            let (number, behind) = rest.split_at(number(rest.as_bytes()));
            check_exponent(number)?;
            tokens.push(Token::Number(number.to_owned()));
            rest = behind;
        } else if first.is_alphabetic() || first == '_' || first == '$' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else if rest.starts_with(';') && rest[1..].trim().is_empty() {
            break;
        } else {
            let mark = MARKS.into_iter().find(|mark| rest.starts_with(mark)).ok_or(Wrong::Malformed(""))?;
            tokens.push(Token::Mark(mark));
            rest = &rest[mark.len()..];
        }
    }
    tokens.push(Token::End);
    Ok(tokens)
}

/// What stands between quotes, of which two are one, and what follows.
fn quoted(text: &str, quote: char) -> Result<(String, &str), Wrong> {
    let mut word = String::new();
    let mut rest = text;
    loop {
        let (piece, behind) = rest.split_once(quote).ok_or(Wrong::Malformed(""))?;
        word.push_str(piece);
        match behind.strip_prefix(quote) {
            Some(more) => {
                word.push(quote);
                rest = more;
            }
            None => return Ok((word, behind)),
        }
    }
}

fn number(text: &[u8]) -> usize {
    let digits = |from: usize| from + text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = digits(0);
    if text.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let after = digits(end + 1 + sign);
        if after > end + 1 + sign {
            end = after;
        }
    }
    end
}

/// The scale of a number must fit 32 bits, or it is none for those who read statements at AWS.
fn check_exponent(number: &str) -> Result<(), Wrong> {
    let Some((digits, exponent)) = number.split_once(['e', 'E']) else { return Ok(()) };
    let fraction = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len()) as i64;
    let exponent: i64 = exponent.parse().map_err(|_| Wrong::Malformed(""))?;
    let fits = |value: i64| i32::try_from(value).is_ok();
    if fits(exponent) && fits(fraction - exponent) { Ok(()) } else { Err(Wrong::Malformed("")) }
}
