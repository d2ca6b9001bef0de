//! Java's regular expressions in the words of the `regex` crate.
//!
//! The two differ in what models use: `\d`, `\w` and `\s` are ASCII in Java, and a code point beyond the first 65,536 is
//! written as two escapes there. Look-around the crate does not have at all.

use regex::Regex;

/// What became of a pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Translated {
    /// It reads the same.
    Same,
    /// It had to be put into other words.
    Other(String),
    /// It cannot be said.
    Impossible,
}

/// Translates one pattern.
pub(super) fn translate(java: &str) -> Translated {
    let rust = rewrite(java);
    if Regex::new(&format!(r"\A(?:{rust})\z")).is_err() {
        return Translated::Impossible;
    }
    if rust == java { Translated::Same } else { Translated::Other(rust) }
}

fn rewrite(java: &str) -> String {
    let letters: Vec<char> = java.chars().collect();
    let mut rust = String::new();
    let mut class_depth = 0usize;
    let mut index = 0;
    while index < letters.len() {
        let letter = letters[index];
        if letter != '\\' {
            match letter {
                '[' => class_depth += 1,
                ']' => class_depth = class_depth.saturating_sub(1),
                _ => {}
            }
            rust.push(letter);
            index += 1;
            continue;
        }
        if let Some(point) = surrogate_pair(&letters[index..]) {
            rust.push_str(&format!("\\x{{{point:X}}}"));
            index += 12;
            continue;
        }
        let escaped = letters.get(index + 1).copied();
        index += 2;
        match (escaped, class_depth > 0) {
            (Some('d'), true) => rust.push_str("0-9"),
            (Some('d'), false) => rust.push_str("[0-9]"),
            (Some('D'), _) => rust.push_str("[^0-9]"),
            (Some('w'), true) => rust.push_str("a-zA-Z_0-9"),
            (Some('w'), false) => rust.push_str("[a-zA-Z_0-9]"),
            (Some('W'), _) => rust.push_str("[^a-zA-Z_0-9]"),
            (Some('s'), true) => rust.push_str(r" \t\n\x0B\f\r"),
            (Some('s'), false) => rust.push_str(r"[ \t\n\x0B\f\r]"),
            (Some('S'), _) => rust.push_str(r"[^ \t\n\x0B\f\r]"),
            (Some(other), _) => rust.extend(['\\', other]),
            (None, _) => rust.push('\\'),
        }
    }
    rust
}

/// The code point of `\uD800\uDC00` and its like.
fn surrogate_pair(letters: &[char]) -> Option<u32> {
    let unit = |at: usize| -> Option<u32> {
        let text: String = letters.get(at..at + 6)?.iter().collect();
        u32::from_str_radix(text.strip_prefix("\\u")?, 16).ok()
    };
    let (high, low) = (unit(0)?, unit(6)?);
    ((0xD800..0xDC00).contains(&high) && (0xDC00..0xE000).contains(&low))
        .then(|| 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_translated() {
        let other = |text: &str| Translated::Other(text.to_owned());
        for (java, expected) in [
            ("[a-z]+", Translated::Same),
            (r"\d{12}", other("[0-9]{12}")),
            (r"[\w-]+", other("[a-zA-Z_0-9-]+")),
            (r"[\uD800\uDC00-\uDBFF\uDFFF]", other(r"[\x{10000}-\x{10FFFF}]")),
            ("(?!aws:).*", Translated::Impossible),
        ] {
            assert_eq!(translate(java), expected, "{java}");
        }
    }
}
