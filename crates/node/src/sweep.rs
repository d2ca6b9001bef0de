//! Sweeps blobs that nothing refers to: packages of deleted functions, and assets that nobody came back for.

use std::time::Duration;

use base::Clock;
use store::{Blobs, Store};
use tokio_util::sync::CancellationToken;

/// Between two sweeps.
const EVERY: Duration = Duration::from_secs(3600);
/// How old a blob must be: who uploads an asset has so long to refer to it.
const GRACE: Duration = Duration::from_secs(24 * 3600);

/// Sweeps until told to stop.
pub(crate) async fn blobs(blobs: Blobs, store: Store, clock: Clock, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = clock.sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = blobs.sweep(&store, GRACE).await {
            tracing::warn!(%error, "blobs could not be swept; trying again in an hour");
        }
    }
}
