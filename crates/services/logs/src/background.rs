//! What runs by itself: taking away what was deleted, and what is older than its group's retention.
//!
//! Both compare what is there with what should be, on a nudge and on a timer, and take no input. Each transaction takes
//! away some hundred chunks, so that it never holds up a writer; each pass has a bound, and the next one goes on. If the
//! node dies in between, the notes in the store say what is left.

use std::collections::BTreeSet;
use std::time::Duration;

use base::Clock;
use store::Change;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::store::{Archive, Expired};

/// How often retention looks. AWS takes up to three days; readers see nothing expired anyway.
pub(crate) const EXPIRE_EVERY: Duration = Duration::from_secs(10 * 60);

/// How many transactions one pass spends on one group.
const TRANSACTIONS_OF_GROUP_MAX: usize = 200;

/// After a failure.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Takes away deleted groups and streams, now and whenever there are more.
pub(crate) async fn sweep(archive: Archive, clock: Clock, stopping: CancellationToken) {
    // Before the first look, so that no note falls in between.
    let mut notes = archive.watch(Archive::sweep_notes());
    loop {
        let swept = sweep_all(&archive, &stopping).await;
        if stopping.is_cancelled() {
            return;
        }
        let retry = match swept {
            Ok(()) => None,
            Err(error) => {
                tracing::error!(%error, "deleted logs could not be taken away; trying again soon");
                Some(RETRY_AFTER)
            }
        };
        tokio::select! {
            // What is deleted meanwhile does not wait for what cannot be taken away.
            change = notes.next() => match change {
                Change::Commit { .. } | Change::Lagged => {}
                Change::Closed => return,
            },
            () = clock.sleep(retry.unwrap_or_default()), if retry.is_some() => {}
            () = stopping.cancelled() => return,
        }
    }
}

/// Everything that is noted, in turns. What cannot be taken away holds up nothing else; the first reason is given when the rest is done.
async fn sweep_all(archive: &Archive, stopping: &CancellationToken) -> Result<(), Error> {
    let mut failed = None;
    let mut stuck = BTreeSet::new();
    loop {
        let mut sweeps = archive.sweeps().await?;
        sweeps.retain(|sweep| !stuck.contains(sweep.note()));
        if sweeps.is_empty() {
            return failed.map_or(Ok(()), Err);
        }
        while !sweeps.is_empty() {
            let mut left = Vec::with_capacity(sweeps.len());
            for mut sweep in sweeps {
                if stopping.is_cancelled() {
                    return Ok(());
                }
                match archive.sweep(&mut sweep).await {
                    Ok(true) => {}
                    Ok(false) => left.push(sweep),
                    Err(error) => {
                        stuck.insert(sweep.note().clone());
                        failed.get_or_insert(error);
                    }
                }
            }
            sweeps = left;
        }
    }
}

/// Takes away what is older than retentions allow, now and then.
pub(crate) async fn expire(archive: Archive, clock: Clock, stopping: CancellationToken) {
    loop {
        if let Err(error) = expire_all(&archive, &stopping).await {
            tracing::error!(%error, "expired logs could not be taken away; trying again in a while");
        }
        tokio::select! {
            () = clock.sleep(EXPIRE_EVERY) => {}
            () = stopping.cancelled() => return,
        }
    }
}

async fn expire_all(archive: &Archive, stopping: &CancellationToken) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = archive.expiring(after.as_ref()).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.clone());
        for (_, group) in &page {
            if stopping.is_cancelled() {
                return Ok(());
            }
            if let Err(error) = expire_one(archive, group).await {
                // Others' logs expire all the same.
                tracing::error!(group = group.name, %error, "a group's expired logs could not be taken away");
            }
        }
    }
}

async fn expire_one(archive: &Archive, group: &Expired) -> Result<(), Error> {
    for _ in 0..TRANSACTIONS_OF_GROUP_MAX {
        match archive.expire(group).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // Writers of the same time range go first; the next pass finds what is left.
            Err(Error::Store(store::Error::Contended { .. })) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
