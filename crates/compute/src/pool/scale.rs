//! When one more instance pays: if those that wait would wait longer for what is there than for a new one.

/// What the decision depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// Started or starting, busy or idle.
    pub(super) live: u32,
    pub(super) starting: u32,
    /// Calls without an instance of their own, those laid ahead of a busy one among them.
    pub(super) waiting: u32,
    /// How long a call takes; unknown until one was measured.
    pub(super) run_ms: Option<f64>,
    /// How long a start takes.
    pub(super) start_ms: f64,
    pub(super) longest_wait_ms: f64,
    /// How many calls ended while the first one waited.
    pub(super) served: u64,
    /// How many calls the processors can really work on at a time, if they have nothing left to give.
    pub(super) saturated: Option<u32>,
}

impl View {
    /// How many instances should be starting that are not.
    pub(super) fn wanted(&self) -> u32 {
        let unserved = self.waiting.saturating_sub(self.starting);
        if unserved == 0 {
            return 0;
        }
        if self.live == 0 {
            return 1;
        }
        let ready = self.live - self.starting;
        if self.served == 0 && self.is_overdue(ready) {
            // Whatever was expected, nothing has come back in the time of a start. As long as none was ever ready, their number
            // doubles: it may be the starts that are slow.
            return if ready > 0 { unserved } else { unserved.min(self.starting) };
        }
        let Some(run_ms) = self.run_ms else {
            return 0;
        };
        if run_ms < self.start_ms && self.saturated.is_some_and(|cores| ready >= cores) {
            // They wait for a processor, and would wait for it together with one more.
            return 0;
        }
        // Those that can be served by what is there within the time of a start need nothing.
        let served = (f64::from(self.live) * self.start_ms / run_ms.max(0.001)).floor();
        (f64::from(self.waiting) - served).clamp(0.0, f64::from(unserved)) as u32
    }

    fn is_overdue(&self, ready: u32) -> bool {
        let patience = if ready > 0 { self.start_ms } else { 2.0 * self.start_ms };
        self.longest_wait_ms > patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_started_when_waiting_costs_more() {
        let view = |live, starting, waiting, run_ms, longest_wait_ms, served| View {
            live,
            starting,
            waiting,
            run_ms,
            start_ms: 80.0,
            longest_wait_ms,
            served,
            saturated: None,
        };
        let saturated = |view: View| View { saturated: Some(2), ..view };
        for (view, expected, why) in [
            (view(0, 0, 1, None, 0.0, 0), 1, "nothing is there"),
            (view(0, 0, 100, None, 0.0, 0), 1, "a burst on a cold function starts one and sees"),
            (view(1, 1, 100, None, 50.0, 0), 0, "the first is still starting"),
            (view(1, 1, 100, None, 200.0, 0), 1, "which takes long: one more"),
            (view(2, 2, 100, None, 200.0, 0), 2, "and two more"),
            (view(1, 0, 31, Some(0.05), 1.0, 9), 0, "a burst of short calls"),
            (view(1, 0, 255, Some(0.05), 200.0, 900), 0, "many short calls, which get on"),
            (view(1, 0, 255, Some(0.05), 200.0, 0), 255, "short until now, and now nothing comes back"),
            (view(1, 0, 1, Some(200.0), 0.0, 0), 1, "one long call ahead"),
            (view(1, 1, 1, Some(200.0), 0.0, 0), 0, "and the start for it is under way"),
            (view(2, 0, 10, Some(40.0), 0.0, 0), 6, "four of ten are served within the time of a start"),
            (view(1, 0, 99, None, 100.0, 0), 99, "they have waited longer than a start takes"),
            (view(5, 4, 99, None, 100.0, 0), 95, "and some starts are under way"),
            (saturated(view(2, 0, 10, Some(40.0), 0.0, 3)), 0, "there is no processor for one more"),
            (saturated(view(1, 0, 10, Some(40.0), 0.0, 3)), 8, "there is a processor for one more"),
            (saturated(view(2, 0, 10, Some(400.0), 0.0, 3)), 10, "long calls mostly wait for something else"),
        ] {
            assert_eq!(view.wanted(), expected, "{why}: {view:?}");
        }
    }
}
