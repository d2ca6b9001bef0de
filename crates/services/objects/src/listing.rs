//! Listings: what is there, in order, folded at a delimiter, a page at a time. What is folded or passed over is not read: the cursor
//! seeks behind it.

use std::collections::VecDeque;

use ::store::{Key, Range, Scan, Snapshot};
use bytes::Bytes;

use crate::error::Error;
use crate::model::Version;
use crate::store::{found, objects_key, text_after, versions_key};

/// The most that one page has.
pub(crate) const PAGE_MAX: usize = 1000;
/// So many are read first where a delimiter may fold them all into one.
const BATCH_FIRST: usize = 16;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) prefix: String,
    /// Empty: nothing is folded.
    pub(crate) delimiter: String,
    /// Keys behind this one.
    pub(crate) after: String,
    pub(crate) limit: usize,
}

/// One line of a page.
pub(crate) enum Line {
    /// An object or marker, and whether it is the newest of its key.
    Version(String, Box<Version>, bool),
    /// What all folded keys begin with.
    Prefix(String),
}

/// A page.
pub(crate) struct Page {
    pub(crate) lines: Vec<Line>,
    /// Whether there is more.
    pub(crate) truncated: bool,
}

impl Asked {
    /// What a key is folded into.
    fn fold<'a>(&self, key: &'a str) -> Option<&'a str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = key.strip_prefix(&self.prefix)?;
        let end = rest.find(&self.delimiter)? + self.delimiter.len();
        Some(&key[..self.prefix.len() + end])
    }

    fn range(&self, parent: &Key) -> Range {
        let range = Range::text_prefix(parent, &self.prefix);
        // A marker that is a fold stands for all that is folded into it.
        match self.after.as_str() {
            "" => range,
            after if self.fold(after) == Some(after) => range.past(&Range::text_prefix(parent, after)),
            after => range.after(&parent.clone().with(after)),
        }
    }

    fn batch(&self) -> usize {
        if self.delimiter.is_empty() { self.limit + 1 } else { BATCH_FIRST }
    }
}

/// The current objects of a bucket.
pub(crate) async fn objects(snapshot: &Snapshot, bucket: &str, asked: &Asked) -> Result<Page, Error> {
    let parent = objects_key(bucket);
    let mut cursor = Cursor::new(snapshot, parent.clone(), asked.range(&parent), asked.batch());
    let mut lines = Vec::new();
    while let Some((key, _)) = cursor.peek().await? {
        if lines.len() >= asked.limit {
            return Ok(Page { lines, truncated: asked.limit > 0 });
        }
        if let Some(fold) = asked.fold(key).map(str::to_owned) {
            cursor.skip(&fold);
            lines.push(Line::Prefix(fold));
        } else if let Some((key, bytes)) = cursor.pop() {
            lines.push(Line::Version(key, Box::new(found(&bytes, true)?.version), true));
        }
    }
    Ok(Page { lines, truncated: false })
}

/// All versions of a bucket: keys in order, of each the newest first. The key `asked.after` goes on with the versions that are older
/// than those of the order `older_than`, which need not be there any more.
pub(crate) async fn versions(
    snapshot: &Snapshot,
    bucket: &str,
    asked: &Asked,
    older_than: Option<u64>,
) -> Result<Page, Error> {
    let (parent, others) = (objects_key(bucket), versions_key(bucket));
    let mut range = asked.range(&others);
    if let Some(order) = older_than {
        let at = others.clone().with(asked.after.as_str()).with(u64::MAX - order);
        range = Range::text_prefix(&others, &asked.prefix).after(&at);
    }
    let mut current = Cursor::new(snapshot, parent.clone(), asked.range(&parent), asked.batch());
    let mut other = Cursor::new(snapshot, others.clone(), range, asked.batch());
    let mut lines = Vec::new();
    // The key whose newest version was told already.
    let mut told = None;
    if let Some(order) = older_than {
        let rest = Rest::of(snapshot, &parent, &others, asked, order).await?;
        told = rest.newest_told.then(|| asked.after.clone());
        current.read.extend(rest.current.map(|bytes| (asked.after.clone(), bytes)));
    }
    loop {
        let (one, two) = (current.peek_key().await?, other.peek_key().await?);
        let from_current = match (&one, &two) {
            (None, None) => return Ok(Page { lines, truncated: false }),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(one), Some(two)) => one <= two,
        };
        if lines.len() >= asked.limit {
            return Ok(Page { lines, truncated: asked.limit > 0 });
        }
        let Some(key) = (if from_current { one } else { two }) else { continue };
        if let Some(fold) = asked.fold(&key) {
            current.skip(fold);
            other.skip(fold);
            lines.push(Line::Prefix(fold.to_owned()));
            continue;
        }
        let popped = if from_current { current.pop() } else { other.pop() };
        let Some((key, bytes)) = popped else { continue };
        let latest = told.as_ref() != Some(&key);
        lines.push(Line::Version(key.clone(), Box::new(found(&bytes, latest)?.version), latest));
        told = Some(key);
    }
}

