//! Calls laid ahead of a busy instance: where calls are short, it finds its next one without being woken for it.
//!
//! A call that is laid ahead has not begun, and can be taken back as long as the guest has not read it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::Waiter;
use crate::guest::feed::{AHEAD_MAX, Feed, PACKET_BYTES};
use crate::guest::frames;
use crate::invocation::Invocation;

/// One instance's way, and what lies on it. Its pool has it while the instance is busy, and the instance while it is idle.
pub(crate) struct Lane {
    feed: Arc<Feed>,
    ahead: VecDeque<Waiter>,
    /// Since when the instance works on its present call.
    pub(super) since: Instant,
    /// Whether anything may follow the present call before it is answered.
    open: bool,
}

impl Lane {
    /// An empty one.
    pub(crate) fn new(feed: Arc<Feed>) -> Self {
        Self { feed, ahead: VecDeque::new(), since: Instant::now(), open: false }
    }

    /// True if this is the lane that events go by.
    pub(super) fn is(&self, feed: &Arc<Feed>) -> bool {
        Arc::ptr_eq(&self.feed, feed)
    }

    /// The instance begins a call that was just sent. Nothing can be laid behind one that is longer than a packet: the end of it may
    /// still have to be sent.
    pub(super) fn begin(&mut self, invocation: &Invocation, loud: bool) {
        self.since = Instant::now();
        self.open = !loud && fits(invocation);
    }

    /// How many calls lie ahead.
    pub(super) fn len(&self) -> usize {
        self.ahead.len()
    }

    /// Since when the first of them waits.
    pub(super) fn first(&self) -> Option<&Waiter> {
        self.ahead.front()
    }

    /// True if one more may be laid ahead.
    pub(super) fn has_room(&self) -> bool {
        self.open && self.ahead.len() < AHEAD_MAX
    }

    /// Lays a call ahead; gives it back if it could not be.
    pub(super) fn lay(&mut self, waiter: Waiter, deadline_ms: i64) -> Result<(), Waiter> {
        let invocation = &waiter.invocation;
        if !self.feed.lay(&frames::invoke(invocation, deadline_ms), &invocation.payload) {
            return Err(waiter);
        }
        self.ahead.push_back(waiter);
        Ok(())
    }

    /// The call that the instance begins now by itself.
    pub(super) fn next(&mut self, loud: bool) -> Option<Waiter> {
        let waiter = self.ahead.pop_front()?;
        self.since = Instant::now();
        // What prints past its channel is told apart by time alone: nothing more is laid ahead.
        self.open = !loud;
        Some(waiter)
    }

    /// Takes back what the guest has not read, the first one first. Nothing more is laid ahead during the present call.
    pub(super) fn take_back(&mut self) -> VecDeque<Waiter> {
        self.open = false;
        let count = self.feed.take_back(self.ahead.len());
        self.ahead.split_off(self.ahead.len() - count)
    }

    /// Takes back everything, because the guest ends: whatever it has read, it has not begun.
    pub(super) fn clear(&mut self) -> VecDeque<Waiter> {
        std::mem::take(&mut self.ahead)
    }
}

/// Whether an event may be laid ahead.
pub(super) fn fits(invocation: &Invocation) -> bool {
    frames::invoke_bytes(invocation) <= PACKET_BYTES
}
