//! Messages on their way to becoming batches: what fits into one, and when it is due. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Message;

/// The most bytes of one batch: what a function takes, less room for what is around the records.
pub const BATCH_BYTES_MAX: usize = (6 << 20) - (16 << 10);

/// What a batch may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most messages.
    pub messages: usize,
    /// How long a batch waits for more, from its first message on.
    pub window: Duration,
    /// The most bytes of its records.
    pub bytes: usize,
}

/// Messages that were received and are in no batch yet.
#[derive(Debug)]
pub struct Gathering {
    limits: Limits,
    held: VecDeque<Message>,
    bytes: usize,
    since: Option<Duration>,
}

impl Gathering {
    /// Nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, held: VecDeque::new(), bytes: 0, since: None }
    }

    /// Adds a message that came at `now`.
    pub fn add(&mut self, message: Message, now: Duration) {
        self.since.get_or_insert(now);
        self.bytes += message.bytes + 1;
        self.held.push_back(message);
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// How many more messages fit into the batch.
    pub fn room(&self) -> usize {
        match self.bytes < self.limits.bytes {
            true => self.limits.messages.saturating_sub(self.held.len()),
            false => 0,
        }
    }

    /// How long to wait for more; none if the batch is due: full, or its time is over.
    pub fn patience(&self, now: Duration) -> Option<Duration> {
        let since = self.since?;
        let left = (since + self.limits.window).saturating_sub(now);
        (self.room() > 0 && !left.is_zero()).then_some(left)
    }

    /// The batches, in the order in which the messages came. One message alone may be larger than a batch should be.
    pub fn batches(self) -> Vec<Vec<Message>> {
        let mut batches: Vec<Vec<Message>> = Vec::new();
        let mut bytes = 0;
        for message in self.held {
            let size = message.bytes + 1;
            match batches.last_mut() {
                Some(batch) if batch.len() < self.limits.messages && bytes + size <= self.limits.bytes => {
                    bytes += size;
                    batch.push(message);
                }
                _ => {
                    bytes = size;
                    batches.push(vec![message]);
                }
            }
        }
        batches
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn message(id: usize, bytes: usize) -> Message {
        Message { id: id.to_string(), receipt: String::new(), group: None, record: Value::Null, bytes }
    }

    fn limits(messages: usize, window_s: u64, bytes: usize) -> Limits {
        Limits { messages, window: Duration::from_secs(window_s), bytes }
    }

    #[test]
    fn a_batch_is_due_when_it_is_full_or_its_window_is_over() {
        let at = Duration::from_secs;
        let mut gathering = Gathering::new(limits(2, 5, 100));
        assert_eq!((gathering.room(), gathering.patience(at(0))), (2, None));
        gathering.add(message(1, 10), at(10));
        assert_eq!(gathering.patience(at(12)), Some(at(3)));
        assert_eq!(gathering.patience(at(15)), None);
        gathering.add(message(2, 10), at(12));
        assert_eq!((gathering.room(), gathering.patience(at(12))), (0, None));
        let mut heavy = Gathering::new(limits(100, 5, 100));
        heavy.add(message(1, 100), at(0));
        assert_eq!((heavy.room(), heavy.patience(at(0))), (0, None));
        let mut at_once = Gathering::new(limits(10, 0, 100));
        at_once.add(message(1, 1), at(0));
        assert_eq!(at_once.patience(at(0)), None);
    }

    proptest! {
        #[test]
        fn batches_keep_order_and_limits_and_lose_nothing(sizes in prop::collection::vec(1usize..80, 0..60), most in 1usize..12) {
            let mut gathering = Gathering::new(limits(most, 0, 100));
            for (id, bytes) in sizes.iter().enumerate() {
                gathering.add(message(id, *bytes), Duration::ZERO);
            }
            let batches = gathering.batches();
            for batch in &batches {
                prop_assert!((1..=most).contains(&batch.len()));
                prop_assert!(batch.len() == 1 || batch.iter().map(|message| message.bytes + 1).sum::<usize>() <= 100);
            }
            let ids: Vec<usize> = batches.iter().flatten().filter_map(|message| message.id.parse().ok()).collect();
            prop_assert_eq!(ids, (0..sizes.len()).collect::<Vec<_>>());
        }
    }
}
