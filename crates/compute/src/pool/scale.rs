//! When one more instance pays: if those that wait would wait longer for what is there than for a new one.

/// What the decision depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// Started or starting, busy or idle.
    pub(super) live: u32,
    pub(super) starting: u32,
    /// How many calls one takes at a time.
    pub(super) each: u32,
    /// Calls without an instance of their own, those laid ahead of a busy one among them.
    pub(super) waiting: u32,
    /// How long a call takes; unknown until one was measured.
    pub(super) run_ms: Option<f64>,
    /// How long a start takes.
    pub(super) start_ms: f64,
    /// How long somebody has waited without a single call coming to its end.
    pub(super) stalled_ms: f64,
    /// How many processors have nothing to do, if that was looked at lately.
    pub(super) idle_cores: Option<f64>,
    pub(super) cores: u32,
}

/// Calls that take less are taken as work for a processor; longer ones mostly wait for something else.
const SHORT_MS: f64 = 10.0;
/// However fast starts are, so long nothing may come back without anything being wrong.
const STALL_MS: f64 = 20.0;

impl View {
    /// How many instances should be starting that are not.
    pub(super) fn wanted(&self) -> u32 {
        let unserved = self.waiting.saturating_sub(self.starting.saturating_mul(self.each)).div_ceil(self.each.max(1));
        if unserved == 0 {
            return 0;
        }
        if self.live == 0 {
            return 1;
        }
        let ready = self.live.saturating_sub(self.starting);
        if self.is_stalled(ready) {
            // Whatever was expected, nothing has come back in the time of a start. As long as none was ever ready, their number
            // doubles: it may be the starts that are slow.
            return if ready > 0 { unserved } else { unserved.min(self.starting) };
        }
        let Some(run_ms) = self.run_ms else {
            return 0;
        };
        // Those that can be served by what is there within the time of a start need nothing.
        let each = f64::from(self.each.max(1));
        let served = (f64::from(self.live) * each * self.start_ms / run_ms.max(0.001)).floor();
        let wanted = ((f64::from(self.waiting) - served) / each).ceil().clamp(0.0, f64::from(unserved)) as u32;
        wanted.min(self.useful(run_ms, ready))
    }

    /// How many more instances would find a processor: others would only make each other wait.
    fn useful(&self, run_ms: f64, ready: u32) -> u32 {
        let idle = self.idle_cores.map(|idle| idle.round() as u32);
        if run_ms < SHORT_MS {
            return idle.unwrap_or(0).saturating_sub(self.starting);
        }
        if idle == Some(0) && ready >= 2 * self.cores { 0 } else { u32::MAX }
    }

    fn is_stalled(&self, ready: u32) -> bool {
        let patience = if ready > 0 { self.start_ms } else { 2.0 * self.start_ms };
        self.stalled_ms > patience.max(STALL_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_started_when_waiting_costs_more() {
        let view = |live, starting, waiting, run_ms, stalled_ms| View {
            live,
            starting,
            each: 1,
            waiting,
            run_ms,
            start_ms: 80.0,
            stalled_ms,
            idle_cores: None,
            cores: 2,
        };
        let each = |each, view: View| View { each, ..view };
        let idle = |cores, view: View| View { idle_cores: Some(cores), ..view };
        for (view, expected, why) in [
            (view(0, 0, 1, None, 0.0), 1, "nothing is there"),
            (view(0, 0, 100, None, 0.0), 1, "a burst on a cold function starts one and sees"),
            (view(1, 1, 100, None, 50.0), 0, "the first is still starting"),
            (view(1, 1, 100, None, 200.0), 1, "which takes long: one more"),
            (view(2, 2, 100, None, 200.0), 2, "and two more"),
            (view(1, 0, 31, Some(0.05), 1.0), 0, "a burst of short calls"),
            (view(1, 0, 255, Some(0.05), 10.0), 0, "many short calls, which get on"),
            (view(1, 0, 255, Some(0.05), 200.0), 255, "short until now, and now nothing comes back"),
            (view(1, 0, 1, Some(200.0), 0.0), 1, "one long call ahead"),
            (view(1, 1, 1, Some(200.0), 0.0), 0, "and the start for it is under way"),
            (view(2, 0, 10, Some(40.0), 0.0), 6, "four of ten are served within the time of a start"),
            (view(1, 0, 99, None, 100.0), 99, "they have waited longer than a start takes"),
            (view(5, 4, 99, None, 100.0), 95, "and some starts are under way"),
            (view(1, 0, 900, Some(1.0), 0.0), 0, "short calls, and nobody knows of a processor for one more"),
            (idle(0.4, view(1, 0, 900, Some(1.0), 0.0)), 0, "there is none"),
            (idle(1.2, view(1, 0, 900, Some(1.0), 0.0)), 1, "there is one"),
            (idle(1.2, view(2, 1, 900, Some(1.0), 0.0)), 0, "which has an instance already that is starting"),
            (idle(0.1, view(3, 0, 10, Some(40.0), 0.0)), 4, "longer calls need not be work for a processor"),
            (idle(0.1, view(4, 0, 10, Some(40.0), 0.0)), 0, "but these are"),
            (idle(1.0, view(4, 0, 10, Some(400.0), 0.0)), 10, "and these are not"),
            (each(80, view(0, 0, 100, None, 0.0)), 1, "the first of those that take many at a time"),
            (each(80, view(1, 1, 80, None, 200.0)), 0, "it takes all that wait"),
            (each(80, view(1, 1, 100, None, 200.0)), 1, "and another one the rest"),
            (each(80, view(1, 0, 100, None, 200.0)), 2, "full, and nothing comes back"),
            (each(8, view(1, 0, 20, Some(160.0), 0.0)), 2, "four of twenty are served within the time of a start"),
        ] {
            assert_eq!(view.wanted(), expected, "{why}: {view:?}");
        }
    }
}
