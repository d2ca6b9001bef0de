//! The regular expressions of filter patterns: a small part of the usual language, checked character by character.
//!
//! No groups, no look-around, ASCII only. What passes is compiled by an engine without backtracking and with a bound on
//! the size of the compiled program, so that neither a pattern nor a message can make it slow.

use regex::{Regex, RegexBuilder};

use super::PatternError;

/// A compiled expression takes at most this much memory; `a{1000}{1000}` is refused.
const COMPILED_BYTES_MAX: usize = 256 << 10;

const SYMBOLS: &str = ":_#=@/;,-";
const OPERATORS: &str = "^$?[]{}|*+.";

/// Compiles what stands between the percent signs.
pub(super) fn compile(body: &str) -> Result<Regex, PatternError> {
    let expression = translate(body).ok_or(PatternError::Malformed)?;
    RegexBuilder::new(&expression)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|_| PatternError::Malformed)
}

/// Spells the expression for our engine, whose classes would otherwise take in all of Unicode, and whose brackets nest.
fn translate(body: &str) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(body.len() * 2);
    let mut in_brackets = false;
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(chars.next()?, &mut chars, &mut out)?,
            '[' if in_brackets => out.push_str("\\["),
            '[' => {
                in_brackets = true;
                out.push('[');
                // The hyphen and the circumflex keep their places; everything else is seen by the loop.
                if chars.as_str().starts_with('^') {
                    chars.next();
                    out.push('^');
                }
            }
            ']' => {
                in_brackets = false;
                out.push(']');
            }
            '^' if in_brackets => out.push_str("\\^"),
            // Two hyphens would be a difference of classes.
            '-' if in_brackets && out.ends_with('-') => out.push_str("\\-"),
            c if c.is_ascii_alphanumeric() || SYMBOLS.contains(c) || OPERATORS.contains(c) => out.push(c),
            _ => return None,
        }
    }
    Some(out)
}

fn escape(c: char, chars: &mut std::str::Chars<'_>, out: &mut String) -> Option<()> {
    match c {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str("[ \\t\\n\\r\\x0b\\x0c]"),
        'S' => out.push_str("[^ \\t\\n\\r\\x0b\\x0c]"),
        'x' => {
            let digits: String = chars.take(2).collect();
            if digits.len() != 2 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            out.push_str("\\x");
            out.push_str(&digits);
        }
        c if c.is_ascii_punctuation() => {
            out.push('\\');
            out.push(c);
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_find_what_they_say() {
        for (body, message, expected) in [
            ("AUTHORIZED", "[ERROR 401] UNAUTHORIZED REQUEST", true),
            ("AUTHORIZED", "authorized", false),
            ("^[hc]at", "hat", true),
            ("^[hc]at", "a hat", false),
            ("[hc]at$", "a cat", true),
            ("colou?r", "color colour", true),
            ("10\\.10\\.0\\.1", "10.10.0.1", true),
            ("10\\.10\\.0\\.1", "10x10x0x1", false),
            ("a{3,5}", "aaa", true),
            ("a{3,5}", "aa", false),
            ("gray|grey", "a grey day", true),
            ("\\d{3}\\s\\w+", "code 404 missing", true),
            ("\\d", "٣", false),
            ("[^\\d]", "5", false),
            ("\\x41", "A", true),
            ("[[x]", "[", true),
            ("[a^]", "^", true),
            ("[^a^]", "^", false),
        ] {
            assert_eq!(compile(body).unwrap().is_match(message), expected, "{body} on {message}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        for body in
            ["", "something!", "(a)", "a b", "größe", "a&&b", "[a", "\\p{L}", "\\x4", "\\", "a{1000}{1000}", "*"]
        {
            assert_eq!(compile(body).err(), Some(PatternError::Malformed), "{body}");
        }
    }
}
