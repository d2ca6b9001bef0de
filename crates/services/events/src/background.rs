//! What runs by itself: following the store's feed, rules with a schedule, and archived events whose time is over.

use std::time::Duration;

use ::store::{Change, Error as StoreError, Watch};
use base::Backoff;
use delivery::{Fact, Sender};
use tokio_util::sync::CancellationToken;

use crate::model::event::Event;
use crate::model::input::Around;
use crate::model::{DEFAULT, Scope};
use crate::store::{ArchiveRecord, TimerRecord};
use crate::{Error, Events, store};

/// Between two looks for archived events whose time is over.
const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);
const DAY_MS: i64 = 24 * 3_600_000;

impl Events {
    /// Keeps memory true to what is committed, by whomever.
    pub(crate) async fn follow(&self, mut watch: Watch, stop: CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        let mut behind = false;
        loop {
            if behind {
                match self.resync().await {
                    Ok(()) => {
                        behind = false;
                        backoff.reset();
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the buses could not be read again");
                        tokio::select! {
                            () = self.clock.sleep(backoff.next(&self.random)) => continue,
                            () = stop.cancelled() => return,
                        }
                    }
                }
            }
            let change = tokio::select! {
                change = watch.next() => change,
                () = stop.cancelled() => return,
            };
            match change {
                Change::Commit { keys, .. } => {
                    if let Err(error) = self.refresh(&keys).await {
                        tracing::warn!(%error, "a change of a bus could not be read");
                        behind = true;
                    }
                }
                Change::Lagged => behind = true,
                Change::Closed => return,
            }
        }
    }

    /// Fires rules when they are due.
    pub(crate) async fn keep_time(&self, stop: CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
        loop {
            let first = self.timers().first().cloned();
            let now_ms = self.clock.now_ms();
            let until = |due_ms: i64| Duration::from_millis(u64::try_from(due_ms - now_ms).unwrap_or(0));
            let wait = first.as_ref().map(|(due_ms, ..)| until(*due_ms));
            if let (Some((due_ms, scope, rule)), Some(Duration::ZERO)) = (&first, wait) {
                match self.fire(scope, rule, *due_ms).await {
                    Ok(()) => backoff.reset(),
                    Err(error) => {
                        tracing::warn!(%error, rule, "a rule could not be fired; trying again");
                        tokio::select! {
                            () = self.clock.sleep(backoff.next(&self.random)) => {}
                            () = stop.cancelled() => return,
                        }
                    }
                }
                continue;
            }
            let due = async {
                match wait {
                    Some(wait) => self.clock.sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = self.alarm.notified() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Fires a rule that was due, and notes when it is due next, in one transaction.
    async fn fire(&self, scope: &Scope, name: &str, due_ms: i64) -> Result<(), Error> {
        let rule = self.table.rule(scope, DEFAULT, name).ok().filter(crate::model::Rule::is_enabled);
        let now_ms = self.clock.now_ms();
        let rule_arn = scope.rule_arn(DEFAULT, name).to_string();
        let timetable = rule.as_ref().and_then(|rule| rule.timetable.as_ref());
        let next = timetable.and_then(|timetable| timetable.next_after(now_ms.max(due_ms)));
        let fact = Fact {
            source: "aws.events",
            detail_type: "Scheduled Event",
            resources: vec![rule_arn.clone()],
            detail: serde_json::json!({}),
        };
        let event: Event = self.own_event(scope, fact, due_ms);
        let sender =
            Sender::ticking(scope.account, scope.region.clone(), self.base_url.clone(), &self.clock, &self.random);
        let around = Around { rule_arn: &rule_arn, rule_name: name, ingested_ms: now_ms };
        let deliveries: Vec<_> = rule
            .iter()
            .flat_map(|rule| rule.targets.values())
            .map(|target| target.delivery(&event, around, sender.clone()))
            .collect();
        let (key, deliveries) = (&store::timer(scope, name), &deliveries);
        let fired = self.cellar.store.transact(|tx| async move {
            // Whoever changed the rule meanwhile has set another time.
            let still: Option<TimerRecord> = tx.get_record(key).await?;
            if still != Some(TimerRecord { due_ms }) {
                return Ok(());
            }
            deliveries.iter().for_each(|delivery| delivery::put(&tx, delivery));
            match next {
                Some(due_ms) => tx.put_record(key.clone(), &TimerRecord { due_ms }),
                None => tx.delete(key.clone()),
            }
            Ok::<_, StoreError>(())
        });
        fired.await?;
        self.refresh(std::slice::from_ref(key)).await
    }

    /// Takes away what archives need not keep any more, and what deleted archives left behind.
    pub(crate) async fn expire(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.expire_once(&stop).await {
                tracing::warn!(%error, "archived events could not be taken away; trying again in an hour");
            }
            tokio::select! {
                () = self.clock.sleep(EXPIRE_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn expire_once(&self, stop: &CancellationToken) -> Result<(), Error> {
        self.forget_gone().await?;
        let now_ms = self.clock.now_ms();
        for (scope, _, ArchiveRecord { id, retention_days, .. }) in self.table.all_archives() {
            let before_ms = now_ms - i64::from(retention_days) * DAY_MS;
            while retention_days > 0
                && !stop.is_cancelled()
                && self.cellar.forget(&store::archived(&scope, id), before_ms).await?
            {}
        }
        Ok(())
    }

    /// Takes away the events of archives that were deleted.
    pub(crate) async fn forget_gone(&self) -> Result<(), Error> {
        for (key, events) in self.cellar.all_gone().await? {
            while self.cellar.forget(&events, i64::MAX).await? {}
            self.cellar.change(|tx| tx.delete(key.clone())).await?;
        }
        Ok(())
    }
}
