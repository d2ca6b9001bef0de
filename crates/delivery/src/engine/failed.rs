//! What was given up and has no dead letter: kept for some time, so that people can see it and send it again.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use store::Error;

use super::Inner;
use crate::outbox::{Place, State, Stored, Tried};
use crate::{Failure, LaneId};

/// So many of each lane are kept; the oldest go first.
pub const KEPT_MAX: usize = 1_000;
/// And so long.
pub const KEPT_FOR: Duration = Duration::from_secs(14 * 24 * 3600);
/// Between two looks for what was kept long enough.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// Where what failed lies, oldest first.
#[derive(Debug, Default)]
pub(super) struct Failures(HashMap<LaneId, Kept>);

#[derive(Debug, Default)]
struct Kept {
    places: VecDeque<(Place, i64)>,
    last: Option<Failure>,
}

/// What people are shown of it.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) lane: LaneId,
    pub(crate) failed: u64,
    pub(crate) failure: Option<Failure>,
}

impl Failures {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn show(&self) -> Vec<Shown> {
        let shown = self.0.iter().map(|(lane, kept)| Shown {
            lane: lane.clone(),
            failed: kept.places.len() as u64,
            failure: kept.last.clone(),
        });
        shown.collect()
    }

    fn add(&mut self, lane: LaneId, place: Place, failed_ms: i64, failure: Option<Failure>) {
        let kept = self.0.entry(lane).or_default();
        if !kept.places.iter().any(|(known, _)| *known == place) {
            kept.places.push_back((place, failed_ms));
            kept.last = failure.or(kept.last.take());
        }
    }

    fn take(&mut self, lane: &LaneId, place: Place) {
        if let Some(kept) = self.0.get_mut(lane) {
            kept.places.retain(|(known, _)| *known != place);
            if kept.places.is_empty() {
                self.0.remove(lane);
            }
        }
    }

    /// The oldest of a lane that has more than it may.
    fn too_many(&self, lane: &LaneId) -> Option<Place> {
        let kept = self.0.get(lane).filter(|kept| kept.places.len() > KEPT_MAX)?;
        kept.places.front().map(|(place, _)| *place)
    }

    /// What was given up before that time.
    fn older(&self, than_ms: i64) -> Vec<(LaneId, Place)> {
        let all = self.0.iter().flat_map(|(lane, kept)| kept.places.iter().map(move |known| (lane, known)));
        all.filter(|(_, (_, failed_ms))| *failed_ms < than_ms)
            .map(|(lane, (place, _))| (lane.clone(), *place))
            .collect()
    }

    fn of(&self, lane: Option<&str>) -> Vec<(LaneId, Place)> {
        let lanes = self.0.iter().filter(|(known, _)| lane.is_none_or(|lane| known.to_string() == lane));
        lanes.flat_map(|(lane, kept)| kept.places.iter().map(move |(place, _)| (lane.clone(), *place))).collect()
    }
}

impl Inner {
    pub(super) async fn read_failures(&self) -> Result<(), Error> {
        self.outbox
            .scan(State::Failed, |found| {
                self.failures().add(found.lane, found.place, found.failed_ms, found.failure);
            })
            .await
    }

    pub(super) async fn keep_failed(&self, place: Place, stored: &Stored, tried: &Tried) -> Result<(), Error> {
        let (lane, now_ms) = (&stored.carried.lane, self.clock.now_ms());
        self.outbox.give_up(place, stored, tried.clone(), now_ms).await?;
        let oldest = {
            let mut failures = self.failures();
            failures.add(lane.clone(), place, now_ms, Some(tried.failure.clone()));
            failures.too_many(lane)
        };
        if let Some(oldest) = oldest {
            // What cannot be taken away now is taken away with the next one, or when its time is over.
            self.forget(lane, oldest).await.ok();
        }
        Ok(())
    }

    /// Takes away what was kept long enough.
    pub(super) async fn expire(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.clock.sleep(LOOK_EVERY) => {}
                () = self.halting.cancelled() => return,
            }
            let kept_ms = i64::try_from(KEPT_FOR.as_millis()).unwrap_or(i64::MAX);
            let old = self.failures().older(self.clock.now_ms().saturating_sub(kept_ms));
            for (lane, place) in old {
                if let Err(error) = self.forget(&lane, place).await {
                    tracing::warn!(%error, %lane, "failed deliveries could not be taken away; trying again in an hour");
                    break;
                }
            }
        }
    }

    pub(super) async fn redrive(&self, lane: Option<&str>) -> Result<u64, Error> {
        let meant = self.failures().of(lane);
        let mut redriven = 0;
        for (lane, place) in meant {
            if let Some(stored) = self.outbox.load(State::Failed, &lane, place).await? {
                let again = stored.again(self.clock.now_ms());
                self.outbox.finish(State::Failed, place, &stored, &[again]).await?;
                redriven += 1;
            }
            self.failures().take(&lane, place);
        }
        Ok(redriven)
    }

    async fn forget(&self, lane: &LaneId, place: Place) -> Result<(), Error> {
        if let Some(stored) = self.outbox.load(State::Failed, lane, place).await? {
            self.outbox.finish(State::Failed, place, &stored, &[]).await?;
        }
        self.failures().take(lane, place);
        Ok(())
    }
}
