//! What runs by itself: the clerk, who fires what is due, and the broom, which takes away what deleted groups held.

use std::sync::PoisonError;
use std::time::Duration;

use base::Backoff;
use delivery::{DeadLetter, Delivery, Fill, LaneId, Retry, Sender, Task, put};
use store::Change;
use tokio_util::sync::CancellationToken;

use crate::Schedules;
use crate::carrier::CARRIER;
use crate::error::Error;
use crate::model::input::Execution;
use crate::model::{Completion, Due, Schedule, ScheduleName, due};
use crate::store::{Cabinet, Drawer};

/// So many schedules are fired in one transaction at most,
const AT_ONCE: usize = 256;
/// and no more after their inputs came to this together: a quarter of what a transaction may hold.
const BYTES_AT_ONCE: usize = 4 << 20;
/// So many schedules of a deleted group are taken away in one transaction.
const SWEPT_AT_ONCE: usize = 500;
/// The clock of the day may be set while the clerk sleeps, so it looks at it this often; the store is not asked for that.
const NAP: Duration = Duration::from_secs(60);

/// How a look at what is due ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// Something was fired; there may be more.
    Fired {
        /// How many schedules.
        count: usize,
    },
    /// Nothing is due before this time, or at all.
    Wait {
        /// When the next one fires.
        next_ms: Option<i64>,
    },
}

