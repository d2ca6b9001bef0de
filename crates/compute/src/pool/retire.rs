//! What becomes of instances that have nothing to do: they are frozen, kept while somebody is expected to call, and end.

use std::sync::Arc;
use std::time::Duration;

use super::Pool;
use crate::image::Image;
use crate::instance::{Instance, Origin};
use crate::shared::Shared;

/// An instance without work for that long is frozen: until then its function may finish what it left behind. On Lambda it is frozen at
/// once; here that would cost who calls it again and again the thawing each time.
const FREEZE_AFTER: Duration = Duration::from_millis(500);

impl Pool {
    /// Idle instances end; busy ones will.
    pub(crate) fn retire(&self) {
        let idle = {
            let mut state = self.lock();
            state.retired = true;
            state.provision.clear();
            self.tally.remember(state.called, &state.arrivals);
            std::mem::take(&mut state.idle)
        };
        drop(idle);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.lock().retired
    }

    /// Freezes what has had nothing to do for long enough. True if there is something that soon will have.
    pub(crate) fn freeze(&self) -> bool {
        let state = self.lock();
        let now = state.clock.elapsed();
        let mut awake = false;
        for idle in &state.idle {
            match now.saturating_sub(idle.idle_since()) >= FREEZE_AFTER {
                true => idle.freeze(),
                false => awake = true,
            }
        }
        awake
    }

    /// Ends what is not expected to be needed; `usual` is how long instances stay where nothing is known.
    pub(crate) fn tidy(&self, usual: Duration) {
        let unneeded: Vec<Box<Instance>> = {
            let mut state = self.lock();
            self.tally.remember(state.called, &state.arrivals);
            let windows = state.arrivals.windows(usual);
            let now = state.clock.elapsed();
            let quiet = now.saturating_sub(state.active());
            let is_over = quiet > windows.keep || (quiet > windows.leave && quiet < windows.warm);
            let (unneeded, idle) = std::mem::take(&mut state.idle).into_iter().partition(|idle| {
                let is_over = is_over || now.saturating_sub(idle.idle_since()) > windows.keep;
                idle.is_old(now) || idle.has_ended() || (is_over && idle.origin() == Origin::OnDemand)
            });
            state.idle = idle;
            unneeded
        };
        // Out of the lock: their seats come back here.
        drop(unneeded);
    }

    /// Starts an instance if there is none and a call is expected soon: once, whatever becomes of it.
    pub(crate) fn warm(self: &Arc<Self>, shared: &Arc<Shared>, image: &Arc<Image>) {
        if !shared.has_room(image.memory_mb) {
            return;
        }
        let counted = {
            let mut state = self.lock();
            let windows = state.arrivals.windows(shared.options.keep_alive);
            let active = state.active();
            let quiet = state.clock.elapsed().saturating_sub(active);
            let is_soon = windows.leave < windows.warm && quiet >= windows.warm && quiet < windows.keep;
            let is_expected = is_soon && state.live == 0 && !state.retired;
            if !is_expected || state.warmed.replace(active) == Some(active) {
                return;
            }
            self.count(&mut state, shared, 1, Origin::OnDemand)
        };
        self.start(shared, image, counted);
    }

    /// Since when its idle instances are idle that may be ended to make room, the longest first.
    pub(crate) fn idle_times(&self) -> Vec<Duration> {
        let state = self.lock();
        state.idle.iter().filter(|idle| idle.origin() == Origin::OnDemand).map(|idle| idle.idle_since()).collect()
    }

    /// The longest idle of those.
    pub(crate) fn take_oldest(&self) -> Option<Box<Instance>> {
        let mut state = self.lock();
        let at = state.idle.iter().position(|idle| idle.origin() == Origin::OnDemand)?;
        Some(state.idle.remove(at))
    }

    /// An instance's seat is free again.
    pub(crate) fn left(&self, origin: Origin) {
        let mut state = self.lock();
        state.live -= 1;
        state.provision.left(origin);
    }
}
