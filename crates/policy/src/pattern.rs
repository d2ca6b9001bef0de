//! Texts with wildcards and policy variables, compiled once: `arn:aws:s3:::home/${aws:username}/*`.
//!
//! `*` stands for any number of characters, `?` for one. A variable stands for the request's value, taken literally; where the
//! request has none (or several), its default, else the pattern matches nothing. Matching allocates nothing and takes at
//! most length × length steps: a pattern cannot be made to explode.

use crate::Context;

/// One compiled pattern.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    /// What lies between the `*`s: always at least one run, which may be empty.
    runs: Box<[Run]>,
    case: Case,
}

/// Which letters are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// `a` is not `A`.
    Exact,
    /// `a` is `A`: actions, and the `IgnoreCase` operators.
    Folded,
}

/// Which characters of a pattern mean more than themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Syntax {
    /// `*` and `?`.
    pub(crate) wildcards: bool,
    /// `${…}`: only in policies of version 2012-10-17.
    pub(crate) variables: bool,
}

type Run = Box<[Token]>;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Text(Box<str>),
    AnyOne,
    Variable { key: Box<str>, default: Option<Box<str>> },
}

impl Pattern {
    /// Compiles `text`. The fault is the offending variable.
    pub(crate) fn compile(text: &str, syntax: Syntax, case: Case) -> Result<Self, String> {
        let mut builder = Builder::default();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if syntax.variables && rest.starts_with("${") {
                let end = rest.find('}').ok_or_else(|| rest.to_owned())?;
                builder.variable(&rest[2..end])?;
                rest = &rest[end + 1..];
                continue;
            }
            match first {
                '*' if syntax.wildcards => builder.end_run(),
                '?' if syntax.wildcards => builder.token(Token::AnyOne),
                other => builder.literal.push(other),
            }
            rest = &rest[first.len_utf8()..];
        }
        builder.end_run();
        Ok(Self { runs: builder.runs.into(), case })
    }

    /// Whether the whole of `text` fits.
    pub(crate) fn matches(&self, text: &str, context: &Context<'_>) -> bool {
        let (first, others) = self.runs.split_first().expect("a pattern has at least one run");
        let Some(mut at) = self.run_at(first, text, 0, context) else { return false };
        let Some((last, middle)) = others.split_last() else { return at == text.len() };
        // Leftmost fits are enough: what lies between runs is `*`, which takes whatever is left.
        for run in middle {
            match starts(text, at).find_map(|start| self.run_at(run, text, start, context)) {
                Some(end) => at = end,
                None => return false,
            }
        }
        starts(text, at).any(|start| self.run_at(last, text, start, context) == Some(text.len()))
    }

    /// Where `run` ends if it stands at `at`.
    fn run_at(&self, run: &[Token], text: &str, mut at: usize, context: &Context<'_>) -> Option<usize> {
        for token in run {
            let literal = match token {
                Token::AnyOne => {
                    at += text[at..].chars().next()?.len_utf8();
                    continue;
                }
                Token::Text(literal) => literal,
                Token::Variable { key, default } => context.single(key).or(default.as_deref())?,
            };
            let found = text.as_bytes().get(at..at + literal.len())?;
            let same = match self.case {
                Case::Exact => found == literal.as_bytes(),
                Case::Folded => found.eq_ignore_ascii_case(literal.as_bytes()),
            };
            if !same {
                return None;
            }
            at += literal.len();
        }
        Some(at)
    }
}

fn starts(text: &str, from: usize) -> impl Iterator<Item = usize> + '_ {
    text[from..].char_indices().map(move |(at, _)| from + at).chain(std::iter::once(text.len()))
}

#[derive(Default)]
struct Builder {
    runs: Vec<Run>,
    run: Vec<Token>,
    literal: String,
}

impl Builder {
    fn token(&mut self, token: Token) {
        if !self.literal.is_empty() {
            self.run.push(Token::Text(std::mem::take(&mut self.literal).into()));
        }
        self.run.push(token);
    }

    fn end_run(&mut self) {
        if !self.literal.is_empty() {
            self.run.push(Token::Text(std::mem::take(&mut self.literal).into()));
        }
        self.runs.push(std::mem::take(&mut self.run).into());
    }

    /// `aws:username`, `aws:username, 'nobody'`, or the escapes `*`, `?` and `$`.
    fn variable(&mut self, inside: &str) -> Result<(), String> {
        if let "*" | "?" | "$" = inside {
            self.literal.push_str(inside);
            return Ok(());
        }
        let wrong = || format!("${{{inside}}}");
        let (key, default) = match inside.split_once(',') {
            None => (inside.trim(), None),
            Some((key, default)) => {
                let default = default.trim();
                let quoted = default.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
                (key.trim(), Some(quoted.ok_or_else(wrong)?.into()))
            }
        };
        if key.is_empty() || key.contains(['$', '{', '*', '?']) {
            return Err(wrong());
        }
        self.token(Token::Variable { key: key.into(), default });
        Ok(())
    }
}

/// An ARN with wildcards. Each of the six parts is matched by itself, so that a wildcard in one cannot reach into the next;
/// parts that are left off fit anything, as AWS completes them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ArnPattern {
    /// `None`: the single `*`.
    parts: Option<Box<[Pattern]>>,
}

