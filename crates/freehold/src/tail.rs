//! Log events on their way to the screen: reading, telling new ones from those shown already, writing. No input or output.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::screen::Look;

/// Events may arrive this much later than younger ones: every look begins so far before the youngest that was shown.
const LATE_MS_MAX: i64 = 5_000;

/// One log event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// When it was printed, in milliseconds since the epoch.
    pub(crate) time_ms: i64,
    id: String,
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

    /// From what FilterLogEvents answers.
    pub(crate) fn read(group: &str, event: &Value) -> Option<Self> {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Self {
            time_ms: event.get("timestamp")?.as_i64()?,
            id: text("eventId"),
            group: group.to_owned(),
            stream: text("logStreamName"),
            message: text("message"),
        })
    }

    fn source(&self) -> &str {
        Self::function_of(&self.group).unwrap_or(&self.group)
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.time_ms).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// `TIME [NAME] MESSAGE`, with its line's end. On a terminal the time has no date, and the node's own lines are faint.
    pub(crate) fn line(&self, look: &Look, named: bool) -> String {
        let time = if look.terminal {
            self.time().strftime("%H:%M:%S%.3f").to_string()
        } else {
            self.time().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
        };
        let name = if named { format!(" {}", look.tint(self.source())) } else { String::new() };
        let message = clean(self.message.trim_end(), look);
        let message = if self.is_platform() { look.faint(&message) } else { message };
        format!("{}{name} {message}\n", look.faint(&time))
    }

    /// For `--json`.
    pub(crate) fn document(&self) -> Value {
        json!({
            "timestamp": self.time().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            "group": self.group,
            "function": Self::function_of(&self.group),
            "stream": self.stream,
            "message": self.message.trim_end_matches('\n'),
        })
    }

    fn is_platform(&self) -> bool {
        ["START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "INIT_START "]
            .iter()
            .any(|prefix| self.message.starts_with(prefix))
    }
}

/// What a function prints is not trusted with a person's terminal: control characters, which could move the cursor or set
/// its title, are shown and not done. Colours stay.
fn clean(message: &str, look: &Look) -> String {
    if !look.terminal || !message.contains(|letter: char| letter.is_control()) {
        return message.to_owned();
    }
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(letter) = rest.chars().next() {
        let taken = match letter {
            '\u{1b}' => colour_sequence(rest),
            '\n' | '\t' => Some(1),
            _ if letter.is_control() => None,
            _ => Some(letter.len_utf8()),
        };
        match taken {
            Some(bytes) => {
                text.push_str(&rest[..bytes]);
                rest = &rest[bytes..];
            }
            None => {
                text.extend(letter.escape_default());
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    text
}

/// The length of `ESC [ digits and semicolons m`, if `text` begins with one.
fn colour_sequence(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("\u{1b}[")?;
    let end = inner.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
    inner[end..].starts_with('m').then_some(2 + end + 1)
}

/// How far each group has been shown.
#[derive(Debug)]
pub(crate) struct Cursors {
    from_ms: i64,
    groups: HashMap<String, Cursor>,
}

#[derive(Debug, Default)]
struct Cursor {
    youngest_ms: i64,
    /// Shown events that the next look will meet again.
    shown: BTreeSet<(i64, String)>,
}

impl Cursors {
    /// All groups begin there.
    pub(crate) fn from(from_ms: i64) -> Self {
        Self { from_ms, groups: HashMap::new() }
    }

    /// Where the next look at `group` begins.
    pub(crate) fn start(&self, group: &str) -> i64 {
        self.groups.get(group).map_or(self.from_ms, |cursor| (cursor.youngest_ms - LATE_MS_MAX).max(self.from_ms))
    }

    /// Those of `events` that were not shown yet; they count as shown from now on.
    pub(crate) fn take(&mut self, group: &str, events: impl Iterator<Item = Event>) -> Vec<Event> {
        let cursor = self.groups.entry(group.to_owned()).or_default();
        let mut fresh = Vec::new();
        for event in events {
            if cursor.shown.insert((event.time_ms, event.id.clone())) {
                cursor.youngest_ms = cursor.youngest_ms.max(event.time_ms);
                fresh.push(event);
            }
        }
        // What lies before the next look's beginning will not be met again.
        let keep = (cursor.youngest_ms - LATE_MS_MAX, String::new());
        cursor.shown = cursor.shown.split_off(&keep);
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(time_ms: i64, id: &str, message: &str) -> Event {
        let document = json!({ "timestamp": time_ms, "eventId": id, "logStreamName": "s", "message": message });
        Event::read("/aws/lambda/greet", &document).unwrap()
    }

    fn ids(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.id.as_str()).collect()
    }

    #[test]
    fn each_event_is_shown_once_even_if_it_comes_late() {
        let mut cursors = Cursors::from(1_000);
        assert_eq!(cursors.start("g"), 1_000);
        let first = cursors.take("g", [event(2_000, "a", ""), event(9_000, "b", "")].into_iter());
        assert_eq!(ids(&first), ["a", "b"]);
        assert_eq!(cursors.start("g"), 4_000);
        let again = [event(5_000, "late", ""), event(9_000, "b", ""), event(9_000, "c", "")];
        assert_eq!(ids(&cursors.take("g", again.into_iter())), ["late", "c"]);
        assert!(cursors.take("g", [event(9_000, "c", "")].into_iter()).is_empty());
        // Another group has its own place.
        assert_eq!(cursors.start("h"), 1_000);
    }

    #[test]
    fn what_was_shown_is_forgotten_when_it_cannot_come_again() {
        let mut cursors = Cursors::from(0);
        for second in 0..1_000 {
            cursors.take("g", [event(second * 1_000, "x", "")].into_iter());
        }
        assert!(cursors.groups["g"].shown.len() <= 6);
    }

    #[test]
    fn lines_are_for_people_or_for_programs() {
        let printed = event(1_700_000_000_123, "a", "hello\n");
        assert_eq!(printed.line(&Look::plain(), false), "2023-11-14T22:13:20.123Z hello\n");
        assert_eq!(printed.line(&Look::plain(), true), "2023-11-14T22:13:20.123Z greet hello\n");
        assert!(printed.line(&Look::colourful(), false).contains("22:13:20.123\u{1b}[0m hello\n"));
        assert_eq!(printed.document()["function"], "greet");
        assert_eq!(printed.document()["message"], "hello");
        let report = event(0, "r", "REPORT RequestId: 1 Duration: 1 ms");
        assert!(report.line(&Look::colourful(), false).contains("\u{1b}[2mREPORT"));
    }

    #[test]
    fn a_function_cannot_drive_the_terminal() {
        let check = |message: &str, expected: &str| assert_eq!(clean(message, &Look::colourful()), expected);
        check("plain\ttext\nnext", "plain\ttext\nnext");
        check("\u{1b}[31mred\u{1b}[0m", "\u{1b}[31mred\u{1b}[0m");
        check("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}");
        check("\u{1b}[2J\u{1b}[", "\\u{1b}[2J\\u{1b}[");
        check("a\rb", "a\\rb");
        assert_eq!(clean("\u{1b}[2J", &Look::plain()), "\u{1b}[2J", "a pipe gets what was printed");
    }
}
