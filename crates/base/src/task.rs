//! Tasks with a name, and the order in which they end.
//!
//! There is no bare spawn in the project: a task's kind says what its failure means, and [`Tasks`] knows who is still
//! running when the node wants to stop.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a task's panic means, and whether shutdown waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One connection, call or invocation: its panic is logged and harms nobody else; shutdown waits for it.
    Work,
    /// Something that the node cannot live without (a writer, a reconciler): its panic stops the process.
    Vital,
}

/// The tasks of one node, and the signal that asks them to end.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fires when the node wants to stop: waiting parts end at once, working parts run to a safe point.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs `future`; [`Tasks::shut_down`] waits for it.
    pub fn spawn<F>(&self, kind: Kind, name: &'static str, future: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let future = self.tracker.track_future(future);
        spawn(kind, name, future)
    }

    /// Asks all tasks to end, and waits for them until `patience` is over. False if some were still running.
    pub async fn shut_down(&self, patience: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait()).await.is_ok()
    }
}

/// Runs `future` as a task that nobody waits for at shutdown; it must be safe to cut off anywhere.
#[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
pub fn spawn<F>(kind: Kind, name: &'static str, future: F) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        let guard = EndGuard { kind, name };
        future.await;
        std::mem::forget(guard);
    })
}

/// Dropped only when the task was cut off or panicked.
struct EndGuard {
    kind: Kind,
    name: &'static str,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        tracing::error!(task = self.name, kind = ?self.kind, "a task panicked; this is a bug");
        if self.kind == Kind::Vital {
            // Unwinding a vital task would leave a node that looks alive and is not. What is acknowledged is on disk.
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shutdown_waits_for_what_runs() {
        let tasks = Tasks::new();
        let stop = tasks.stopping();
        tasks.spawn(Kind::Work, "test", async move { stop.cancelled().await });
        assert!(tasks.shut_down(Duration::from_secs(5)).await);
    }

    #[tokio::test]
    async fn shutdown_tells_that_someone_is_late() {
        let tasks = Tasks::new();
        tasks.spawn(Kind::Work, "test", std::future::pending());
        assert!(!tasks.shut_down(Duration::from_millis(10)).await);
    }
}
