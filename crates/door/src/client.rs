//! Who is at the other end of a connection, and what it says of itself with every request.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::listen::Face;

/// A connection's client.
pub(crate) struct Client {
    pub(crate) peer: IpAddr,
    /// Where it came in.
    pub(crate) face: Face,
    /// What it said last: nearly always what it says next, so that nothing is copied.
    last: Mutex<Said>,
}

/// What a client says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Scheme and host, as it wrote them.
    pub(crate) base_url: Arc<str>,
    /// Its `User-Agent`, or empty.
    pub(crate) user_agent: Arc<str>,
}

const SCHEME: &str = "http://";
/// Longer words are not remembered: ten thousand connections may be open.
const REMEMBERED_BYTES_MAX: usize = 512;

impl Client {
    pub(crate) fn new(peer: IpAddr, face: Face) -> Self {
        Self { peer, face, last: Mutex::default() }
    }

    /// Those words, shared with the requests before where they are the same.
    pub(crate) fn said(&self, host: &str, user_agent: &str) -> Said {
        // Requests of one connection may be at work at the same time (HTTP/2), but nobody holds this for long.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.base_url.strip_prefix(SCHEME) == Some(host) && *last.user_agent == *user_agent {
            return last.clone();
        }
        let said = Said { base_url: [SCHEME, host].concat().into(), user_agent: user_agent.into() };
        if host.len() + user_agent.len() <= REMEMBERED_BYTES_MAX {
            last.clone_from(&said);
        }
        said
    }
}

/// The host in a base URL, with its port.
pub(crate) fn host_of(base_url: &str) -> &str {
    base_url.strip_prefix(SCHEME).unwrap_or(base_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_again_is_shared() {
        let client = Client::new([127, 0, 0, 1].into(), Face::Whole);
        let first = client.said("localhost:4566", "curl/8");
        assert_eq!((&*first.base_url, &*first.user_agent), ("http://localhost:4566", "curl/8"));
        assert_eq!(host_of(&first.base_url), "localhost:4566");
        for (host, agent, shared) in [
            ("localhost:4566", "curl/8", true),
            ("localhost:4566", "curl/9", false),
            ("localhost", "curl/9", false),
            ("localhost", "curl/9", true),
            ("localhost", &"x".repeat(600), false),
            ("localhost", &"x".repeat(600), false),
            ("localhost", "curl/9", true),
        ] {
            let before = client.last.lock().expect("unpoisoned").clone();
            let said = client.said(host, agent);
            assert_eq!((host_of(&said.base_url), &*said.user_agent), (host, agent));
            assert_eq!(Arc::ptr_eq(&said.base_url, &before.base_url), shared, "{host} {agent}");
        }
    }
}
