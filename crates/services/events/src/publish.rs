//! An event becomes deliveries: who wants it is found in memory, and what follows is put into the store.

use ::store::{Error as StoreError, Key, Transaction};
use contract::Call;
use delivery::{Announcer, Delivery, Fact, Sender};
use futures_util::future::join_all;

use crate::model::event::{Refused, Told};
use crate::model::input::Around;
use crate::model::{DEFAULT, Event, Scope};
use crate::{Error, Events, store};

/// So much is put in one transaction; the store takes twice as much.
const BYTES_AT_ONCE: usize = 6 << 20;

/// What follows from an event.
pub(crate) enum Follows {
    Delivery(Box<Delivery>),
    /// A copy in an archive.
    Copy {
        archive: Key,
        text: String,
        archived_ms: i64,
        time_ms: i64,
    },
}

impl Follows {
    pub(crate) fn put(&self, tx: &Transaction) {
        match self {
            Self::Delivery(delivery) => delivery::put(tx, delivery),
            Self::Copy { archive, text, archived_ms, time_ms } => {
                store::put_archived(tx, archive, text, *archived_ms, *time_ms);
            }
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Delivery(delivery) => {
                let dead_letter = delivery.dead_letter.as_ref().and_then(|letter| letter.body.as_ref());
                delivery.parcel.len() + dead_letter.map_or(0, String::len) + 1_024
            }
            Self::Copy { text, .. } => text.len() + 1_024,
        }
    }
}

impl Events {
    /// Puts an event on a bus, durably; answers its id. A bus that is not there loses it, as AWS has it.
    pub(crate) async fn publish(&self, call: &Call, entries: Vec<(String, Told)>) -> Vec<Result<String, Refused>> {
        let scope = Scope::of(call);
        let mut answers = Vec::with_capacity(entries.len());
        let mut groups: Vec<Vec<(usize, Follows)>> = vec![Vec::new()];
        let mut bytes = 0;
        for (at, (bus, told)) in entries.into_iter().enumerate() {
            let id = told.id.clone();
            let event = match Event::of(told, &scope) {
                Ok(event) => event,
                Err(refused) => {
                    answers.push(Err(refused));
                    continue;
                }
            };
            answers.push(Ok(id));
            for follows in self.follows(&scope, &bus, &event, &Sender::of(call, self.clock.now_ms())) {
                bytes += follows.bytes();
                if bytes > BYTES_AT_ONCE {
                    bytes = follows.bytes();
                    groups.push(Vec::new());
                }
                groups.last_mut().expect("there is always a group").push((at, follows));
            }
        }
        groups.retain(|group| !group.is_empty());
        let commits = groups.iter().map(|group| {
            self.cellar.store.transact(move |tx| async move {
                group.iter().for_each(|(_, follows)| follows.put(&tx));
                Ok::<_, StoreError>(())
            })
        });
        for (group, committed) in groups.iter().zip(join_all(commits).await) {
            let Err(error) = committed else { continue };
            let message = Error::from(error).to_string();
            for (at, _) in group {
                answers[*at] = Err(Refused { code: "InternalFailure", message: message.clone() });
            }
        }
        answers
    }

    /// What follows from an event on a bus.
    pub(crate) fn follows(&self, scope: &Scope, bus: &str, event: &Event, sender: &Sender) -> Vec<Follows> {
        let found = self.table.look(scope, bus, |bus| (bus.wanted(&event.document), bus.archives_of(&event.document)));
        let Ok((wanted, archives)) = found else { return Vec::new() };
        let now_ms = self.clock.now_ms();
        let mut follows: Vec<Follows> = archives
            .into_iter()
            .map(|(_, record)| Follows::Copy {
                archive: store::archived(scope, record.id),
                text: event.text.clone(),
                archived_ms: now_ms,
                time_ms: event.time_ms,
            })
            .collect();
        for wanted in wanted {
            let rule_arn = scope.rule_arn(bus, &wanted.rule).to_string();
            let around = Around { rule_arn: &rule_arn, rule_name: &wanted.rule, ingested_ms: now_ms };
            let deliveries = wanted.targets.iter().map(|target| target.delivery(event, around, sender.clone()));
            follows.extend(deliveries.map(|delivery| Follows::Delivery(Box::new(delivery))));
        }
        follows
    }

    /// An event of this node's own making.
    pub(crate) fn own_event(&self, scope: &Scope, fact: Fact, time_ms: i64) -> Event {
        let Fact { source, detail_type, resources, detail } = fact;
        let document = serde_json::json!({
            "version": "0",
            "id": self.random.uuid().to_string(),
            "detail-type": detail_type,
            "source": source,
            "account": scope.account.to_string(),
            "time": crate::model::event::time(time_ms),
            "region": scope.region.as_str(),
            "resources": resources,
            "detail": detail,
        });
        Event::from_document(document, time_ms)
    }
}

impl Announcer for Events {
    fn announce(&self, tx: &Transaction, sender: &Sender, fact: Fact) {
        let scope = Scope { account: sender.account, region: sender.region.clone() };
        let event = self.own_event(&scope, fact, sender.since_ms);
        self.follows(&scope, DEFAULT, &event, sender).iter().for_each(|follows| follows.put(tx));
    }
}
