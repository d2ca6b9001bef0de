//! Text in which `*` stands for any run of characters, and `\*` and `\\` for themselves.

use crate::malformed::Why;

/// The literals between the stars; one more than there are stars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wildcard {
    literals: Box<[Box<str>]>,
}

/// AWS refuses what may keep too many half-matches open at once, by a measure that it does not publish. Stars beyond these are
/// refused, and literals after a star that overlap themselves too often; matching itself takes one pass whatever the pattern.
const STARS_MAX: usize = 5;
const OVERLAPS_MAX: usize = 32;

impl Wildcard {
    /// Places in faults count the quote before the text, as AWS's do.
    pub(crate) fn parse(text: &str) -> Result<Self, Why> {
        let mut literals = vec![String::new()];
        let mut letters = text.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            let following = letters.peek().map(|(_, letter)| *letter);
            let literal = literals.last_mut().expect("there is always one literal");
            match letter {
                '*' if following == Some('*') => return Err(Why::ConsecutiveWildcards(at + 1)),
                '*' => literals.push(String::new()),
                '\\' if matches!(following, Some('*' | '\\')) => {
                    literal.extend(following);
                    letters.next();
                }
                '\\' => return Err(Why::WildcardEscape(at + 1)),
                other => literal.push(other),
            }
        }
        let is_complex = literals.len() - 1 > STARS_MAX
            || literals[1..].iter().map(|literal| overlaps(literal.as_bytes())).sum::<usize>() > OVERLAPS_MAX;
        if is_complex {
            return Err(Why::TooComplex);
        }
        Ok(Self { literals: literals.into_iter().map(Into::into).collect() })
    }

    /// What every matching text begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.literals[0]
    }

    /// What every matching text ends with.
    pub(crate) fn suffix(&self) -> &str {
        self.literals.last().expect("there is always one literal")
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = &*self.literals else {
            return *text == *self.literals[0];
        };
        let Some(mut rest) = text.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&**last)) else {
            return false;
        };
        // The leftmost place of each literal leaves most to the others.
        for literal in middle {
            let Some(at) = rest.find(&**literal) else { return false };
            rest = &rest[at + literal.len()..];
        }
        true
    }
}

/// How many places inside a literal can be half-matched at once: the longest chain of borders that one of its prefixes has.
fn overlaps(literal: &[u8]) -> usize {
    let mut borders = vec![0_usize; literal.len()];
    let mut chains = vec![0_usize; literal.len()];
    let mut longest = 0;
    for end in 1..literal.len() {
        let mut border = borders[end - 1];
        while border > 0 && literal[border] != literal[end] {
            border = borders[border - 1];
        }
        border += usize::from(literal[border] == literal[end]);
        borders[end] = border;
        if border > 0 {
            chains[end] = chains[border - 1] + 1;
            longest = longest.max(chains[end]);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_run_and_escapes_for_themselves() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(Wildcard::parse(pattern).unwrap().matches(text), expected, "{pattern} {text}");
        };
        check("", "", true);
        check("", "a", false);
        check("*", "", true);
        check("a*b", "ab", true);
        check("a*a", "a", false);
        check("a*ba*a", "aba", false);
        check("*ab*ab*", "xabyabz", true);
        check("*ab*ab*", "xabyaz", false);
        check(r"a\*b", "a*b", true);
        check(r"a\*b", "aab", false);
        check(r"\\*", r"\x", true);
        check("é*", "édition", true);
    }

    #[test]
    fn what_is_too_complex_is_refused() {
        let check = |pattern: &str, expected: Why| assert_eq!(Wildcard::parse(pattern), Err(expected), "{pattern}");
        check("a**", Why::ConsecutiveWildcards(2));
        check(r"a\b", Why::WildcardEscape(2));
        check(r"ab\", Why::WildcardEscape(3));
        check("*a*b*c*d*e*", Why::TooComplex);
        check(&format!("*{}", "a".repeat(40)), Why::TooComplex);
        assert!(Wildcard::parse("/home/*/dir/dir/dir/dir/dir/doc").is_ok());
    }
}
