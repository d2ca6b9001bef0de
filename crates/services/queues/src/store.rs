//! Where everything of the queues lies, and (with its room `store/`) the only place that touches the store.
//!
//! Changed in place, under `queues`: `made` (counts the queues that were ever made, for their numbers), `queue ACCOUNT REGION NAME`,
//! `task ACCOUNT REGION QUEUE STARTED` (moves of dead letters), and `gone QUEUE` for a deleted queue whose messages are still to
//! be taken away.
//!
//! Of class queue, under `queues` and the queue's number:
//!
//! | kind | then | record |
//! |---|---|---|
//! | `head` | | the next message's number, before which number nothing is, up to which everything was purged |
//! | `m` | number | a message, with its content where that is short |
//! | `b` | number, part | the content where it is long |
//! | `s` | number | how often the message was received, and until when it is hidden; only of received ones |
//! | `d` | digest | a deduplication id, until its five minutes are over |
//!
//! What always holds: numbers only grow, and are never used again, because each batch of sends writes `head` beside them. Only the
//! queue's keeper writes under its number, in one transaction after another, so nothing here can conflict. No scan begins before
//! `head`'s lowest number, so deleted messages are not walked over.

mod keys;
mod records;
mod tasks;

use std::collections::BTreeMap;
use std::sync::Arc;

use ::store::{Key, Range, Record, Scan, Store};
use bytes::Bytes;

use crate::error::Error;
use crate::model::{Message, Queue, QueueId, QueueName, Scope};

pub(crate) use keys::Keys;
pub(crate) use records::{Head, Id, Lapse, Received};
pub(crate) use tasks::{Task, TaskStatus};

use records::{Gone, Made, QueueRecord};

/// The prefix of everything of class record.
fn root() -> Key {
    Key::new("queues")
}

/// All queues of a node. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Cellar {
    store: Store,
}

/// Changes of one queue's keys that are to be made at once; of several to one key the last counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    writes: BTreeMap<Key, Option<Bytes>>,
    bytes: usize,
}

impl Changes {
    pub(crate) fn put<R: Record>(&mut self, key: Key, record: &R) -> Result<(), Error> {
        let bytes = ::store::record::encode(record)?;
        self.put_bytes(key, bytes);
        Ok(())
    }

    pub(crate) fn put_bytes(&mut self, key: Key, bytes: Bytes) {
        self.bytes += bytes.len() + key.as_bytes().len();
        self.writes.insert(key, Some(bytes));
    }

    pub(crate) fn delete(&mut self, key: Key) {
        self.writes.insert(key, None);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// About how many bytes, and how many keys.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.bytes, self.writes.len())
    }
}

/// A message that lies in the store, as a scan finds it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) number: u64,
    pub(crate) message: Arc<Message>,
    pub(crate) parts: u16,
}

impl Cellar {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Makes the changes, all or none.
    pub(crate) async fn commit(&self, changes: &Changes) -> Result<(), ::store::Error> {
        self.store
            .transact(|tx| async move {
                for (key, value) in &changes.writes {
                    match value {
                        Some(value) => tx.put(key.clone(), value.clone()),
                        None => tx.delete(key.clone()),
                    }
                }
                Ok(())
            })
            .await
    }

    /// Makes a queue; answers it, or the one that was there already.
    pub(crate) async fn create(&self, queue: Queue) -> Result<Result<Queue, Queue>, Error> {
        let queue = &queue;
        self.store
            .transact(|tx| async move {
                let key = keys::queue(&queue.scope, queue.name.as_str());
                if let Some(there) = tx.get_record::<QueueRecord>(&key).await? {
                    return Ok(Err(there.model(&queue.scope, &queue.name)?));
                }
                let mut made: Made = tx.get_record(&keys::made()).await?.unwrap_or_default();
                made.queues += 1;
                tx.put_record(keys::made(), &made);
                let queue = Queue { id: QueueId(made.queues), ..queue.clone() };
                tx.put_record(key, &QueueRecord::of(&queue));
                Ok::<_, Error>(Ok(queue))
            })
            .await
    }

    /// Changes a queue.
    pub(crate) async fn change(
        &self,
        scope: &Scope,
        name: &QueueName,
        change: impl Fn(&mut Queue) -> Result<(), Error> + Send + Sync,
    ) -> Result<Queue, Error> {
        let change = &change;
        self.store
            .transact(|tx| async move {
                let key = keys::queue(scope, name.as_str());
                let record: Option<QueueRecord> = tx.get_record(&key).await?;
                let mut queue = record.ok_or(Error::QueueMissing)?.model(scope, name)?;
                change(&mut queue)?;
                tx.put_record(key, &QueueRecord::of(&queue));
                Ok::<_, Error>(queue)
            })
            .await
    }

    /// Deletes a queue; its messages are out of reach at once, and taken away by [`Cellar::sweep`].
    pub(crate) async fn delete(&self, queue: &Queue) -> Result<(), Error> {
        self.store
            .transact(|tx| async move {
                tx.delete(keys::queue(&queue.scope, queue.name.as_str()));
                tx.put_record(keys::gone(queue.id), &Gone {});
                Ok::<_, Error>(())
            })
            .await
    }

    /// All queues.
    pub(crate) async fn queues(&self) -> Result<Vec<Queue>, Error> {
        let prefix = root().with("queue");
        let snapshot = self.store.snapshot();
        let (mut queues, mut rest) = (Vec::new(), Some(Range::prefix(&prefix)));
        while let Some(range) = rest.take() {
            let page = snapshot.scan(range, Scan::first(1_000)).await?;
            for (key, value) in page.items {
                let (scope, name) = keys::read_queue(&prefix, &key)?;
                queues.push(::store::record::decode::<QueueRecord>(&value)?.model(&scope, &name)?);
            }
            rest = page.rest;
        }
        Ok(queues)
    }