/// What is left of the key in whose versions a listing goes on.
struct Rest {
    /// The current version, where it is older than those that were told: others have gone since, and it took their place.
    current: Option<Bytes>,
    /// Whether the newest of them was told.
    newest_told: bool,
}

impl Rest {
    async fn of(snapshot: &Snapshot, parent: &Key, others: &Key, asked: &Asked, order: u64) -> Result<Self, Error> {
        let key = asked.after.as_str();
        if let Some(bytes) = snapshot.get(&parent.clone().with(key)).await? {
            let is_older = found(&bytes, true)?.version.order < order;
            let is_asked_for = key.starts_with(&asked.prefix);
            return Ok(Self { current: Some(bytes).filter(|_| is_older && is_asked_for), newest_told: !is_older });
        }
        let page = snapshot.scan(Range::prefix(&others.clone().with(key)), Scan::first(1)).await?;
        let newest = page.items.first().map(|(_, bytes)| found(bytes, false)).transpose()?;
        Ok(Self { current: None, newest_told: newest.is_some_and(|newest| newest.version.order >= order) })
    }
}

/// Goes through a range, reading some at a time.
struct Cursor<'a> {
    snapshot: &'a Snapshot,
    parent: Key,
    rest: Option<Range>,
    read: VecDeque<(String, Bytes)>,
    batch: usize,
    first: usize,
}

impl<'a> Cursor<'a> {
    fn new(snapshot: &'a Snapshot, parent: Key, range: Range, batch: usize) -> Self {
        let batch = batch.clamp(1, PAGE_MAX + 1);
        Self { snapshot, parent, rest: Some(range), read: VecDeque::new(), batch, first: batch }
    }

    async fn peek(&mut self) -> Result<Option<(&str, &Bytes)>, Error> {
        while self.read.is_empty() {
            let Some(range) = self.rest.take().filter(|range| !range.is_empty()) else { return Ok(None) };
            let page = self.snapshot.scan(range, Scan::first(self.batch)).await?;
            self.batch = (self.batch * 2).min(PAGE_MAX + 1);
            for (key, bytes) in page.items {
                self.read.push_back((text_after(&key, &self.parent)?, bytes));
            }
            self.rest = page.rest;
        }
        Ok(self.read.front().map(|(key, bytes)| (key.as_str(), bytes)))
    }

    async fn peek_key(&mut self) -> Result<Option<String>, Error> {
        Ok(self.peek().await?.map(|(key, _)| key.to_owned()))
    }

    fn pop(&mut self) -> Option<(String, Bytes)> {
        self.read.pop_front()
    }

    /// Goes behind all keys that begin so.
    fn skip(&mut self, prefix: &str) {
        while self.read.front().is_some_and(|(key, _)| key.starts_with(prefix)) {
            self.read.pop_front();
        }
        if self.read.is_empty() {
            let folded = Range::text_prefix(&self.parent, prefix);
            self.rest = self.rest.take().map(|rest| rest.past(&folded));
            // What follows may be folded as well.
            self.batch = self.first;
        }
    }
}
