//! How many batches of a source may be in hand at once. Pure.
//!
//! It starts at five, as on AWS, grows by one with each batch that was handled while more waited (so it doubles with each round),
//! and shrinks when the handler throttles, fails or has nothing to do. It stops growing where more at once makes each slower: on a
//! small machine a thousand at once would only wait for each other while their messages' hiding runs out.

use std::time::Duration;

/// Where it starts, and where idleness takes it back to.
pub const START: usize = 5;
/// AWS's most, where a source names none.
pub const MOST: usize = 1_000;

/// Batches may take so much longer than the fastest lately before more at once is thought to be in each other's way.
const SLOWER_MAX: u32 = 3;
/// What differs by less says nothing.
const NOISE: Duration = Duration::from_millis(20);

/// The number, and what it follows from.
#[derive(Clone, Debug)]
pub struct Scale {
    allowed: usize,
    most: usize,
    fastest: Option<Duration>,
    pressed: bool,
}

impl Scale {
    /// At most `most` at once.
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { allowed: START.min(most), most, fastest: None, pressed: false }
    }

    /// How many may be in hand.
    pub fn allowed(&self) -> usize {
        self.allowed
    }

    /// There was more to do than may be in hand.
    pub fn press(&mut self) {
        self.pressed = true;
    }

    /// A batch was handled, and took so long.
    pub fn done(&mut self, took: Duration) {
        let fastest = match self.fastest {
            Some(fastest) if fastest < took => fastest + (took - fastest) / 64,
            _ => took,
        };
        self.fastest = Some(fastest);
        if std::mem::take(&mut self.pressed) && took <= fastest * SLOWER_MAX + NOISE {
            self.allowed = (self.allowed + 1).min(self.most);
        }
    }

    /// The handler failed.
    pub fn failed(&mut self) {
        let floor = START.min(self.most);
        self.allowed = (self.allowed * 7 / 8).max(floor.min(self.allowed));
    }

    /// The handler had no time.
    pub fn throttled(&mut self) {
        self.allowed = (self.allowed / 2).max(1);
        self.pressed = false;
    }

    /// There was nothing to do for a while.
    pub fn idle(&mut self) {
        let start = START.min(self.most);
        self.allowed = match self.allowed > start {
            true => (self.allowed / 2).max(start),
            false => start,
        };
        self.pressed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_millis(100);

    fn round(scale: &mut Scale, took: Duration) {
        for _ in 0..scale.allowed() {
            scale.press();
            scale.done(took);
        }
    }

    #[test]
    fn a_backlog_doubles_it_with_each_round_up_to_the_most() {
        let mut scale = Scale::new(MOST);
        assert_eq!(scale.allowed(), 5);
        for expected in [10, 20, 40, 80, 160, 320, 640, 1000, 1000] {
            round(&mut scale, FAST);
            assert_eq!(scale.allowed(), expected);
        }
        scale.idle();
        assert_eq!(scale.allowed(), 500);
        (0..10).for_each(|_| scale.idle());
        assert_eq!(scale.allowed(), 5);
    }

    #[test]
    fn without_a_backlog_and_above_the_most_it_does_not_grow() {
        let mut scale = Scale::new(MOST);
        (0..100).for_each(|_| scale.done(FAST));
        assert_eq!(scale.allowed(), 5);
        let mut small = Scale::new(2);
        round(&mut small, FAST);
        assert_eq!(small.allowed(), 2);
    }

    #[test]
    fn it_does_not_grow_where_more_at_once_is_slower() {
        let mut scale = Scale::new(MOST);
        round(&mut scale, FAST);
        round(&mut scale, FAST * 5);
        assert_eq!(scale.allowed(), 10);
    }

    #[test]
    fn throttles_halve_it_and_failures_take_it_back_slowly() {
        let mut scale = Scale::new(MOST);
        (0..4).for_each(|_| round(&mut scale, FAST));
        assert_eq!(scale.allowed(), 80);
        scale.failed();
        assert_eq!(scale.allowed(), 70);
        (0..100).for_each(|_| scale.failed());
        assert_eq!(scale.allowed(), 5);
        (0..5).for_each(|_| scale.throttled());
        assert_eq!(scale.allowed(), 1);
        scale.failed();
        assert_eq!(scale.allowed(), 1);
        scale.idle();
        assert_eq!(scale.allowed(), 5);
    }
}
