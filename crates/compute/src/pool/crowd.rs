//! Instances that take several calls at a time: web servers that ask for it.
//!
//! Each call has a berth, which is an instance to it: with a way of its own to the guest, a time limit, its lines in the log and its
//! REPORT. A busy instance with room is taken before an idle one, and the busiest first, so that few are kept. What is one guest's is
//! all its calls': if it dies, all of them fail; if it has too much memory, it ends with all of them. A call that takes too long ends
//! alone: its connection is closed, nothing new is begun on that instance, and it ends when its other calls have.

use std::sync::Arc;
use std::time::Duration;

use super::{Pool, State};
use crate::instance::Instance;
use crate::shared::Shared;

/// A busy instance.
pub(super) struct Crowd {
    instance: Box<Instance>,
    /// Berths that have no call now.
    #[expect(clippy::vec_box, reason = "they are handed on, and a box moves faster than what is in it")]
    spare: Vec<Box<Instance>>,
    busy: u32,
    /// Whether anything new may be begun.
    open: bool,
}

impl Crowd {
    fn has_room(&self, now: Duration) -> bool {
        let is_well = self.open && !self.instance.has_ended() && !self.instance.is_old(now);
        is_well && self.busy < self.instance.image.calls_at_a_time
    }

    fn take(&mut self, shared: &Shared) -> Option<Box<Instance>> {
        let berth = self.spare.pop().or_else(|| self.instance.berth(&shared.monitor))?;
        self.busy += 1;
        Some(berth)
    }
}

impl Pool {
    /// Takes a berth back, or a new instance, and begins whatever can begin now.
    pub(super) fn give_several(self: &Arc<Self>, shared: &Arc<Shared>, instance: Box<Instance>, run: Option<Duration>) {
        let (begun, gone) = {
            let mut state = self.lock();
            if let Some(run) = run {
                state.learn(run);
            }
            let mut gone = match instance.is_berth() {
                true => state.come_back(instance),
                false => {
                    state.settle(instance);
                    None
                }
            };
            let begun = if shared.is_stopping() { Vec::new() } else { state.pair_up(shared) };
            if state.retired || shared.is_stopping() {
                // Who waited was served first.
                gone = gone.or_else(|| state.idle.pop());
            }
            (begun, gone)
        };
        for (answer, attempt) in begun {
            // A caller that went away just now leaves an attempt that finishes by itself.
            drop(answer.send(Ok(attempt)));
        }
        // Out of the lock: its seat comes back here.
        if gone.is_some() {
            drop(gone);
            self.start_wanted(shared);
        }
    }
}

impl State {
    /// Room on a busy instance.
    pub(super) fn take_berth(&mut self, shared: &Shared) -> Option<Box<Instance>> {
        if self.crowds.is_empty() {
            return None;
        }
        let now = self.clock.elapsed();
        let crowd = self.crowds.iter_mut().filter(|crowd| crowd.has_room(now)).max_by_key(|crowd| crowd.busy)?;
        crowd.take(shared)
    }

    /// An idle instance begins to take calls: a berth for the first of them, or the instance itself if it takes one only.
    pub(super) fn crowd(&mut self, shared: &Shared, mut instance: Box<Instance>) -> Box<Instance> {
        let Some(berth) = instance.berth(&shared.monitor) else { return instance };
        instance.thaw();
        self.crowds.push(Crowd { instance, spare: Vec::new(), busy: 1, open: true });
        berth
    }

    /// A call has ended. An instance that is over with that.
    fn come_back(&mut self, berth: Box<Instance>) -> Option<Box<Instance>> {
        let at = self.crowds.iter().position(|crowd| crowd.instance.is_with(&berth));
        let at = at.expect("an instance is kept as long as it has calls");
        let crowd = &mut self.crowds[at];
        crowd.busy -= 1;
        match berth.is_usable() {
            true => crowd.spare.push(berth),
            false => crowd.open = false,
        }
        if crowd.busy > 0 {
            return None;
        }
        let Crowd { instance, open, .. } = self.crowds.swap_remove(at);
        if !open || instance.has_ended() || instance.is_old(self.clock.elapsed()) {
            return Some(instance);
        }
        self.settle(instance);
        None
    }

    /// It has nothing to do now.
    fn settle(&mut self, mut instance: Box<Instance>) {
        instance.rest(self.clock.elapsed());
        self.provision.spare(&mut instance);
        self.idle.push(instance);
    }
}
