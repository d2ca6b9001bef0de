//! Being asked to stop: Ctrl-C, or SIGTERM from whoever supervises us. A terminal that goes away (SIGHUP) stops us too.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::problem::Problem;

/// Listens from when it is made; nothing is lost before the first [`Signals::next`].
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Begins to listen. From now on these signals end nothing by themselves.
    pub(super) fn listen() -> Result<Self, Problem> {
        let listen =
            |kind| signal(kind).map_err(|error| Problem::new(format!("Signals cannot be listened to: {error}.")));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the next request to stop. Safe to drop.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
