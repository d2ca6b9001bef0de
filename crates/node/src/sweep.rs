//! Sweeps blobs that nothing refers to: packages of deleted functions, and assets that nobody came back for. And scrubs
//! them: reads all of them, slowly, to find what the disk has lost while it can still be put again.

use std::time::Duration;

use base::{ByteSize, Clock};
use store::{Blobs, Store};
use tokio_util::sync::CancellationToken;

/// Between two sweeps.
const EVERY: Duration = Duration::from_secs(3600);
/// How old a blob must be: who uploads an asset has so long to refer to it.
pub(crate) const GRACE: Duration = Duration::from_secs(24 * 3600);

/// From the beginning of one pass of the scrub to that of the next.
const SCRUB_EVERY: Duration = Duration::from_secs(7 * 24 * 3600);
/// A tenth of what a slow disk reads: a terabyte takes a day and a half.
const SCRUB_BYTES_PER_SECOND: ByteSize = ByteSize::mib(8);
/// After the start, and after a failure: others have more need of the disk then.
const SCRUB_LATER: Duration = Duration::from_secs(600);

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

/// Scrubs until told to stop; what was seen is kept, and gone on with after a restart.
pub(crate) async fn scrub(blobs: Blobs, store: Store, clock: Clock, stop: CancellationToken) {
    let scrub = async {
        let mut wait = match blobs.scrub_due(&store, SCRUB_EVERY).await {
            Ok(due) => due.max(SCRUB_LATER),
            Err(error) => failed(&error),
        };
        loop {
            clock.sleep(wait).await;
            let scrubbed = async {
                blobs.scrub(&store, SCRUB_BYTES_PER_SECOND).await?;
                blobs.scrub_due(&store, SCRUB_EVERY).await
            };
            wait = scrubbed.await.unwrap_or_else(|error| failed(&error));
        }
    };
    tokio::select! {
        () = scrub => {}
        () = stop.cancelled() => {}
    }
}

fn failed(error: &store::Error) -> Duration {
    tracing::warn!(%error, "blobs could not be scrubbed; trying again later");
    SCRUB_LATER
}
