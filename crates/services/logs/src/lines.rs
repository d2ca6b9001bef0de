//! Events on their way in. Their texts are one piece, so that thousands of short ones are handed on as they came: a function that is
//! called often prints three lines a call.

use crate::model::EVENT_OVERHEAD_BYTES;

/// Events of one stream, each with its time in milliseconds since the epoch and its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    text: String,
    /// For each event its time, and where it ends in the text.
    ends: Vec<(u64, usize)>,
}

impl Lines {
    /// Events whose messages lie one after the other in `text`: for each its time, and where it ends there.
    ///
    /// # Panics
    ///
    /// If an end is not one: past the next, within a character, or the last one before the text's own.
    pub fn of(text: String, ends: impl IntoIterator<Item = (u64, usize)>) -> Self {
        let ends: Vec<(u64, usize)> = ends.into_iter().collect();
        assert!(ends.is_sorted_by_key(|(_, end)| *end), "events follow one another");
        assert!(ends.iter().all(|(_, end)| text.is_char_boundary(*end)), "events end where characters do");
        assert_eq!(ends.last().map_or(0, |(_, end)| *end), text.len(), "all of the text belongs to events");
        Self { text, ends }
    }

    /// Adds an event.
    pub fn push(&mut self, time_ms: u64, message: &str) {
        self.text.push_str(message);
        self.ends.push((time_ms, self.text.len()));
    }

    /// Times and messages.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &str)> {
        let mut start = 0;
        self.ends.iter().map(move |(time_ms, end)| {
            let message = &self.text[start..*end];
            start = *end;
            (*time_ms, message)
        })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// What they count for in limits and queues.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.len() * EVENT_OVERHEAD_BYTES as usize
    }

    /// The same in order of time; what happened at one time stays as it is.
    pub fn in_order(self) -> Self {
        if self.ends.is_sorted_by_key(|(time_ms, _)| *time_ms) {
            return self;
        }
        let mut events: Vec<(u64, &str)> = self.iter().collect();
        events.sort_by_key(|(time_ms, _)| *time_ms);
        events.into_iter().collect()
    }
}

impl<M: AsRef<str>> FromIterator<(u64, M)> for Lines {
    fn from_iter<I: IntoIterator<Item = (u64, M)>>(events: I) -> Self {
        let mut lines = Self::default();
        events.into_iter().for_each(|(time_ms, message)| lines.push(time_ms, message.as_ref()));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_what_was_put_in_and_in_order_of_time() {
        let events = [(3, "three"), (1, ""), (2, "zwölf\n"), (1, "again")];
        let lines = Lines::from_iter(events);
        assert_eq!(lines.iter().collect::<Vec<_>>(), events);
        assert_eq!((lines.len(), lines.bytes()), (4, 17 + 4 * 26));
        assert_eq!(Lines::of("threezwölf\nagain".into(), [(3, 5), (1, 5), (2, 12), (1, 17)]), lines);
        let ordered = lines.in_order();
        assert_eq!(ordered.iter().collect::<Vec<_>>(), [(1, ""), (1, "again"), (2, "zwölf\n"), (3, "three")]);
        assert_eq!(ordered.clone().in_order(), ordered);
        assert!(Lines::default().in_order().is_empty());
    }
}
