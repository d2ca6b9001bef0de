//! What a person reads when a command did not do what they asked: what is wrong, what there is to see, and what to do
//! now. Not a log line, and never a debug dump.

use std::fmt;
use std::process::ExitCode;

use crate::screen::Look;

/// How a command ended, for the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// It was understood, and it failed.
    Failed,
    /// The command line itself is wrong; nothing was tried.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Failed => Self::FAILURE,
            Exit::Usage => Self::from(2),
        }
    }
}

/// Why a command ended early.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    exit: Exit,
    /// One sentence. Empty: whoever made this has said everything already.
    what: String,
    shown: Vec<String>,
    advice: Option<String>,
}

impl Problem {
    /// It was tried, and it failed.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, what: what.into(), shown: Vec::new(), advice: None }
    }

    /// What was typed makes no sense; nothing was tried.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(what) }
    }

    /// The reader of our output has gone away (`freehold logs | head`): not worth a word.
    pub(crate) fn reader_gone() -> Self {
        Self { exit: Exit::Done, ..Self::new("") }
    }

    /// What to do now.
    #[must_use]
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Lines that belong to it, as they are: a piece of code, a stack trace.
    #[must_use]
    pub(crate) fn show<S: Into<String>>(mut self, lines: impl IntoIterator<Item = S>) -> Self {
        self.shown.extend(lines.into_iter().map(Into::into));
        self
    }

    /// What the shell is told.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The lines for standard error; empty if there is nothing to say.
    pub(crate) fn render(&self, look: &Look) -> String {
        if self.what.is_empty() {
            return String::new();
        }
        let mut text = format!("{} {}\n", look.bad("error:"), look.clean(&self.what));
        for line in &self.shown {
            text.push_str(&format!("    {}\n", look.clean(line)));
        }
        for line in self.advice.iter().flat_map(|advice| advice.lines()) {
            text.push_str(&format!("  {line}\n"));
        }
        text
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.advice.iter().try_for_each(|advice| write!(f, " {}", advice.replace('\n', " ")))
    }
}

impl std::error::Error for Problem {}

/// Writing to the screen failed.
impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::reader_gone();
        }
        Self::new(format!("Writing the output failed: {error}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_and_what_to_do() {
        let problem = Problem::new("The payload is not JSON.").show(["{oops}", " ^"]).advise("Quote it.\nOr use -f.");
        assert_eq!(
            problem.render(&Look::plain()),
            "error: The payload is not JSON.\n    {oops}\n     ^\n  Quote it.\n  Or use -f.\n"
        );
        assert_eq!(problem.to_string(), "The payload is not JSON. Quote it. Or use -f.");
        assert!(problem.render(&Look::colourful()).starts_with("\u{1b}[1;31merror:\u{1b}[0m The"));
        let hostile = Problem::new("\u{1b}[2J").show(["\u{7}"]).render(&Look::colourful());
        assert!(hostile.ends_with(" \\u{1b}[2J\n    \\u{7}\n"), "{hostile}");
    }

    #[test]
    fn a_closed_pipe_is_no_problem() {
        let problem = Problem::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!((problem.exit(), problem.render(&Look::plain())), (Exit::Done, String::new()));
    }
}
