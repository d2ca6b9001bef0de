//! Functions that fail behind their addresses: a line for each where `freehold up` runs, because whoever called the address is told nothing
//! but that it failed, and the author is at this terminal.
//!
//! A function that fails with every request makes one line in a second, which says how many more there were.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base::Clock;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::screen::{Look, Screen};

/// What the node calls these events.
pub(crate) const TARGET: &str = "function_failed";

/// How long a function is silent after a line.
const SILENCE: Duration = Duration::from_secs(1);
/// How many functions are kept in mind.
const FUNCTIONS_MAX: usize = 1_000;
/// The most of an error that a line shows; the log has all of it.
const ERROR_CHARS_MAX: usize = 200;

/// Writes the lines.
pub(crate) struct Failures {
    screen: Screen,
    clock: Clock,
    told: Mutex<HashMap<String, Told>>,
}

/// When a function's last line was, and how often it failed since.
struct Told {
    at: Duration,
    since: u64,
}

/// One failure, as the node tells it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Failure {
    function: String,
    kind: String,
    error: String,
}

impl Failures {
    /// Writes to standard error.
    pub(crate) fn new(screen: Screen, clock: Clock) -> Self {
        Self { screen, clock, told: Mutex::default() }
    }

    /// How many failures a line would stand for beside this one; nothing, if it is too soon for another.
    fn turn(&self, function: &str) -> Option<u64> {
        let now = self.clock.elapsed();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= FUNCTIONS_MAX && !told.contains_key(function) {
            told.retain(|_, told| now.saturating_sub(told.at) < SILENCE);
        }
        let is_full = told.len() >= FUNCTIONS_MAX;
        match told.get_mut(function) {
            Some(before) if now.saturating_sub(before.at) < SILENCE => {
                before.since += 1;
                None
            }
            Some(before) => {
                before.at = now;
                Some(std::mem::take(&mut before.since))
            }
            // A thousand others in one second: this one is not kept in mind, and may be told too often.
            None if is_full => Some(0),
            None => {
                told.insert(function.to_owned(), Told { at: now, since: 0 });
                Some(0)
            }
        }
    }
}

impl<S: Subscriber> Layer<S> for Failures {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut failure = Failure::default();
        event.record(&mut failure);
        if let Some(more) = self.turn(&failure.function) {
            self.screen.say(&failure.line(more, &self.screen.err));
        }
    }
}

impl Failure {
    fn line(&self, more: u64, look: &Look) -> String {
        let Self { function, kind, error } = self;
        let error = error.lines().next().unwrap_or_default();
        let said = match (kind.as_str(), error) {
            ("", "") => "it gave no reason".to_owned(),
            (kind, "") => kind.to_owned(),
            ("", error) => error.to_owned(),
            (kind, error) => format!("{kind}: {error}"),
        };
        let mut shown: String = said.chars().take(ERROR_CHARS_MAX).collect();
        if shown.len() < said.len() {
            shown.push('…');
        }
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        let advice = look.faint(&format!("freehold logs {function}"));
        format!("{} {function} failed: {}{more} · {advice}", look.bad("✗"), look.clean(&shown))
    }
}

impl Visit for Failure {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "function" => value.clone_into(&mut self.function),
            "kind" => value.clone_into(&mut self.kind),
            "error" => value.clone_into(&mut self.error),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_failed_why_and_where_to_look() {
        let line = |kind: &str, error: &str, more| {
            let failure = Failure { function: "greet".into(), kind: kind.into(), error: error.into() };
            failure.line(more, &Look::plain())
        };
        assert_eq!(line("KeyError", "'name'", 0), "✗ greet failed: KeyError: 'name' · freehold logs greet");
        assert_eq!(line("", "boom\n  at x", 0), "✗ greet failed: boom · freehold logs greet");
        assert_eq!(line("Boom", "", 7), "✗ greet failed: Boom (and 7 more) · freehold logs greet");
        assert_eq!(line("", "", 0), "✗ greet failed: it gave no reason · freehold logs greet");
        assert!(line("E", &"é".repeat(500), 0).chars().count() < 250);
    }

    #[test]
    fn a_function_that_always_fails_is_told_once_in_a_second() {
        let (clock, hand) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let failures = Failures::new(Screen::plain(), clock);
        assert_eq!(
            [failures.turn("a"), failures.turn("a"), failures.turn("b"), failures.turn("a")],
            [Some(0), None, Some(0), None]
        );
        hand.advance(SILENCE);
        assert_eq!([failures.turn("a"), failures.turn("a"), failures.turn("b")], [Some(2), None, Some(0)]);
        for number in 0..2 * FUNCTIONS_MAX {
            failures.turn(&format!("f{number}"));
        }
        assert!(failures.told.lock().unwrap().len() <= FUNCTIONS_MAX);
        hand.advance(SILENCE);
        assert_eq!([failures.turn("new"), failures.turn("new")], [Some(0), None], "there is room again");
    }
}
