//! How a function's log is written: text as it comes, or JSON records, of which those below a level are left out.
//!
//! What runs in a guest is told by variables, and writes records itself where it can. What it prints is not rewritten: a line that is
//! a JSON object has the level that it says, INFO if it says none, and is left out if that is below the function's. A line that is
//! none is kept, whatever the level is: what a dying program says last is worth more than quiet.

use std::borrow::Cow;

/// How a function's log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines as they come, and the platform's as people read them.
    #[default]
    Text,
    /// One object per line.
    Json {
        /// The least level of the function's own lines.
        application: LogLevel,
        /// The least level of the platform's lines.
        system: LogLevel,
    },
}

/// How much a line matters, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Each step.
    Trace,
    /// For whoever looks for a mistake.
    Debug,
    /// What happens as it should.
    Info,
    /// What may become a mistake.
    Warn,
    /// What went wrong.
    Error,
    /// What ends the program.
    Fatal,
}

const NAMES: [(&str, LogLevel); 8] = [
    ("TRACE", LogLevel::Trace),
    ("DEBUG", LogLevel::Debug),
    ("INFO", LogLevel::Info),
    ("WARN", LogLevel::Warn),
    ("ERROR", LogLevel::Error),
    ("FATAL", LogLevel::Fatal),
    // Python's words for two of them.
    ("WARNING", LogLevel::Warn),
    ("CRITICAL", LogLevel::Fatal),
];

impl LogLevel {
    /// The level of that name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, level)| *level)
    }

    /// As AWS writes it.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, level)| *level == self).expect("every level is in the table").0
    }
}

impl LogFormat {
    /// Whether a line of the function's own is kept.
    pub(crate) fn keeps(self, line: &str) -> bool {
        match self {
            // What is kept in any case is not looked at.
            Self::Text | Self::Json { application: LogLevel::Trace, .. } => true,
            Self::Json { application, .. } => !line.starts_with('{') || level_of(line) >= application,
        }
    }

    /// Whether what the platform itself says at a level is kept.
    pub(crate) fn keeps_of_platform(self, level: LogLevel) -> bool {
        match self {
            Self::Text => true,
            Self::Json { system, .. } => level >= system,
        }
    }
}

/// The level that a line says of itself. What is no object is more than any level.
fn level_of(line: &str) -> LogLevel {
    #[derive(serde::Deserialize)]
    struct Said<'a> {
        #[serde(borrow, default)]
        level: Option<Level<'a>>,
    }
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Level<'a> {
        Name(#[serde(borrow)] Cow<'a, str>),
        Other(serde::de::IgnoredAny),
    }
    match serde_json::from_str::<Said<'_>>(line) {
        Ok(Said { level: Some(Level::Name(name)) }) => LogLevel::parse(&name).unwrap_or(LogLevel::Info),
        Ok(Said { level: Some(Level::Other(_)) | None }) => LogLevel::Info,
        Err(_) => LogLevel::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_below_the_level_are_left_out() {
        let json = |application| LogFormat::Json { application, system: LogLevel::Info };
        for (line, least, expected) in [
            (r#"{"level":"DEBUG"}"#, LogLevel::Trace, true),
            (r#"{"level":"debug","msg":"a"}"#, LogLevel::Info, false),
            (r#"{"msg":"a","level":"Info"}"#, LogLevel::Info, true),
            (r#"{"level":"WARNING"}"#, LogLevel::Error, false),
            (r#"{"level":"CRITICAL"}"#, LogLevel::Fatal, true),
            (r#"{"level":"l\u00e9ger"}"#, LogLevel::Info, true),
            (r#"{"level":30}"#, LogLevel::Warn, false),
            (r#"{"msg":"no level"}"#, LogLevel::Info, true),
            (r#"{"msg":"no level"}"#, LogLevel::Warn, false),
            ("panic: all is lost\n", LogLevel::Fatal, true),
            ("{torn", LogLevel::Fatal, true),
        ] {
            assert_eq!(json(least).keeps(line), expected, "{line} at {least:?}");
        }
        assert!(LogFormat::Text.keeps(r#"{"level":"TRACE"}"#));
    }

    #[test]
    fn levels_have_awss_names() {
        for name in ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] {
            assert_eq!(LogLevel::parse(name).map(LogLevel::name), Some(name));
        }
        assert_eq!(LogLevel::parse("loud"), None);
        assert!(LogLevel::Trace < LogLevel::Debug && LogLevel::Warn < LogLevel::Fatal);
    }
}
