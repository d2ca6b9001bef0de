//! What a function is called with: checked here, before anything is sent, because a person made it by hand and wants to
//! be shown the place.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::problem::Problem;

/// Lambda's limit for a synchronous call's payload.
const PAYLOAD_BYTES_MAX: usize = 6 << 20;
/// How much of a long line is shown around the fault.
const SHOWN_CHARS_MAX: usize = 60;

/// Where the payload comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nothing was given: `{}`.
    Empty,
    /// On the command line.
    Argument(String),
    /// `-`.
    StandardInput,
    /// `-f FILE`.
    File(PathBuf),
}

impl Source {
    /// From the two ways to write it; clap has refused both at once.
    pub(crate) fn new(argument: Option<&str>, file: Option<&Path>) -> Self {
        match (argument, file) {
            (Some("-"), _) => Self::StandardInput,
            (Some(text), _) => Self::Argument(text.to_owned()),
            (None, Some(path)) if path.as_os_str() == "-" => Self::StandardInput,
            (None, Some(path)) => Self::File(path.to_owned()),
            (None, None) => Self::Empty,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Empty | Self::Argument(_) => "the payload".to_owned(),
            Self::StandardInput => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Reads it all, at most one byte more than the limit.
    fn bytes(&self) -> Result<Vec<u8>, Problem> {
        let read = |mut reader: &mut dyn Read| {
            let mut bytes = Vec::new();
            Read::take(&mut reader, PAYLOAD_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
        };
        match self {
            Self::Empty => Ok(b"{}".to_vec()),
            Self::Argument(text) => Ok(text.clone().into_bytes()),
            Self::StandardInput => read(&mut std::io::stdin().lock())
                .map_err(|error| Problem::new(format!("Reading the payload from standard input failed: {error}."))),
            Self::File(path) => {
                std::fs::File::open(path).and_then(|mut file| read(&mut file)).map_err(|error| unreadable(path, &error))
            }
        }
    }

    /// The payload, as it was written, and sure to be JSON.
    pub(crate) fn load(&self) -> Result<String, Problem> {
        check(&self.name(), self.bytes()?)
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let problem = Problem::usage(format!("The payload file {} cannot be read: {error}.", path.display()));
    match error.kind() {
        std::io::ErrorKind::NotFound => problem.advise("-f wants a file; give JSON itself without -f."),
        _ => problem,
    }
}

/// Refuses what is too large, not text, or not JSON, with the place.
fn check(name: &str, bytes: Vec<u8>) -> Result<String, Problem> {
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(Problem::usage(format!(
            "{name} is larger than {PAYLOAD_BYTES_MAX} bytes (6 MiB), the most that a function can be called with."
        ))
        .advise("Put the data where the function can fetch it, and send the place."));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        Problem::usage(format!("{name} is not text in UTF-8: byte {} is wrong.", error.utf8_error().valid_up_to() + 1))
    })?;
    match serde_json::from_str::<&serde_json::value::RawValue>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(not_json(name, &text, &error)),
    }
}

fn not_json(name: &str, text: &str, error: &serde_json::Error) -> Problem {
    let (line, column) = place(text, error);
    let mut reason = error.to_string();
    if let Some(end) = reason.rfind(" at line ") {
        reason.truncate(end);
    }
    let problem = Problem::usage(format!("{name} is not JSON: {reason} (line {line}, column {column})."));
    let problem = match text.lines().nth(line.saturating_sub(1)) {
        Some(faulty) => problem.show(excerpt(faulty, column)),
        None => problem,
    };
    // A bare word is what remains when the shell has eaten the quotes.
    if serde_json::from_str::<Value>(&format!("\"{text}\"")).is_ok() {
        problem.advise("A string needs double quotes inside the shell's single ones: '\"text\"'.")
    } else {
        problem.advise("Put single quotes around it for the shell, such as '{\"name\": \"Ada\"}', or use -f FILE.")
    }
}

/// Line and column from 1. The parser counts a line's end as column 0 of the next line; a person looks for it where it is.
fn place(text: &str, error: &serde_json::Error) -> (usize, usize) {
    match (error.line(), error.column()) {
        (line, 0) if line > 1 => (line - 1, text.lines().nth(line - 2).map_or(0, str::len) + 1),
        (line, column) => (line, column.max(1)),
    }
}

/// The line around `column` (bytes, from 1), and a mark under the place.
fn excerpt(line: &str, column: usize) -> [String; 2] {
    let place = line.char_indices().take_while(|(at, _)| *at + 1 < column).count();
    let start = place.saturating_sub(SHOWN_CHARS_MAX / 2);
    let shown: String = line
        .chars()
        .skip(start)
        .take(SHOWN_CHARS_MAX)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    [shown, format!("{}^", " ".repeat(place - start))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let check = |argument, file: Option<&str>, expected| {
            assert_eq!(Source::new(argument, file.map(Path::new)), expected);
        };
        check(None, None, Source::Empty);
        check(Some("{}"), None, Source::Argument("{}".to_owned()));
        check(Some("-"), None, Source::StandardInput);
        check(None, Some("-"), Source::StandardInput);
        check(None, Some("a.json"), Source::File("a.json".into()));
    }

    #[test]
    fn what_is_json_stays_as_it_was() {
        for text in ["{}", " {\"a\": 1}\n", "null", "\"text\"", "[1,\n2]", "1e400", "12345678901234567890123"] {
            assert_eq!(check("the payload", text.as_bytes().to_vec()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_not_json_is_shown() {
        let check = |text: &str, expected: &str| {
            let problem = check("the payload", text.as_bytes().to_vec()).unwrap_err();
            assert_eq!(problem.exit(), crate::problem::Exit::Usage);
            let rendered = problem.render(&crate::screen::Look::plain());
            assert!(rendered.starts_with(expected), "{rendered}");
        };
        check(
            "{\"name\":\"Ada\" \"x\":1}",
            "error: the payload is not JSON: expected `,` or `}` (line 1, column 15).\n    {\"name\":\"Ada\" \"x\":1}\n    \x20             ^\n  Put",
        );
        check(
            "{\n  \"ä\": tru\n}",
            "error: the payload is not JSON: expected ident (line 2, column 12).\n      \"ä\": tru\n",
        );
        check(
            "Ada",
            "error: the payload is not JSON: expected value (line 1, column 1).\n    Ada\n    ^\n  A string needs",
        );
        check("", "error: the payload is not JSON: EOF while parsing a value (line 1, column 1).\n");
        check(
            &format!("[{}x]", "1,".repeat(500)),
            "error: the payload is not JSON: expected value (line 1, column 1002).\n    1,1",
        );
    }

    #[test]
    fn what_is_too_large_or_no_text_is_refused() {
        let large = check("big.json", vec![b' '; PAYLOAD_BYTES_MAX + 1]).unwrap_err();
        assert!(large.to_string().starts_with("big.json is larger than 6291456 bytes"), "{large}");
        let binary = check("the payload", vec![b'"', 0xff, b'"']).unwrap_err();
        assert_eq!(binary.to_string(), "the payload is not text in UTF-8: byte 2 is wrong.");
        let missing = Source::File("/no/such/file".into()).load().unwrap_err();
        assert!(missing.to_string().contains("-f wants a file"), "{missing}");
    }
}
