//! Log events on their way to the screen. No input or output.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::screen::Look;

/// One log event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// When it was printed, in milliseconds since the epoch.
    pub(crate) time_ms: i64,
    group: String,
    stream: String,
    message: String,
}

impl Event {
    /// Where functions log.
    pub(crate) const FUNCTION_PREFIX: &str = "/aws/lambda/";

    /// The function that a group belongs to, if it is a function's.
    pub(crate) fn function_of(group: &str) -> Option<&str> {
        group.strip_prefix(Self::FUNCTION_PREFIX).filter(|name| !name.is_empty())
    }

    /// From what FilterLogEvents and the node's live logs answer.
    pub(crate) fn read(group: &str, event: &Value) -> Option<Self> {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Self {
            time_ms: event.get("timestamp")?.as_i64()?,
            group: group.to_owned(),
            stream: text("logStreamName"),
            message: text("message"),
        })
    }

    fn source(&self) -> &str {
        self.function().unwrap_or(&self.group)
    }

    /// Who printed it. A function may log to another one's group.
    fn function(&self) -> Option<&str> {
        self.function_of_stream().or_else(|| Self::function_of(&self.group))
    }

    /// In a group that functions share, streams are called `YEAR/MONTH/DAY/FUNCTION[VERSION]DIGITS`.
    fn function_of_stream(&self) -> Option<&str> {
        let (function, _) = self.stream.rsplit('/').next()?.split_once('[')?;
        Some(function).filter(|function| !function.is_empty())
    }

    /// Whether it may be of that function: not if its stream names another one.
    pub(crate) fn may_be_of(&self, function: &str) -> bool {
        self.function_of_stream().is_none_or(|named| named == function)
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.time_ms).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// `TIME [NAME] MESSAGE`, with its line's end. On a terminal the time has no date and stands there once, and the node's
    /// own lines are faint.
    pub(crate) fn line(&self, look: &Look, named: bool) -> String {
        let time = if look.terminal {
            self.time().strftime("%H:%M:%S%.3f").to_string()
        } else {
            self.time().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
        };
        let name = if named { format!(" {}", look.tint(self.source())) } else { String::new() };
        let message = self.message.trim_end();
        let message = if look.terminal { without_head(message) } else { message.into() };
        let message = look.clean(&message);
        let message = if self.is_platform() { look.faint(&message) } else { message };
        format!("{}{name} {message}\n", look.faint(&time))
    }

    /// For `--json`.
    pub(crate) fn document(&self) -> Value {
        json!({
            "timestamp": self.time().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            "group": self.group,
            "function": self.function(),
            "stream": self.stream,
            "message": self.message.trim_end_matches('\n'),
        })
    }

    fn is_platform(&self) -> bool {
        let is_record = self.message.starts_with("{\"time\":\"") && self.message.contains("\"type\":\"platform.");
        let starts = ["START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "INIT_START ", "INIT_REPORT "];
        is_record || starts.iter().any(|start| self.message.starts_with(start))
    }
}

/// Lambda's JavaScript writes `TIME, REQUEST, LEVEL, WORDS` with tabs between. A person sees the time already, and the
/// request in the lines around.
fn without_head(message: &str) -> Cow<'_, str> {
    let mut parts = message.splitn(4, '\t');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(time), Some(_), Some(level), Some(words)) if time.parse::<Timestamp>().is_ok() => {
            format!("{level} {words}").into()
        }
        _ => message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(time_ms: i64, message: &str) -> Event {
        let document = json!({ "timestamp": time_ms, "logStreamName": "s", "message": message });
        Event::read("/aws/lambda/greet", &document).unwrap()
    }

    #[test]
    fn lines_are_for_people_or_for_programs() {
        let printed = event(1_700_000_000_123, "hello\n");
        assert_eq!(printed.line(&Look::plain(), false), "2023-11-14T22:13:20.123Z hello\n");
        assert_eq!(printed.line(&Look::plain(), true), "2023-11-14T22:13:20.123Z greet hello\n");
        assert!(printed.line(&Look::colourful(), false).contains("22:13:20.123\u{1b}[0m hello\n"));
        assert_eq!(printed.document()["function"], "greet");
        assert_eq!(printed.document()["message"], "hello");
        let logged = event(0, "1970-01-01T00:00:00.000Z\t1-2-3\tINFO\tgreeting\tAda\n");
        assert!(logged.line(&Look::colourful(), false).ends_with("\u{1b}[0m INFO greeting\tAda\n"));
        assert!(
            logged.line(&Look::plain(), false).ends_with(" 1970-01-01T00:00:00.000Z\t1-2-3\tINFO\tgreeting\tAda\n")
        );
        let own = event(0, "a\tb\tc\td");
        assert!(own.line(&Look::colourful(), false).ends_with(" a\tb\tc\td\n"), "what only looks like it stays");
        let report = event(0, "REPORT RequestId: 1 Duration: 1 ms");
        assert!(report.line(&Look::colourful(), false).contains("\u{1b}[2mREPORT"));
        let record = event(0, "{\"time\":\"1970-01-01T00:00:00.000Z\",\"type\":\"platform.report\",\"record\":{}}");
        assert!(record.line(&Look::colourful(), false).contains("\u{1b}[2m{\"time\""));
    }

    #[test]
    fn functions_that_share_a_group_are_told_apart_by_their_streams() {
        let in_group = |group: &str, stream: &str| {
            let document = json!({ "timestamp": 0, "logStreamName": stream, "message": "hello\n" });
            Event::read(group, &document).unwrap()
        };
        let of = |stream: &str| in_group("/shop", stream);
        let greet = of("2026/11/21/greet[$LATEST]0123");
        assert!(greet.may_be_of("greet") && !greet.may_be_of("gree"));
        assert!(greet.line(&Look::plain(), true).ends_with("Z greet hello\n"));
        assert_eq!(greet.document()["function"], "greet");
        let unnamed = of("2026/11/21/[$LATEST]0123");
        assert!(unnamed.may_be_of("greet") && unnamed.line(&Look::plain(), true).ends_with("Z /shop hello\n"));
        let guest = in_group("/aws/lambda/greet", "2026/11/21/bill[$LATEST]0123");
        assert!(guest.may_be_of("bill") && !guest.may_be_of("greet"));
        assert!(guest.line(&Look::plain(), true).ends_with("Z bill hello\n"));
        assert_eq!(guest.document()["function"], "bill");
        let own = in_group("/aws/lambda/greet", "2026/11/21/[$LATEST]0123");
        assert!(own.may_be_of("greet") && own.line(&Look::plain(), true).ends_with("Z greet hello\n"));
        assert_eq!(own.document()["function"], "greet");
    }
}
