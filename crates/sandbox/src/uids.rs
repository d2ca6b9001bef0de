//! The user ids that guests of a node running as root have on the host: of all guests that live, no two have one id.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// Far above what systems, users and containers use.
const FIRST: u32 = 1_900_000_000;
/// How many there are: more than guests at a time by far, so that an id rests long before it is somebody's again.
const COUNT: u32 = 1 << 24;

/// All ids, and who has which.
#[derive(Debug)]
pub(crate) struct Uids {
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    next: u32,
    live: HashSet<u32>,
}

/// An id that is one guest's until this is dropped.
#[derive(Debug)]
pub(crate) struct Uid {
    id: u32,
    of: Arc<Uids>,
}

impl Uids {
    /// Nodes on one machine begin at different places, so that their ids meet late if ever.
    pub(crate) fn new(node: u32) -> Arc<Self> {
        Arc::new(Self { taken: Mutex::new(Taken { next: node.wrapping_mul(4096) % COUNT, live: HashSet::new() }) })
    }

    /// The next that is free.
    pub(crate) fn take(self: &Arc<Self>) -> Uid {
        let mut taken = self.taken.lock().expect("nothing panics while it holds this lock");
        // Ends: so many guests are on no machine.
        loop {
            let id = FIRST + taken.next;
            taken.next = (taken.next + 1) % COUNT;
            if taken.live.insert(id) {
                return Uid { id, of: Arc::clone(self) };
            }
        }
    }
}

impl Uid {
    pub(crate) fn id(&self) -> u32 {
        self.id
    }
}

impl Drop for Uid {
    fn drop(&mut self) {
        self.of.taken.lock().expect("nothing panics while it holds this lock").live.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_guests_while_it_lives() {
        // Two before the end of the range, so that it begins again.
        let uids = Uids::new(0);
        uids.taken.lock().unwrap().next = COUNT - 2;
        let long = uids.take();
        let gone = uids.take().id();
        let first = uids.take();
        assert_eq!((long.id(), gone, first.id()), (FIRST + COUNT - 2, FIRST + COUNT - 1, FIRST));
        uids.taken.lock().unwrap().next = COUNT - 2;
        // Whoever lives keeps its id, whoever is gone leaves it.
        let next = uids.take();
        assert_eq!(next.id(), gone);
        assert_eq!(uids.take().id(), FIRST + 1);
    }

    #[test]
    fn nodes_begin_apart() {
        let mut seen = HashSet::new();
        for node in 1..4096 {
            let uid = Uids::new(node).take();
            assert!(seen.insert(uid.id()) && (FIRST..FIRST + COUNT).contains(&uid.id()), "{node}");
        }
    }
}
