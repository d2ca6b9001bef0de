//! How long to wait before the next try.

use std::time::Duration;

use crate::Random;

/// Exponential back-off with full jitter: the n-th wait is drawn evenly from zero to `first × 2ⁿ`, at most `longest`.
/// Full jitter spreads a crowd of retries best.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    tries: u32,
}

impl Backoff {
    /// The first wait is at most `first`, every wait at most `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, tries: 0 }
    }

    /// One that has handed out so many waits already: for who keeps the count elsewhere.
    #[must_use]
    pub fn resumed(self, tries: u32) -> Self {
        Self { tries, ..self }
    }

    /// The next wait.
    pub fn next(&mut self, random: &Random) -> Duration {
        let ceiling = self.first.saturating_mul(1u32.checked_shl(self.tries).unwrap_or(u32::MAX)).min(self.longest);
        self.tries = self.tries.saturating_add(1);
        Duration::from_nanos(random.below(u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How many waits were handed out.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// Starts anew, after a success.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_no_further() {
        let random = Random::seeded(1);
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
        let waits: Vec<Duration> = (0..100).map(|_| backoff.next(&random)).collect();
        assert!(waits[0] <= Duration::from_millis(10));
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(1)));
        assert!(waits[10..].iter().any(|wait| *wait > Duration::from_millis(500)));
    }
}