impl Schedules {
    /// Fires what is due at its time, until told to stop.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        // Before the first look, so that nothing falls between the two.
        let mut watch = self.cabinet.watch_due();
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        while !stop.is_cancelled() {
            while let Some(change) = watch.try_next() {
                self.hear(&change, None);
            }
            let next_ms = match self.fire_some().await {
                Ok(Round::Fired { .. }) => continue,
                Ok(Round::Wait { next_ms }) => next_ms,
                Err(error) => {
                    tracing::warn!(%error, "what is due could not be fired; trying again");
                    let pause = backoff.next(&self.random);
                    tokio::select! {
                        () = self.clock.sleep(pause) => continue,
                        () = stop.cancelled() => return,
                    }
                }
            };
            backoff.reset();
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    change = watch.next() => match change {
                        Change::Closed => return,
                        change => if self.hear(&change, next_ms) { break },
                    },
                    () = self.nap(next_ms) => if next_ms.is_some_and(|next_ms| next_ms <= self.now_ms()) { break },
                }
            }
        }
    }

    async fn nap(&self, next_ms: Option<i64>) {
        let Some(next_ms) = next_ms else { return std::future::pending().await };
        let left = u64::try_from(next_ms.saturating_sub(self.now_ms())).unwrap_or(0);
        self.clock.sleep(NAP.min(Duration::from_millis(left))).await;
    }

    /// Whether a change of what is due matters to who sleeps until `next_ms`.
    fn hear(&self, change: &Change, next_ms: Option<i64>) -> bool {
        let first_ms = match change {
            Change::Commit { keys, .. } => keys.iter().filter_map(|key| Cabinet::fire_ms(key).ok()).min(),
            Change::Lagged | Change::Closed => Some(i64::MIN),
        };
        let Some(first_ms) = first_ms else { return false };
        let mut head_ms = self.head_ms.lock().unwrap_or_else(PoisonError::into_inner);
        *head_ms = first_ms.min(*head_ms);
        // A deletion of what was to come next is heard here too; then the look finds what comes instead.
        next_ms.is_none_or(|next_ms| first_ms <= next_ms)
    }

    /// Fires some of what is due.
    pub(crate) async fn fire_some(&self) -> Result<Round, Error> {
        let from_ms = *self.head_ms.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.cabinet.due(from_ms, AT_ONCE).await?;
        let now_ms = self.now_ms();
        let ready = &found[..found.partition_point(|(_, due)| due.fire_ms <= now_ms)];
        let fired = if ready.is_empty() { 0 } else { self.fire(ready, now_ms).await? };
        // Everything before the first that is left was fired. What was put before it meanwhile, the feed tells.
        let left = found.get(fired).or(found.last()).map(|(_, due)| due.fire_ms);
        if let Some(left_ms) = left {
            *self.head_ms.lock().unwrap_or_else(PoisonError::into_inner) = left_ms;
        }
        match fired {
            0 => Ok(Round::Wait { next_ms: left }),
            count => Ok(Round::Fired { count }),
        }
    }

    /// Fires the first of these, as many as one transaction holds; answers how many.
    async fn fire(&self, ready: &[(ScheduleName, Due)], now_ms: i64) -> Result<usize, Error> {
        self.cabinet
            .change(|drawer| async move {
                let (mut bytes, mut fired) = (0, 0);
                for (name, due) in ready {
                    bytes += self.fire_one(&drawer, name, *due, now_ms).await?;
                    fired += 1;
                    if bytes > BYTES_AT_ONCE {
                        break;
                    }
                }
                Ok(fired)
            })
            .await
    }

    /// Fires one; answers how many bytes that put into the outbox.
    async fn fire_one(&self, drawer: &Drawer, name: &ScheduleName, fired: Due, now_ms: i64) -> Result<usize, Error> {
        // It may have been changed, deleted or fired since it was found.
        if drawer.next(name).await? != Some(fired) {
            return Ok(0);
        }
        let schedule = drawer.schedule(name).await?.ok_or(Error::Internal)?;
        let turn = match due::turn(&schedule, fired, now_ms) {
            Ok(turn) => turn,
            Err(error) => {
                // A zone that a newer binary does not know any more, for instance: it must not hold up the others.
                tracing::error!(schedule = %name, %error, "a schedule rests, for its expression cannot be read any more");
                drawer.set_next(name, None).await?;
                return Ok(0);
            }
        };
        let mut bytes = 0;
        match self.delivery(&schedule, turn.now) {
            Ok(delivery) => {
                bytes = delivery.parcel.len();
                put(drawer.transaction(), &delivery);
            }
            Err(error) => {
                tracing::error!(schedule = %name, %error, "a schedule did not fire, for nobody serves its target")
            }
        }
        match (turn.next, schedule.settings.completion) {
            (None, Completion::Delete) => drawer.delete_schedule(name).await?,
            (next, Completion::Keep | Completion::Delete) => drawer.set_next(name, next).await?,
        }
        Ok(bytes)
    }

    /// What a schedule sends for one of its times.
    pub(crate) fn delivery(&self, schedule: &Schedule, due: Due) -> Result<Delivery, Error> {
        let (name, target) = (&schedule.name, &schedule.settings.target);
        let id = format!("{:016x}", self.random.u64());
        let execution = Execution { schedule: name, id, due_ms: due.due_ms };
        let task = target.task(target.aim(&*self.caller)?, &execution)?;
        let scope = &name.group.scope;
        let ticking =
            Sender::ticking(scope.account, scope.region.clone(), self.base_url.clone(), &self.clock, &self.random);
        let sender = Sender { since_ms: due.fire_ms, ..ticking };
        let lane = LaneId::any("schedule", format!("{} → {}", name.arn(), target.arn));
        let dead_letter = target.dead_letter.clone().flatten().map(|arn| dead_letter(arn, &task, schedule, &execution));
        Ok(Delivery {
            retry: Retry {
                retries_max: target.retries_max,
                age_max: Duration::from_secs(target.age_max_s.into()),
                ..Retry::default()
            },
            dead_letter,
            ..Delivery::new(sender, lane, CARRIER, task.to_parcel())
        })
    }

    /// Takes away what deleted groups held, and then the groups themselves, until told to stop.
    pub(crate) async fn sweep_groups(&self, stop: CancellationToken) {
        let mut watch = self.cabinet.watch_groups();
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        while !stop.is_cancelled() {
            match self.sweep_some().await {
                Ok(true) => backoff.reset(),
                Ok(false) => tokio::select! {
                    () = stop.cancelled() => return,
                    change = watch.next() => if change == Change::Closed { return },
                },
                Err(error) => {
                    tracing::warn!(%error, "what a deleted group held could not be taken away; trying again");
                    let pause = backoff.next(&self.random);
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.clock.sleep(pause) => {}
                    }
                }
            }
        }
    }

    /// Takes away some of a deleted group; false where there is none.
    pub(crate) async fn sweep_some(&self) -> Result<bool, Error> {
        let Some(group) = self.cabinet.group_to_delete().await? else { return Ok(false) };
        let group = &group;
        self.cabinet
            .change(|drawer| async move {
                let some = drawer.some_of(group, SWEPT_AT_ONCE).await?;
                for name in &some {
                    drawer.delete_schedule(name).await?;
                }
                if some.is_empty() {
                    drawer.delete_group(group);
                }
                Ok(true)
            })
            .await
    }
}

/// AWS's attributes of what a schedule could not deliver.
fn dead_letter(arn: String, task: &Task, schedule: &Schedule, execution: &Execution<'_>) -> DeadLetter {
    let attributes = [
        ("ERROR_CODE", Fill::ErrorCode),
        ("ERROR_MESSAGE", Fill::ErrorMessage),
        ("EXECUTION_ID", Fill::Text(execution.id.clone())),
        ("EXHAUSTED_RETRY_CONDITION", Fill::Condition),
        ("IS_PAYLOAD_TRUNCATED", Fill::Text("false".to_owned())),
        ("RETRY_ATTEMPTS", Fill::Retries),
        ("SCHEDULED_TIME", Fill::Text(execution.due())),
        ("SCHEDULE_ARN", Fill::Text(schedule.name.arn().to_string())),
        ("TARGET_ARN", Fill::Text(schedule.settings.target.arn.clone())),
    ];
    let attributes = attributes.map(|(name, fill)| (name.to_owned(), fill)).into();
    DeadLetter { arn, acting: task.acting.clone(), body: Some(task.event()), attributes, group: None }
}
