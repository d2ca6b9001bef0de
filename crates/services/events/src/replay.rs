//! Replays: archived events go to the rules of their bus again, page by page; each page's deliveries and how far the replay has come are
//! one transaction.

use ::store::{Error as StoreError, Key};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery::Sender;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::model::{Event, Scope};
use crate::publish::Follows;
use crate::store::{Reader, ReplayRecord};
use crate::{Error, Events, store};

/// Events of a page, and bytes of what follows from them.
const EVENTS_AT_ONCE: usize = 200;
const BYTES_AT_ONCE: usize = 6 << 20;

impl Events {
    /// Goes on with whatever replay is not done.
    pub(crate) async fn replay(&self, stop: CancellationToken) {
        loop {
            let mut behind = false;
            match self.cellar.all_replays().await {
                Ok(replays) => {
                    for (scope, name, record) in replays.into_iter().filter(|(_, _, record)| is_open(record)) {
                        if let Err(error) = self.run(&scope, &name, record, &stop).await {
                            tracing::warn!(%error, replay = name, "a replay could not go on; trying again");
                            behind = true;
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "replays could not be read; trying again");
                    behind = true;
                }
            }
            let again = async {
                match behind {
                    true => self.clock.sleep(std::time::Duration::from_secs(1)).await,
                    false => std::future::pending().await,
                }
            };
            tokio::select! {
                () = again => {}
                () = self.replaying.notified() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn run(
        &self,
        scope: &Scope,
        name: &str,
        mut record: ReplayRecord,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let prefix = store::archived(scope, record.archive_id);
        let after = record.after.as_deref().and_then(|text| STANDARD.decode(text).ok());
        let after = after.map(Key::from_bytes).transpose()?;
        let mut reader = Reader::new(self.cellar.store.snapshot(), &prefix, after.as_ref());
        let sender =
            Sender::ticking(scope.account, scope.region.clone(), self.base_url.clone(), &self.clock, &self.random);
        loop {
            let (mut follows, mut bytes, mut count, mut is_over) = (Vec::new(), 0, 0, false);
            while count < EVENTS_AT_ONCE && bytes < BYTES_AT_ONCE {
                let Some(archived) = reader.next().await? else {
                    is_over = true;
                    break;
                };
                count += 1;
                record.after = Some(STANDARD.encode(archived.key.as_bytes()));
                if !(record.from_ms..record.to_ms).contains(&archived.time_ms) {
                    continue;
                }
                record.last_event_ms = Some(archived.time_ms);
                let mut document: Value =
                    serde_json::from_slice(&archived.text).map_err(|error| crate::broken(&error))?;
                document["replay-name"] = name.into();
                let event = Event::from_document(document, archived.time_ms);
                let of_event =
                    self.follows(scope, &record.bus, &event, &sender).into_iter().filter(|follows| match follows {
                        Follows::Delivery(delivery) => is_wanted(&record.rules, delivery.lane.name()),
                        // What is replayed is archived already.
                        Follows::Copy { .. } => false,
                    });
                for follows_one in of_event {
                    bytes += follows_one.bytes();
                    follows.push(follows_one);
                }
            }
            record.state = if is_over { "COMPLETED" } else { "RUNNING" }.to_owned();
            record.ended_ms = is_over.then(|| self.clock.now_ms());
            if !self.note(scope, name, &record, &follows).await? || is_over || stop.is_cancelled() {
                return Ok(());
            }
        }
    }

    /// Puts what follows from a page, and how far the replay is. False if somebody cancelled it, which is noted instead.
    async fn note(&self, scope: &Scope, name: &str, record: &ReplayRecord, follows: &[Follows]) -> Result<bool, Error> {
        let key = &store::replay(scope, name);
        let now_ms = self.clock.now_ms();
        let noted = self.cellar.store.transact(|tx| async move {
            let Some(there) = tx.get_record::<ReplayRecord>(key).await? else { return Ok(false) };
            if there.state == "CANCELLING" {
                let cancelled = ReplayRecord { state: "CANCELLED".to_owned(), ended_ms: Some(now_ms), ..there };
                tx.put_record(key.clone(), &cancelled);
                return Ok(false);
            }
            follows.iter().for_each(|follows| follows.put(&tx));
            tx.put_record(key.clone(), record);
            Ok::<_, StoreError>(true)
        });
        Ok(noted.await?)
    }
}

fn is_open(record: &ReplayRecord) -> bool {
    matches!(record.state.as_str(), "STARTING" | "RUNNING" | "CANCELLING")
}

/// Whether the replay is for the rule whose lane this is; a lane's name begins with the rule's ARN.
fn is_wanted(rules: &[String], lane: &str) -> bool {
    rules.is_empty()
        || rules.iter().any(|rule| lane.strip_prefix(rule.as_str()).is_some_and(|rest| rest.starts_with(" → ")))
}