impl ArnPattern {
    /// Compiles `text`, which the caller has checked to be `*` or to begin with `arn:`.
    pub(crate) fn compile(text: &str, syntax: Syntax) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self { parts: None });
        }
        let parts = split_outside_variables(text, syntax)
            .map(|part| Pattern::compile(part, syntax, Case::Exact))
            .collect::<Result<Box<[_]>, _>>()?;
        Ok(Self { parts: Some(parts) })
    }

    pub(crate) fn matches(&self, arn: &str, context: &Context<'_>) -> bool {
        let Some(patterns) = &self.parts else { return true };
        // The call touches nothing in particular: only `*` allows that.
        if arn == "*" {
            return false;
        }
        let mut parts = arn.splitn(6, ':');
        patterns.iter().all(|pattern| parts.next().is_some_and(|part| pattern.matches(part, context)))
    }
}

/// At most six parts, at colons that are not inside `${aws:…}`.
fn split_outside_variables(text: &str, syntax: Syntax) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    let mut left = 6;
    std::iter::from_fn(move || {
        let whole = rest?;
        left -= 1;
        let mut inside = false;
        let colon = whole.char_indices().find(|&(at, c)| {
            inside = match c {
                '$' if syntax.variables && whole[at..].starts_with("${") => true,
                '}' => false,
                _ => inside,
            };
            c == ':' && !inside
        });
        match colon {
            Some((at, _)) if left > 0 => {
                rest = Some(&whole[at + 1..]);
                Some(&whole[..at])
            }
            Some(_) | None => {
                rest = None;
                Some(whole)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Syntax = Syntax { wildcards: true, variables: true };

    fn context() -> Context<'static> {
        Context::new().with("aws:username", "ada").with("aws:TagKeys", "a").with("aws:TagKeys", "b").with("x", "*")
    }

    #[test]
    fn wildcards_and_variables_match_as_aws_says() {
        let check = |pattern: &str, text: &str, expected: bool| {
            let compiled = Pattern::compile(pattern, ALL, Case::Exact).expect("compiles");
            assert_eq!(compiled.matches(text, &context()), expected, "{pattern} against {text}");
        };
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("**", "x", true),
            ("a*", "abc", true),
            ("a*", "b", false),
            ("*c", "abc", true),
            ("*c", "abcd", false),
            ("a*c", "ac", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*ab*ab*", "ab", false),
            ("*ab*ab*", "xabyabz", true),
            ("?", "é", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("*?", "", false),
            ("*?", "é", true),
            ("*?é", "aé", true),
            ("A", "a", false),
            ("${aws:username}", "ada", true),
            ("${AWS:UserName}/*", "ada/x", true),
            ("${aws:missing}", "", false),
            ("${aws:missing, 'none'}", "none", true),
            ("${aws:username, 'none'}", "none", false),
            ("${aws:TagKeys}", "a", false),
            ("${x}", "*", true),
            ("${x}", "anything", false),
            ("${*}${?}${$}", "*?$", true),
            ("${*}", "abc", false),
        ] {
            check(pattern, text, expected);
        }
    }

    #[test]
    fn syntax_and_case_are_chosen() {
        let check = |pattern: &str, syntax: Syntax, case: Case, text: &str, expected: bool| {
            let compiled = Pattern::compile(pattern, syntax, case).expect("compiles");
            assert_eq!(compiled.matches(text, &context()), expected, "{pattern} against {text}");
        };
        let plain = Syntax { wildcards: false, variables: false };
        check("a*", plain, Case::Exact, "a*", true);
        check("a*", plain, Case::Exact, "ab", false);
        check("${aws:username}", plain, Case::Exact, "${aws:username}", true);
        check("lambda:Get*", ALL, Case::Folded, "LAMBDA:getFunction", true);
    }

    #[test]
    fn broken_variables_are_told() {
        for text in ["${", "${}", "${a, b}", "${a${b}}"] {
            assert!(Pattern::compile(text, ALL, Case::Exact).is_err(), "{text}");
        }
    }

    #[test]
    fn arns_are_matched_part_by_part() {
        let check = |pattern: &str, arn: &str, expected: bool| {
            let compiled = ArnPattern::compile(pattern, ALL).expect("compiles");
            assert_eq!(compiled.matches(arn, &context()), expected, "{pattern} against {arn}");
        };
        let greet = "arn:aws:lambda:us-east-1:000000000000:function:greet";
        for (pattern, expected) in [
            ("*", true),
            (greet, true),
            ("arn:aws:lambda:*:*:function:*", true),
            ("arn:aws:lambda:us-east-1:000000000000:function:greet:*", false),
            ("arn:aws:lambda:us-*:function:greet", false),
            ("arn:aws:lambda", true),
            ("arn:aws:sqs", false),
            ("arn:*", true),
            ("arn:aws:lambda:*:*:function:g?eet", true),
        ] {
            check(pattern, greet, expected);
        }
        check("arn:aws:s3:::home/${aws:username}/*", "arn:aws:s3:::home/ada/cv.pdf", true);
        check("arn:aws:s3:::home/${aws:username}/*", "arn:aws:s3:::home/bob/cv.pdf", false);
        check("arn:aws:lambda:*:*:*", "*", false);
        check("*", "*", true);
    }

    #[test]
    fn a_hostile_pattern_is_answered_quickly() {
        let pattern = Pattern::compile(&"*a".repeat(500), ALL, Case::Exact).expect("compiles");
        assert!(!pattern.matches(&"a".repeat(499), &Context::new()));
        assert!(!pattern.matches(&("a".repeat(4000) + "b"), &Context::new()));
    }
}
