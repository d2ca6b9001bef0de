//! What can be wrong with a pattern's text, in AWS's words, and where.

use std::fmt;

use thiserror::Error;

/// A text that is no pattern. Its words are AWS's, with the place in the text where AWS says one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    why: Why,
    place: Option<Place>,
}

/// Where in which text reading stopped, both from one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    source: Box<str>,
    line: usize,
    column: usize,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Why {
    #[error("Filter is not an object")]
    NotAnObject,
    #[error("\"{0}\" must be an object or an array")]
    NeitherObjectNorArray(String),
    #[error("Empty objects are not allowed")]
    EmptyObject,
    #[error("Empty arrays are not allowed")]
    EmptyArray,
    #[error("Match value must be String, number, true, false, or null")]
    NotAValue,
    #[error("Match expression name not found")]
    NoMatchName,
    #[error("Unrecognized match type {0}")]
    UnknownMatch(String),
    #[error("Only one key allowed in match expression")]
    MoreThanOneKey,
    #[error("{0} match pattern must be a string")]
    NotText(&'static str),
    #[error("exists match pattern must be either true or false.")]
    NotABoolean,
    #[error("{0} expression name not found")]
    NoInnerName(&'static str),
    #[error("Unsupported {0} pattern: {1}")]
    UnsupportedInner(&'static str, String),
    #[error("Value of anything-but must be an array or single string/number value.")]
    AnythingButValue,
    #[error("Inside anything but list, start|null|boolean is not supported.")]
    AnythingButMember,
    #[error("Inside anything but list, either all values are number or string, mixed type is not supported")]
    AnythingButMixed,
    #[error("Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.")]
    AnythingButFolded,
    #[error("Null prefix/suffix not allowed")]
    EmptyAffix,
    #[error("Value of numeric must be an array.")]
    NumericNotAnArray,
    #[error("Invalid member in numeric match: {0}")]
    NumericMember(String),
    #[error("Unrecognized numeric range operator: {0}")]
    NumericOperator(String),
    #[error("Value of {0} must be numeric")]
    NumericValue(String),
    #[error("Bad value in numeric range: {0}")]
    NumericBadValue(String),
    #[error("Bad numeric range operator: {0}")]
    NumericSecondOperator(String),
    #[error("Too many elements in numeric expression")]
    TooManyElements,
    #[error("Too many terms in numeric range expression")]
    TooManyTerms,
    #[error("Value must be between -5.0E9 and 5.0E9, inclusive")]
    NumberOutOfRange,
    #[error("Bottom must be less than top")]
    EmptyRange,
    #[error("Malformed CIDR, one '/' required")]
    CidrSlash,
    #[error("Malformed CIDR, mask bits must be an integer")]
    CidrMask,
    #[error("Malformed CIDR, mask bits must not be negative")]
    CidrMaskNegative,
    #[error("{family} mask bits must be < {bits}")]
    CidrMaskTooLong { family: &'static str, bits: u8 },
    #[error("Nonstandard IP address: {0}")]
    CidrAddress(String),
    #[error("Consecutive wildcard characters at pos {0}")]
    ConsecutiveWildcards(usize),
    #[error("Invalid escape character at pos {0}")]
    WildcardEscape(usize),
    #[error(
        "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard \
         character"
    )]
    TooComplex,
    #[error("It must be an Array followed with $or.")]
    OrNotAnArray,
    #[error("Only JSON object is allowed in array of $or relationship.")]
    OrMember,
    #[error("There must have at least 2 Objects in $or relationship.")]
    OrTooFew,
    #[error("{0} is Ruler reserved fieldName which cannot be used inside $or.")]
    OrReserved(String),
    #[error("Rule is too complex - its $or relationships make more than {max} combinations")]
    TooManyBranches { max: usize },
    #[error("The pattern is nested more than {max} levels deep")]
    TooDeep { max: usize },
    #[error("The pattern is longer than {max} bytes")]
    TooLong { max: usize },
    #[error("Unexpected end-of-input: the JSON text ends too early")]
    UnexpectedEnd,
    #[error("Unexpected character ('{found}' (code {})): {wanted}", u32::from(*.found))]
    UnexpectedCharacter { found: char, wanted: &'static str },
    #[error(
        "Unrecognized token '{0}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
    )]
    UnknownToken(String),
    #[error(
        "Illegal unquoted character ((CTRL-CHAR, code {0})): has to be escaped using backslash to be included in string value"
    )]
    ControlCharacter(u32),
    #[error("Unrecognized character escape in a string value")]
    StringEscape,
    #[error("The number {0} cannot be read")]
    BadNumber(String),
}

impl Malformed {
    /// The same words without a place, where AWS says none.
    pub(crate) fn anywhere(why: Why) -> Self {
        Self { why, place: None }
    }

    /// At a byte of a text.
    pub(crate) fn at(why: Why, source: &str, byte: usize) -> Self {
        let before = &source.as_bytes()[..byte.min(source.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let column = 1 + String::from_utf8_lossy(&before[start..]).chars().count();
        Self { why, place: Some(Place { source: shown(source).into(), line, column }) }
    }

    /// What is wrong, without the place.
    pub fn why(&self) -> &Why {
        &self.why
    }
}

/// The first 500 characters; what is longer is said, not shown.
fn shown(source: &str) -> String {
    const CHARS_MAX: usize = 500;
    match source.char_indices().nth(CHARS_MAX) {
        None => format!("\"{source}\""),
        Some((end, _)) => {
            format!("\"{}\"[truncated {} chars]", &source[..end], source[end..].chars().count())
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)?;
        match &self.place {
            None => Ok(()),
            Some(Place { source, line, column }) => {
                write!(f, "\n at [Source: (String){source}; line: {line}, column: {column}]")
            }
        }
    }
}

impl std::error::Error for Malformed {}
