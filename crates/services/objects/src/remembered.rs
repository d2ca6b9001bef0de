//! What was worked out once and is asked for again and again. Bounded: what is full forgets everything and begins anew, for whoever asks
//! works it out again.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values that were worked out, by what they are of.
pub(crate) struct Remembered<K, V> {
    held: Mutex<Held<K, V>>,
    weight_max: usize,
}

struct Held<K, V> {
    values: HashMap<K, (V, usize)>,
    weight: usize,
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    /// Nothing yet, and never more than so much.
    pub(crate) fn new(weight_max: usize) -> Self {
        Self { held: Mutex::new(Held { values: HashMap::new(), weight: 0 }), weight_max }
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.lock().values.get(key).map(|(value, _)| value.clone())
    }

    /// Takes the place of what was there. What is too heavy is not remembered.
    pub(crate) fn put(&self, key: K, value: V, weight: usize) {
        let mut held = self.lock();
        let replaced = held.values.remove(&key);
        held.weight -= replaced.as_ref().map_or(0, |(_, freed)| *freed);
        let mut forgotten = HashMap::new();
        if weight <= self.weight_max {
            if held.weight + weight > self.weight_max {
                forgotten = mem::take(&mut held.values);
                held.weight = 0;
            }
            held.weight += weight;
            held.values.insert(key, (value, weight));
        }
        drop(held);
        // To free much takes long, and all others would wait for it.
        drop((replaced, forgotten));
    }

    #[cfg(test)]
    pub(crate) fn weight(&self) -> usize {
        self.lock().weight
    }

    fn lock(&self) -> MutexGuard<'_, Held<K, V>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock};

    use super::*;

    #[test]
    fn what_is_remembered_never_grows_too_heavy() {
        let remembered = Remembered::new(10);
        for (key, value, weight, there) in [
            ("a", 1, 4, &["a"][..]),
            ("b", 2, 4, &["a", "b"]),
            ("a", 3, 6, &["a", "b"]),
            ("c", 4, 1, &["c"]),
            ("d", 5, 11, &["c"]),
            ("c", 6, 11, &[]),
        ] {
            remembered.put(key, value, weight);
            for asked in ["a", "b", "c", "d"] {
                assert_eq!(remembered.get(&asked).is_some(), there.contains(&asked), "{asked} after {key} {weight}");
            }
        }
    }

    #[test]
    fn nobody_waits_while_what_is_forgotten_is_freed() {
        static REMEMBERED: LazyLock<Remembered<u8, Arc<Freed>>> = LazyLock::new(|| Remembered::new(10));
        static WAITED: Mutex<Vec<bool>> = Mutex::new(Vec::new());
        struct Freed;
        impl Drop for Freed {
            fn drop(&mut self) {
                WAITED.lock().expect("nobody panics").push(REMEMBERED.held.try_lock().is_err());
            }
        }
        for (key, weight) in [(1, 5), (2, 5), (2, 5), (3, 1), (4, 11)] {
            REMEMBERED.put(key, Arc::new(Freed), weight);
        }
        // One that was replaced, two that were too many, and one that was too heavy.
        assert_eq!(*WAITED.lock().expect("nobody panics"), [false; 4]);
    }
}
