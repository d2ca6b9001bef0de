//! How many connections one client has: nobody may take the places of all others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections by where they come from.
#[derive(Debug)]
pub(crate) struct Crowd {
    max: usize,
    places: Mutex<HashMap<IpAddr, usize>>,
}

/// A place among one client's connections; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place(Option<(Arc<Crowd>, IpAddr)>);

impl Crowd {
    /// At most `max` for each, and at least one.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max: max.max(1), places: Mutex::default() })
    }

    /// A place for one more connection; none if that client has too many. Programs on this machine are not counted: one of them
    /// may speak for everybody, as a proxy does.
    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let from = network(peer);
        if from.is_loopback() {
            return Some(Place(None));
        }
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let count = places.entry(from).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Place(Some((Arc::clone(self), from))))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((crowd, from)) = self.0.take() else { return };
        let mut places = crowd.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = places.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                places.remove(&from);
            }
        }
    }
}

/// An IPv4 address, or the 64 bits of an IPv6 address that are one customer's.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(six) if !six.is_loopback() => {
            let [a, b, c, d, ..] = six.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        known => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_takes_so_many_places_and_no_more() {
        let crowd = Crowd::new(2);
        let peer = |text: &str| text.parse::<IpAddr>().expect("an address");
        let mut held = Vec::new();
        for (from, good) in [
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", true),
            ("192.0.2.1", false),
            ("192.0.2.2", true),
            ("2001:db8::1", true),
            ("2001:db8::2", true),
            ("2001:db8::3", false),
            ("2001:db8:0:1::1", true),
            ("127.0.0.1", true),
            ("127.0.0.1", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("::1", true),
            ("::1", true),
        ] {
            let place = crowd.enter(peer(from));
            assert_eq!(place.is_some(), good, "{from}");
            held.extend(place);
        }
        held.remove(0);
        assert!(crowd.enter(peer("192.0.2.1")).is_some(), "a place was given back");
        held.clear();
        assert!(crowd.places.lock().expect("unpoisoned").is_empty(), "nobody who is gone is remembered");
    }
}
