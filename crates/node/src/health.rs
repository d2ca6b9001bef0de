//! How the node is, for `/_health`.

use std::sync::atomic::{AtomicBool, Ordering};

use door::{Health, Report};
use serde_json::{Map, Value};

/// Ready from the moment the door opens until the node is told to stop.
#[derive(Debug, Default)]
pub(crate) struct Readiness(AtomicBool);

impl Readiness {
    pub(crate) fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }
}

impl Health for Readiness {
    fn report(&self) -> Report {
        let version = ("version".to_owned(), Value::from(env!("CARGO_PKG_VERSION")));
        Report { ready: self.0.load(Ordering::Acquire), details: Map::from_iter([version]) }
    }
}
