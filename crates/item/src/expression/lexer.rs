//! Text into tokens. Nothing is refused here: what belongs nowhere is a token that the parser stumbles over.

/// One token, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name that is written out.
    Name,
    /// `#name`
    NamePlaceholder,
    /// `:value`
    ValuePlaceholder,
    /// Digits.
    Index,
    And,
    Or,
    Not,
    Between,
    In,
    Set,
    Remove,
    Add,
    Delete,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Open,
    Close,
    OpenIndex,
    CloseIndex,
    Comma,
    Dot,
    Plus,
    Minus,
    /// A character that belongs nowhere.
    Stray,
    End,
}

const KEYWORDS: [(&str, Kind); 9] = [
    ("AND", Kind::And),
    ("OR", Kind::Or),
    ("NOT", Kind::Not),
    ("BETWEEN", Kind::Between),
    ("IN", Kind::In),
    ("SET", Kind::Set),
    ("REMOVE", Kind::Remove),
    ("ADD", Kind::Add),
    ("DELETE", Kind::Delete),
];

/// All tokens, the last of which is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::with_capacity(text.len() / 3 + 1);
    let mut start = 0;
    while let Some(first) = bytes.get(start) {
        if matches!(first, b' ' | b'\t' | b'\r' | b'\n') {
            start += 1;
            continue;
        }
        let (kind, length) = token(&text[start..]);
        tokens.push(Token { kind, start, end: start + length });
        start += length;
    }
    tokens.push(Token { kind: Kind::End, start: text.len(), end: text.len() });
    tokens
}

/// The token at the start of a text, and its bytes.
fn token(text: &str) -> (Kind, usize) {
    let bytes = text.as_bytes();
    let one = |kind| (kind, 1);
    match (bytes[0], bytes.get(1)) {
        (b'a'..=b'z' | b'A'..=b'Z', _) => {
            let word = &text[..word(bytes)];
            let keyword = KEYWORDS.iter().find(|(keyword, _)| word.eq_ignore_ascii_case(keyword));
            (keyword.map_or(Kind::Name, |(_, kind)| *kind), word.len())
        }
        (mark @ (b'#' | b':'), _) => match word(&bytes[1..]) {
            0 => one(Kind::Stray),
            length => (if mark == b'#' { Kind::NamePlaceholder } else { Kind::ValuePlaceholder }, length + 1),
        },
        (b'0', _) => one(Kind::Index),
        (b'1'..=b'9', _) => (Kind::Index, bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()),
        (b'<', Some(b'>')) => (Kind::Unequal, 2),
        (b'<', Some(b'=')) => (Kind::LessOrEqual, 2),
        (b'>', Some(b'=')) => (Kind::GreaterOrEqual, 2),
        (b'<', _) => one(Kind::Less),
        (b'>', _) => one(Kind::Greater),
        (b'=', _) => one(Kind::Equal),
        (b'(', _) => one(Kind::Open),
        (b')', _) => one(Kind::Close),
        (b'[', _) => one(Kind::OpenIndex),
        (b']', _) => one(Kind::CloseIndex),
        (b',', _) => one(Kind::Comma),
        (b'.', _) => one(Kind::Dot),
        (b'+', _) => one(Kind::Plus),
        (b'-', _) => one(Kind::Minus),
        _ => (Kind::Stray, text.chars().next().map_or(1, char::len_utf8)),
    }
}

fn word(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
}
