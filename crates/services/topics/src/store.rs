//! Where everything of the topics lies, and (with its room `store/`) the only place that touches the store.
//!
//! Changed in place, under `topics`:
//!
//! | kind | then | record |
//! |---|---|---|
//! | `topic` | account, region, name | a topic |
//! | `sub` | topic's id, id | a subscription |
//! | `gone` | topic's id | a deleted topic whose subscriptions and memory are still to be taken away |
//! | `app` | account, region, platform, name | a platform application |
//! | `end` | account, region, platform, name, id | one of its endpoints |
//! | `phone` | account, region, number | a phone number of the sandbox |
//! | `sms` | account, region | what was set for short messages |
//! | `key` | | the key that signs messages |
//!
//! Of class queue, under `topics` and the id of a topic with order: `head`, the last message's place, and `d DIGEST`, a deduplication id
//! until its five minutes are over. Only that topic's desk writes there, in one transaction after another.
//!
//! The outbox is a journal of its own, see `store/letters.rs`.

mod keys;
mod letters;
mod push;
mod records;

use ::store::{Key, Range, Record, Scan, Store, Transaction};
use uuid::Uuid;

use crate::error::Error;
use crate::model::{Scope, Subscription, Topic};
use crate::signing::Kept;

pub(crate) use letters::Letters;
pub use letters::{Letter, Page};
pub(crate) use push::Phone;
pub(crate) use records::{Lapse, Place};

use records::{Gone, KeyRecord, SubscriptionRecord, TopicRecord};

/// The prefix of everything that is changed in place.
pub(crate) fn root() -> Key {
    Key::new("topics")
}

/// All topics of a node. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Cellar {
    pub(crate) store: Store,
}

/// What a key of the change feed is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    Topic(Scope, String),
    Subscription { topic: Uuid, id: Uuid },
    Other,
}

impl Cellar {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    /// What a key that changed is about.
    pub(crate) fn touched(key: &Key) -> Result<Touched, Error> {
        keys::read(key)
    }

    /// Makes a topic; answers it, or the one that was there already.
    pub(crate) async fn create(&self, topic: &Topic) -> Result<Result<(), Topic>, Error> {
        let record = fitting(&TopicRecord::of(topic), "the topic's attributes and tags")?;
        let record = &record;
        self.store
            .transact(|tx| async move {
                let key = keys::topic(&topic.scope, topic.name.as_str());
                if let Some(there) = tx.get_record::<TopicRecord>(&key).await? {
                    return Ok(Err(there.model(&topic.scope, &topic.name)?));
                }
                tx.put(key, record.clone());
                Ok::<_, Error>(Ok(()))
            })
            .await
    }

    /// Changes a topic.
    pub(crate) async fn change(
        &self,
        of: &Topic,
        change: impl Fn(&mut Topic) -> Result<(), Error> + Send + Sync,
    ) -> Result<(), Error> {
        let change = &change;
        self.store
            .transact(|tx| async move {
                let key = keys::topic(&of.scope, of.name.as_str());
                let record: Option<TopicRecord> = tx.get_record(&key).await?;
                let mut topic = record.ok_or(Error::TopicMissing)?.model(&of.scope, &of.name)?;
                change(&mut topic)?;
                tx.put(key, fitting(&TopicRecord::of(&topic), "the topic's attributes and tags")?);
                Ok::<_, Error>(())
            })
            .await
    }

    /// Deletes a topic; its subscriptions are out of reach at once, and taken away by [`Cellar::sweep`].
    pub(crate) async fn delete(&self, topic: &Topic) -> Result<(), Error> {
        self.store
            .transact(|tx| async move {
                tx.delete(keys::topic(&topic.scope, topic.name.as_str()));
                tx.put_record(keys::gone(topic.id), &Gone {});
                Ok::<_, Error>(())
            })
            .await
    }

    /// Takes away what deleted topics left behind, a page at a time. False when nothing is left.
    pub(crate) async fn sweep(&self) -> Result<bool, Error> {
        const PAGE: usize = 2_000;
        let page = self.store.snapshot().scan(Range::prefix(&keys::all_gone()), Scan::first(1)).await?;
        let Some((note, _)) = page.items.into_iter().next() else { return Ok(false) };
        let id = keys::read_gone(&note)?;
        let mut left = Vec::new();
        for prefix in [keys::subscriptions(id), keys::memory(id)] {
            left.extend(self.store.snapshot().scan(Range::prefix(&prefix), Scan::first(PAGE)).await?.items);
        }
        if left.is_empty() {
            left.push((note, bytes::Bytes::new()));
        }
        let left = &left;
        self.store
            .transact(|tx| async move {
                left.iter().for_each(|(key, _)| tx.delete(key.clone()));
                Ok::<_, Error>(())
            })
            .await?;
        Ok(true)
    }

    /// All topics.
    pub(crate) async fn topics(&self) -> Result<Vec<Topic>, Error> {
        let prefix = keys::all_topics();
        let mut topics = Vec::new();
        for (key, value) in self.all(&prefix).await? {
            let (scope, name) = keys::read_topic(&key)?;
            topics.push(::store::record::decode::<TopicRecord>(&value)?.model(&scope, &name)?);
        }
        Ok(topics)
    }

    /// A topic.
    pub(crate) async fn topic(&self, scope: &Scope, name: &str) -> Result<Option<Topic>, Error> {
        let record: Option<TopicRecord> = self.store.snapshot().get_record(&keys::topic(scope, name)).await?;
        record.map(|record| record.model(scope, &crate::model::TopicName::trusted(name))).transpose()
    }

