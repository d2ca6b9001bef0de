//! What to scan: a range of keys, how many of them, from which end, and the page that comes back.

use bytes::{BufMut, Bytes, BytesMut};

use crate::Key;
use crate::key::{AFTER_ALL, Class};

/// All keys from `start` up to, but not including, `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub(crate) start: Bytes,
    pub(crate) end: Bytes,
}

impl Range {
    /// Everything in the store.
    pub fn all() -> Self {
        Self { start: Bytes::new(), end: Bytes::from_static(&[AFTER_ALL]) }
    }

    /// `prefix` itself and every key that has more parts after it.
    pub fn prefix(prefix: &Key) -> Self {
        let mut end = BytesMut::from(prefix.as_bytes());
        end.put_u8(AFTER_ALL);
        Self { start: prefix.bytes().clone(), end: end.freeze() }
    }

    /// The keys under `parent` whose next part is a text that begins with `text`: a listing by the start of a name.
    pub fn text_prefix(parent: &Key, text: &str) -> Self {
        let whole = parent.clone().with(text);
        let mut end = BytesMut::from(&whole.as_bytes()[..whole.as_bytes().len() - 1]);
        let start = Bytes::copy_from_slice(&end);
        end.put_u8(AFTER_ALL);
        Self { start, end: end.freeze() }
    }

    /// The keys under `parent` whose next part is bytes that begin with `bytes`.
    pub fn bytes_prefix(parent: &Key, bytes: &[u8]) -> Self {
        let whole = parent.clone().with(bytes);
        let mut end = BytesMut::from(&whole.as_bytes()[..whole.as_bytes().len() - 1]);
        let start = Bytes::copy_from_slice(&end);
        // Bytes may be 0xff, and go on after it: only the last byte that can be counted up makes an end.
        while end.last() == Some(&AFTER_ALL) {
            end.truncate(end.len() - 1);
        }
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        Self { start, end: end.freeze() }
    }

    /// From `start` up to, but not including, `end`. Empty where `end` is not after `start`.
    pub fn between(start: &Key, end: &Key) -> Self {
        Self { start: start.bytes().clone(), end: end.bytes().clone() }
    }

    /// The part of this range that comes after `key` (and after what has more parts than it).
    #[must_use]
    pub fn after(self, key: &Key) -> Self {
        let beyond = Self::prefix(key).end;
        Self { start: self.start.max(beyond), end: self.end }
    }

    /// The part of this range that comes after all of `other`.
    #[must_use]
    pub fn past(self, other: &Self) -> Self {
        Self { start: self.start.max(other.end.clone()), end: self.end }
    }

    /// The part of this range from `key` on.
    #[must_use]
    pub fn from(self, key: &Key) -> Self {
        Self { start: self.start.max(key.bytes().clone()), end: self.end }
    }

    /// The part of this range before `key`.
    #[must_use]
    pub fn before(self, key: &Key) -> Self {
        Self { start: self.start, end: self.end.min(key.bytes().clone()) }
    }

    /// The part of this range that holds keys of one class.
    pub(crate) fn within(&self, class: Class) -> Self {
        let (start, end) = class.bounds();
        Self { start: self.start.clone().max(start), end: self.end.clone().min(end) }
    }

    /// The part of this range up to `key`, with it and what has more parts than it.
    #[must_use]
    pub fn through(self, key: &Key) -> Self {
        let beyond = Self::prefix(key).end;
        Self { start: self.start, end: self.end.min(beyond) }
    }

    /// Whether `key` lies in it.
    pub fn contains(&self, key: &Key) -> bool {
        self.start <= key.bytes() && key.bytes() < &self.end
    }

    /// Whether no key can lie in it.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }
}

/// How much to scan, and from which end. A page also ends when it is full of bytes ([`Scan::PAGE_BYTES_MAX`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    pub(crate) limit: usize,
    pub(crate) order: Order,
}

/// From which end a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest key first.
    Ascending,
    /// Largest key first.
    Descending,
}

impl Scan {
    /// The most pairs of one page.
    pub const PAGE_MAX: usize = 10_000;

    /// A page ends with the pair that makes its values longer than this together.
    pub const PAGE_BYTES_MAX: usize = 4 << 20;

    /// The first `limit` pairs, smallest key first; at most [`Scan::PAGE_MAX`], whatever `limit` says.
    pub fn first(limit: usize) -> Self {
        Self { limit: limit.min(Self::PAGE_MAX), order: Order::Ascending }
    }

    /// The last `limit` pairs, largest key first.
    pub fn last(limit: usize) -> Self {
        Self { limit: limit.min(Self::PAGE_MAX), order: Order::Descending }
    }
}

/// What a scan found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Keys and values, in the order of the scan.
    pub items: Vec<(Key, Bytes)>,
    /// What was not looked at: scan it for the next page. None at the end of the range.
    pub rest: Option<Range>,
}

impl Page {
    pub(crate) fn empty() -> Self {
        Self { items: Vec::new(), rest: None }
    }

    /// A page that stopped after its last item, with more of `range` behind it.
    pub(crate) fn cut(items: Vec<(Key, Bytes)>, range: &Range, order: Order) -> Self {
        let rest = match items.last() {
            None => range.clone(),
            Some((last, _)) => beyond(range, last, order),
        };
        Self { items, rest: (!rest.is_empty()).then_some(rest) }
    }
}

/// What of `range` comes after the key `last` in a scan.
pub(crate) fn beyond(range: &Range, last: &Key, order: Order) -> Range {
    match order {
        // The very next byte string, not Range::after: keys with more parts than `last` are still to come.
        Order::Ascending => Range { start: successor(last), end: range.end.clone() },
        Order::Descending => Range { start: range.start.clone(), end: last.bytes().clone() },
    }
}

/// What of `range` a scan has seen when it stopped at the key `last`.
pub(crate) fn seen(range: &Range, last: &Key, order: Order) -> Range {
    match order {
        Order::Ascending => Range { start: range.start.clone(), end: successor(last) },
        Order::Descending => Range { start: last.bytes().clone(), end: range.end.clone() },
    }
}

fn successor(key: &Key) -> Bytes {
    let mut next = BytesMut::with_capacity(key.as_bytes().len() + 1);
    next.put_slice(key.as_bytes());
    next.put_u8(0);
    next.freeze()
}
