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
    ahead: VecDeque<Laid>,
    /// Since when the instance works on its present call.
    pub(super) since: Instant,
    /// Whether anything may follow the present call before it is answered.
    open: bool,
}

/// A call that lies ahead, and the bytes that it takes there.
struct Laid {
    waiter: Waiter,
    bytes: usize,
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

    /// The instance begins a call that is sent now. Nothing can be laid behind one that is longer than a packet: the end of it may
    /// still have to be sent; nor behind one that is to be `alone`.
    pub(super) fn begin(&mut self, invocation: &Invocation, alone: bool) {
        self.since = Instant::now();
        self.open = !alone && fits(invocation);
    }

    /// How many calls lie ahead.
    pub(super) fn len(&self) -> usize {
        self.ahead.len()
    }

    /// Since when the first of them waits.
    pub(super) fn first(&self) -> Option<&Waiter> {
        self.ahead.front().map(|laid| &laid.waiter)
    }

    /// True if one more may be laid ahead.
    pub(super) fn has_room(&self) -> bool {
        self.open && self.ahead.len() < AHEAD_MAX
    }

    /// Lays a call ahead; gives it back if it could not be.
    pub(super) fn lay(&mut self, waiter: Waiter, deadline_ms: i64) -> Result<(), Waiter> {
        let invocation = &waiter.invocation;
        let head = frames::invoke(invocation, deadline_ms);
        let bytes = head.len() + invocation.payload.len();
        if !self.feed.lay(&head, &invocation.payload) {
            return Err(waiter);
        }
        self.ahead.push_back(Laid { waiter, bytes });
        Ok(())
    }

    /// The call that the instance begins now by itself. Nothing is laid behind one that is to be `alone`: what prints past its
    /// channel is told apart by time, and who is old takes nothing new.
    pub(super) fn next(&mut self, alone: bool) -> Option<Waiter> {
        let Laid { waiter, .. } = self.ahead.pop_front()?;
        self.since = Instant::now();
        self.open = !alone;
        Some(waiter)
    }

    /// Takes back what the guest has not read, the first one first. Nothing more is laid ahead during the present call.
    ///
    /// Nothing comes back while the present call itself lies there unread: it would come first.
    pub(super) fn take_back(&mut self) -> VecDeque<Waiter> {
        self.open = false;
        if self.feed.unread_bytes() > self.ahead.iter().map(|laid| laid.bytes).sum() {
            return VecDeque::new();
        }
        let (ahead, mut back) = (&mut self.ahead, VecDeque::new());
        self.feed.take_back(ahead.len(), |packet| {
            let id = frames::invoked(packet);
            let at = ahead.iter().position(|laid| id == Some(&laid.waiter.invocation.request_id));
            back.extend(at.and_then(|at| ahead.remove(at)).map(|laid| laid.waiter));
        });
        back
    }

    /// Takes back everything, because the guest ends: whatever it has read, it has not begun.
    pub(super) fn clear(&mut self) -> VecDeque<Waiter> {
        self.ahead.drain(..).map(|laid| laid.waiter).collect()
    }
}

/// Whether an event may be laid ahead.
pub(super) fn fits(invocation: &Invocation) -> bool {
    frames::invoke_bytes(invocation) <= PACKET_BYTES
}
