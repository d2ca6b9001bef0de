//! How many calls run at once. Whoever comes when it is full is refused at once: a queue here would only hide the load, and hold
//! memory while its callers give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use contract::{Cause, Fault};

/// What a node takes on at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Calls from outside that run at once. Default: 4,096, each of which may hold a body and a task.
    pub calls_max: usize,
    /// Calls from inside that run at once beyond those, so that a node full of outside calls can still finish them. Default: 1,024.
    pub inner_calls_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { calls_max: 4096, inner_calls_max: 1024 }
    }
}

#[derive(Debug)]
pub(crate) struct Admission {
    running: Arc<AtomicUsize>,
    limits: Limits,
}

/// The right to run; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { running: Arc::default(), limits }
    }

    /// Lets a call in, or refuses it. `hops` is zero for a call from outside.
    pub(crate) fn admit(&self, hops: u8) -> Result<Permit, Fault> {
        let limit = match hops {
            0 => self.limits.calls_max,
            _ => self.limits.calls_max.saturating_add(self.limits.inner_calls_max),
        };
        if self.running.fetch_add(1, Ordering::Relaxed) >= limit {
            self.running.fetch_sub(1, Ordering::Relaxed);
            return Err(full(limit));
        }
        Ok(Permit(Arc::clone(&self.running)))
    }

    pub(crate) fn running(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.running)
    }
}

fn full(limit: usize) -> Fault {
    let message =
        format!("Rate exceeded: this node runs {limit} calls at once, and all are taken. Try again in a second.");
    let mut fault = Fault::new(Cause::Throttled, "ThrottlingException", message).with("Retry-After", "1");
    fault.status = Some(429);
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_calls_leave_room_for_inside_ones() {
        let admission = Admission::new(Limits { calls_max: 2, inner_calls_max: 1 });
        let first = admission.admit(0).expect("room");
        let _second = admission.admit(0).expect("room");
        assert_eq!(admission.admit(0).expect_err("full").code, "ThrottlingException");
        let inner = admission.admit(1).expect("room for an inner call");
        assert!(admission.admit(1).is_err());
        drop(inner);
        drop(first);
        assert!(admission.admit(0).is_ok());
    }
}