    /// Takes away what deleted queues left behind, a page at a time. False when nothing is left.
    pub(crate) async fn sweep(&self) -> Result<bool, Error> {
        const PAGE: usize = 2_000;
        let page = self.store.snapshot().scan(Range::prefix(&keys::all_gone()), Scan::first(1)).await?;
        let Some((note, _)) = page.items.into_iter().next() else { return Ok(false) };
        let id = keys::read_gone(&note)?;
        let left = self.store.snapshot().scan(Range::prefix(&Keys::of(id).all()), Scan::first(PAGE)).await?;
        let mut changes = Changes::default();
        if left.rest.is_none() {
            changes.delete(note);
        }
        left.items.into_iter().for_each(|(key, _)| changes.delete(key));
        self.commit(&changes).await?;
        Ok(true)
    }

    /// What is known of the queue's numbers. After a crash the last message may be newer than the record says: never older.
    pub(crate) async fn head(&self, keys: &Keys) -> Result<Head, Error> {
        let head: Head = self.store.snapshot().get_record(&keys.head()).await?.unwrap_or_default();
        Ok(head)
    }

    /// All messages that were received and are still there.
    pub(crate) async fn received(&self, keys: &Keys) -> Result<Vec<(u64, Received)>, Error> {
        self.all(&keys.received_all(), |key| keys.read_number(&keys.received_all(), key)).await
    }

    /// All deduplication ids.
    pub(crate) async fn lapses(&self, keys: &Keys) -> Result<Vec<([u8; 16], Lapse)>, Error> {
        self.all(&keys.lapses(), |key| Ok(key.parts_after(&keys.lapses())?.id()?)).await
    }

    async fn all<K, R: Record>(
        &self,
        prefix: &Key,
        read: impl Fn(&Key) -> Result<K, Error>,
    ) -> Result<Vec<(K, R)>, Error> {
        let snapshot = self.store.snapshot();
        let (mut found, mut rest) = (Vec::new(), Some(Range::prefix(prefix)));
        while let Some(range) = rest.take() {
            let page = snapshot.scan(range, Scan::first(5_000)).await?;
            for (key, value) in page.items {
                found.push((read(&key)?, ::store::record::decode(&value)?));
            }
            rest = page.rest;
        }
        Ok(found)
    }

    /// Up to `limit` messages from `number` on, and whether there are more.
    pub(crate) async fn messages(&self, keys: &Keys, number: u64, limit: usize) -> Result<(Vec<Found>, bool), Error> {
        let range = Range::prefix(&keys.messages()).from(&keys.message(number));
        let page = self.store.snapshot().scan(range, Scan::first(limit)).await?;
        let mut found = Vec::with_capacity(page.items.len());
        for (key, value) in page.items {
            let number = keys.read_number(&keys.messages(), &key)?;
            let (message, parts) = records::read_message(&value)?;
            found.push(Found { number, message: Arc::new(message), parts });
        }
        Ok((found, page.rest.is_some()))
    }

    /// A message with its content; none if it is not there.
    pub(crate) async fn message(&self, keys: &Keys, number: u64) -> Result<Option<Message>, Error> {
        let snapshot = self.store.snapshot();
        let Some(value) = snapshot.get(&keys.message(number)).await? else { return Ok(None) };
        let (mut message, parts) = records::read_message(&value)?;
        if parts > 0 {
            let mut bytes = Vec::new();
            for part in 0..parts {
                let piece = snapshot.get(&keys.part(number, part)).await?.ok_or_else(|| {
                    tracing::error!(number, part, "a part of a message is not there");
                    Error::Internal
                })?;
                bytes.extend_from_slice(&piece);
            }
            message.content = records::read_content(&bytes)?;
        }
        Ok(Some(message))
    }

    /// Writes a message; answers in how many parts its content lies beside it.
    pub(crate) fn put_message(
        &self,
        changes: &mut Changes,
        keys: &Keys,
        number: u64,
        message: &Message,
    ) -> Result<u16, Error> {
        let (record, parts) = records::message(message)?;
        changes.put(keys.message(number), &record)?;
        let count = u16::try_from(parts.len()).unwrap_or(u16::MAX);
        for (part, bytes) in (0..count).zip(parts) {
            changes.put_bytes(keys.part(number, part), bytes);
        }
        Ok(count)
    }

    /// Keys of what was purged, at most `limit` of them, from where the last page ended: none when all is gone.
    pub(crate) async fn purged(
        &self,
        keys: &Keys,
        head: &Head,
        at: &mut Sweep,
        limit: usize,
    ) -> Result<Vec<Key>, Error> {
        let kinds = [keys.messages(), keys.received_all(), keys.parts()];
        while let Some(kind) = kinds.get(at.kind) {
            let first = kind.clone().with(head.low);
            let range = Range::prefix(kind).before(&kind.clone().with(head.purged));
            let range = range.from(at.after.as_ref().unwrap_or(&first));
            let page = self.store.snapshot().scan(range, Scan::first(limit)).await?;
            if let Some((last, _)) = page.items.last() {
                at.after = Some(last.clone());
                return Ok(page.items.into_iter().map(|(key, _)| key).collect());
            }
            *at = Sweep { kind: at.kind + 1, after: None };
        }
        Ok(Vec::new())
    }
}

/// Where taking away what was purged has come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sweep {
    kind: usize,
    after: Option<Key>,
}
