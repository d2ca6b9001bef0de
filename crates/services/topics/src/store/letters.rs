//! The outbox: mail, short messages and pushes, for people to read, and for whoever sends them on.
//!
//! A journal, so that it is read in the order in which things were published: `topics-outbox l` and the commit's number, and beside it
//! `topics-outbox b ID PART` for what is longer than a value may be. Full is what holds [`Letters::COUNT_MAX`] of them: then the oldest
//! go. Nothing is refused because of it.

use std::sync::Mutex;
use std::sync::PoisonError;

use ::store::{Key, Range, Record, Scan, Store, Transaction};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;

/// Something for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Its own id.
    pub id: Uuid,
    /// The id of the message that it brings.
    pub message: Uuid,
    /// `email`, `email-json`, `sms` or `application`.
    pub protocol: String,
    /// An address, a phone number, or the ARN of an endpoint.
    pub to: String,
    /// What it is about.
    pub subject: Option<String>,
    /// What it says.
    pub body: String,
    /// The topic, if it came by one.
    pub topic: Option<String>,
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
}

/// A letter without what it says, where that lies beside it.
#[derive(Debug, Serialize, Deserialize)]
struct LetterRecord {
    letter: Letter,
    parts: u16,
}

impl Record for LetterRecord {
    const KIND: &'static str = "letter";
    const VERSION: u16 = 1;
}

/// The outbox of a node.
#[derive(Debug)]
pub(crate) struct Letters {
    store: Store,
    /// How many there are. None until it was counted.
    count: Mutex<Option<usize>>,
    /// Where the first one that is left comes after: what is before it was taken away, and is not walked over.
    taken: Mutex<Option<Key>>,
}

/// Some letters, and where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Newest first.
    pub letters: Vec<Letter>,
    /// What to ask for the page after this one.
    pub next: Option<String>,
}

fn all() -> Key {
    Key::journal("topics-outbox")
}

fn list() -> Key {
    all().with("l")
}

fn parts(id: Uuid) -> Key {
    all().with("b").with(id.into_bytes())
}

/// A part, and what a letter holds itself. JSON may make six bytes of one.
const PART_BYTES: usize = 60 << 10;
const SHORT_BYTES: usize = 9 << 10;

impl Letters {
    /// The most letters that are kept.
    pub(crate) const COUNT_MAX: usize = 10_000;
    /// The most letters of one page.
    pub(crate) const PAGE_MAX: usize = 100;
    /// So many too many are waited for before the oldest are taken away at once.
    const SLACK: usize = 100;

    pub(crate) fn new(store: Store) -> Self {
        Self { store, count: Mutex::default(), taken: Mutex::default() }
    }

    /// Writes a letter, in the transaction that publishes it.
    pub(crate) fn put(tx: &Transaction, letter: &Letter) {
        let mut record = LetterRecord { letter: letter.clone(), parts: 0 };
        if letter.body.len() > SHORT_BYTES {
            record.letter.body.clear();
            for (part, piece) in (0_u16..).zip(letter.body.as_bytes().chunks(PART_BYTES)) {
                tx.put(parts(letter.id).with(part), piece.to_vec());
                record.parts = part + 1;
            }
        }
        tx.append_record(list(), &record);
    }

    /// A page, newest first.
    pub(crate) async fn page(&self, before: Option<&str>, limit: usize) -> Result<Page, Error> {
        let wrong = || Error::because("before", "it is not what a page before this one gave");
        let mut range = Range::prefix(&list());
        if let Some(token) = before {
            let key = hex::decode(token).ok().and_then(|bytes| Key::from_bytes(bytes).ok()).ok_or_else(wrong)?;
            range = if range.contains(&key) { range.before(&key) } else { return Err(wrong()) };
        }
        let snapshot = self.store.snapshot();
        let page = snapshot.scan(range, Scan::last(limit.clamp(1, Self::PAGE_MAX))).await?;
        let next = page.rest.as_ref().and(page.items.last()).map(|(key, _)| hex::encode(key.as_bytes()));
        let mut letters = Vec::with_capacity(page.items.len());
        for (_, value) in page.items {
            let mut record: LetterRecord = ::store::record::decode(&value)?;
            let mut bytes = Vec::new();
            for part in 0..record.parts {
                // A letter that was taken away meanwhile is shown as far as it is there.
                bytes.extend(snapshot.get(&parts(record.letter.id).with(part)).await?.unwrap_or_default());
            }
            if record.parts > 0 {
                record.letter.body = String::from_utf8_lossy(&bytes).into_owned();
            }
            letters.push(record.letter);
        }
        Ok(Page { letters, next })
    }

    /// Counts letters that were put; true when it is time to [`Letters::trim`].
    pub(crate) fn counted(&self, put: usize) -> bool {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        match count.as_mut() {
            Some(count) => {
                *count += put;
                *count > Self::COUNT_MAX + Self::SLACK
            }
            None => put > 0,
        }
    }

    /// Takes the oldest away, where there are too many.
    pub(crate) async fn trim(&self) -> Result<(), Error> {
        let after = self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let range = match &after {
            Some(key) => Range::prefix(&list()).after(key),
            None => Range::prefix(&list()),
        };
        let snapshot = self.store.snapshot();
        let (mut keys, mut rest) = (Vec::new(), Some(range));
        while let Some(range) = rest.take() {
            let page = snapshot.scan(range, Scan::first(Scan::PAGE_MAX)).await?;
            for (key, value) in page.items {
                let record: LetterRecord = ::store::record::decode(&value)?;
                keys.push((key, record.letter.id, record.parts));
            }
            rest = page.rest;
        }
        let excess = keys.len().saturating_sub(Self::COUNT_MAX);
        for chunk in keys[..excess].chunks(1_000) {
            self.store
                .transact(|tx| async move {
                    for (key, id, count) in chunk {
                        tx.delete(key.clone());
                        (0..*count).for_each(|part| tx.delete(parts(*id).with(part)));
                    }
                    Ok::<_, Error>(())
                })
                .await?;
        }
        if let Some((last, ..)) = keys[..excess].last() {
            *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(last.clone());
        }
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) = Some(keys.len() - excess);
        Ok(())
    }

    /// Forgets what it knows: the store was emptied.
    pub(crate) fn forget(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