    /// All subscriptions of a topic.
    pub(crate) async fn subscriptions(&self, topic: &Topic) -> Result<Vec<Subscription>, Error> {
        let prefix = keys::subscriptions(topic.id);
        let mut subscriptions = Vec::new();
        for (key, value) in self.all(&prefix).await? {
            let id = Uuid::from_bytes(key.parts_after(&prefix)?.id()?);
            subscriptions.push(::store::record::decode::<SubscriptionRecord>(&value)?.model(topic, id)?);
        }
        Ok(subscriptions)
    }

    /// A subscription.
    pub(crate) async fn subscription(&self, topic: &Topic, id: Uuid) -> Result<Option<Subscription>, Error> {
        let key = keys::subscription(topic.id, id);
        let record: Option<SubscriptionRecord> = self.store.snapshot().get_record(&key).await?;
        record.map(|record| record.model(topic, id)).transpose()
    }

    /// Keeps a subscription, new or changed, and what goes out because of it. A fault if the topic is gone.
    pub(crate) async fn put_subscription(
        &self,
        topic: &Topic,
        subscription: &Subscription,
        along: impl Fn(&Transaction) + Send + Sync,
    ) -> Result<(), Error> {
        let record = fitting(&SubscriptionRecord::of(subscription), "the subscription's attributes")?;
        let (record, along) = (&record, &along);
        self.store
            .transact(|tx| async move {
                let there = tx.get_record::<TopicRecord>(&keys::topic(&topic.scope, topic.name.as_str())).await?;
                there.filter(|there| there.id == topic.id).ok_or(Error::TopicMissing)?;
                tx.put(keys::subscription(topic.id, subscription.id), record.clone());
                along(&tx);
                Ok::<_, Error>(())
            })
            .await
    }

    /// Forgets subscriptions, and counts those that had been shown.
    pub(crate) async fn remove_subscriptions(&self, topic: &Topic, ids: &[Uuid], shown: u64) -> Result<(), Error> {
        self.store
            .transact(|tx| async move {
                ids.iter().for_each(|id| tx.delete(keys::subscription(topic.id, *id)));
                self.count_deleted(&tx, topic, shown).await
            })
            .await
    }

    /// Counts subscriptions that are no more.
    pub(crate) async fn count_deleted(&self, tx: &Transaction, topic: &Topic, count: u64) -> Result<(), Error> {
        let key = keys::topic(&topic.scope, topic.name.as_str());
        if let Some(mut record) = tx.get_record::<TopicRecord>(&key).await?.filter(|record| record.id == topic.id) {
            record.subscriptions_deleted += count;
            tx.put_record(key, &record);
        }
        Ok(())
    }

    /// The last message's place, and the deduplication ids that are not over, of a topic with order.
    pub(crate) async fn memory(&self, topic: Uuid) -> Result<(u64, Vec<([u8; 16], Lapse)>), Error> {
        let head: Option<Place> = self.store.snapshot().get_record(&keys::head(topic)).await?;
        let prefix = keys::lapses(topic);
        let mut lapses = Vec::new();
        for (key, value) in self.all(&prefix).await? {
            lapses.push((key.parts_after(&prefix)?.id()?, ::store::record::decode(&value)?));
        }
        Ok((head.map_or(0, |head| head.place), lapses))
    }

    /// Notes the last message's place.
    pub(crate) fn put_place(tx: &Transaction, topic: Uuid, place: u64) {
        tx.put_record(keys::head(topic), &Place { place });
    }

    /// Notes a deduplication id.
    pub(crate) fn put_lapse(tx: &Transaction, topic: Uuid, digest: &[u8; 16], lapse: &Lapse) {
        tx.put_record(keys::lapse(topic, digest), lapse);
    }

    /// Forgets a deduplication id.
    pub(crate) fn forget_lapse(tx: &Transaction, topic: Uuid, digest: &[u8; 16]) {
        tx.delete(keys::lapse(topic, digest));
    }

    /// The key that signs messages, as it was kept.
    pub(crate) async fn key(&self) -> Result<Option<Kept>, Error> {
        let record: Option<KeyRecord> = self.store.snapshot().get_record(&keys::signing_key()).await?;
        record.map(|record| record.model()).transpose()
    }

    /// Keeps a key that signs messages, unless there is one; answers the one that is kept.
    pub(crate) async fn keep_key(&self, kept: &Kept) -> Result<Kept, Error> {
        self.store
            .transact(|tx| async move {
                if let Some(there) = tx.get_record::<KeyRecord>(&keys::signing_key()).await? {
                    return there.model();
                }
                tx.put_record(keys::signing_key(), &KeyRecord::of(kept));
                Ok::<_, Error>(kept.clone())
            })
            .await
    }

    async fn all(&self, prefix: &Key) -> Result<Vec<(Key, bytes::Bytes)>, Error> {
        let snapshot = self.store.snapshot();
        let (mut found, mut rest) = (Vec::new(), Some(Range::prefix(prefix)));
        while let Some(range) = rest.take() {
            let page = snapshot.scan(range, Scan::first(5_000)).await?;
            found.extend(page.items);
            rest = page.rest;
        }
        Ok(found)
    }
}

/// A record that the store can take; the fault says what is too long.
fn fitting<R: Record>(record: &R, what: &str) -> Result<bytes::Bytes, Error> {
    const BYTES_MAX: usize = Transaction::VALUE_BYTES_MAX;
    let bytes = ::store::record::encode(record)?;
    match bytes.len() {
        0..=BYTES_MAX => Ok(bytes),
        long => {
            Err(Error::because("Attributes", format!("{what} are {long} bytes long together, of at most {BYTES_MAX}")))
        }
    }
}
