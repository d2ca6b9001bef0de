//! Chance, handed in. [`Random::system`] is fit for secrets; [`Random::seeded`] replays, and is for tests only.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use uuid::Uuid;

/// A source of randomness. Cheap to clone; clones of a seeded source share one sequence.
#[derive(Clone, Debug)]
pub struct Random(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Seeded(Arc<Mutex<u64>>),
}

thread_local! {
    static STOCK: RefCell<Stock> = const { RefCell::new(Stock { bytes: [0; Stock::BYTES], used: Stock::BYTES }) };
}

/// Randomness fetched ahead: each call of the system costs as much for 16 bytes as for some hundred, and every request draws
/// several ids. What was handed out is wiped, so that nobody finds a secret here.
struct Stock {
    bytes: [u8; Self::BYTES],
    used: usize,
}

impl Stock {
    const BYTES: usize = 512;

    fn fill(&mut self, wanted: &mut [u8]) {
        let fetch = |bytes: &mut [u8]| {
            getrandom::fill(bytes).expect("the operating system gives randomness, or nothing here is safe");
        };
        if wanted.len() > Self::BYTES / 4 {
            return fetch(wanted);
        }
        if wanted.len() > Self::BYTES - self.used {
            fetch(&mut self.bytes);
            self.used = 0;
        }
        let taken = &mut self.bytes[self.used..][..wanted.len()];
        wanted.copy_from_slice(taken);
        taken.fill(0);
        self.used += wanted.len();
    }
}

impl Random {
    /// The operating system's generator. The crypto library has one as well, which gathers noise for 40 ms when it is first asked.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A sequence that the seed decides (splitmix64). Not for secrets.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Mutex::new(seed))))
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        match &self.0 {
            Source::System => STOCK.with_borrow_mut(|stock| stock.fill(bytes)),
            Source::Seeded(state) => {
                let mut state = state.lock().expect("nothing panics while it holds this lock");
                for chunk in bytes.chunks_mut(8) {
                    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                    let mut z = *state;
                    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                    chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
                }
            }
        }
    }

    /// Any 64 bits.
    pub fn u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Evenly from `0..bound`; 0 where `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        // The product's high half: the bias is under 2⁻³² for every bound that we use.
        ((u128::from(self.u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A version 4 UUID, the form of AWS's request ids.
    pub fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// `length` characters of `alphabet`, each as likely as the others.
    pub fn text(&self, alphabet: &str, length: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| letters[self.below(letters.len() as u64) as usize]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays() {
        let (one, two) = (Random::seeded(7), Random::seeded(7));
        assert_eq!(one.uuid(), two.uuid());
        assert_eq!(one.text("abc", 40), two.text("abc", 40));
        assert_ne!(one.u64(), one.u64());
    }

    #[test]
    fn what_is_drawn_never_repeats() {
        let random = Random::system();
        let mut seen = std::collections::HashSet::new();
        assert!((0..1000).all(|_| seen.insert(random.uuid())));
        let mut long = [0; 4096];
        random.fill(&mut long);
        assert!(long.chunks(16).all(|chunk| chunk != [0; 16]));
    }

    #[test]
    fn below_stays_below() {
        let random = Random::system();
        for bound in [0, 1, 2, 1000] {
            assert!((0..1000).all(|_| random.below(bound) < bound.max(1)));
        }
    }
}
