//! How deliveries are kept: the only file of this crate that touches the store.
//!
//! All keys are of class queue, and begin with a name, the lane's kind, its order (0: in order, else how many at once) and its name:
//!
//! | name | then | value |
//! |---|---|---|
//! | `out` | sequence, index | a waiting delivery: its record, a line feed, and its bytes if they are few |
//! | `out-parts` | sequence, index | its bytes otherwise, in pieces: appended right after it, so their indexes follow its own |
//! | `out-failed` | sequence, index | a delivery that was given up; its pieces stay where they are |
//!
//! The bytes are the parcel, followed by the dead letter's body where that is not the event itself.
//!
//! What always holds: the record, its pieces and whatever the transaction that put them wrote besides are there together or not at
//! all. Keys are given by the commit, so the order of a lane's keys is the order of its commits, and a key in the feed whose sequence
//! is the commit's own is new, while any other was changed or removed.

use std::borrow::Cow;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use contract::{AccountId, Region, Trace};
use serde::{Deserialize, Serialize};
use store::{Error, Key, Range, Record, Scan, Sequence, Store, Transaction};

use crate::call::Acting;
use crate::dead_letter::Fill;
use crate::{Carried, DeadLetter, Delivery, Failure, LaneId, Order, Retry, Sender};

/// Bytes beside the record itself: beyond, a start would read much that it does not need.
const INLINE_BYTES_MAX: usize = 1 << 10;
/// A piece.
const PART_BYTES: usize = 60 << 10;

/// Puts a delivery into the outbox, in the transaction that makes the event true. Once that is committed the delivery is carried,
/// whatever happens to the node. A parcel that is larger than [`Delivery::PARCEL_BYTES_MAX`] makes the commit fail.
pub fn put(tx: &Transaction, delivery: &Delivery) {
    let lane = Place::lane(HEADS, &delivery.lane);
    let (head, bytes) = Head::new(delivery);
    write(
        &head,
        &bytes,
        |value| tx.append(lane, value),
        |part| {
            tx.append(Place::lane(PARTS, &delivery.lane), part);
        },
    );
}

const HEADS: &str = "out";
const PARTS: &str = "out-parts";
const FAILED: &str = "out-failed";

/// The prefix of what waits.
pub(crate) fn waiting() -> Key {
    Key::queue(HEADS)
}

/// Which delivery of a lane: they go out in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// The commit that put it.
    pub(crate) sequence: u64,
    /// Its number among what that commit put.
    pub(crate) index: u64,
}

impl Place {
    fn lane(name: &str, lane: &LaneId) -> Key {
        let order = match lane.order() {
            Order::InOrder => 0,
            Order::Any { at_once } => at_once.max(1),
        };
        Key::queue(name).with(lane.kind()).with(order).with(lane.name())
    }

    fn key(self, name: &str, lane: &LaneId) -> Key {
        Self::lane(name, lane).with(self.sequence).with(self.index)
    }

    /// Reads a key of a waiting delivery.
    pub(crate) fn of(key: &Key) -> Result<(LaneId, Self), Error> {
        Self::read(HEADS, key)
    }

    fn read(name: &str, key: &Key) -> Result<(LaneId, Self), Error> {
        let mut parts = key.parts_after(&Key::queue(name))?;
        let (kind, order, name) = (parts.text()?, parts.number()?, parts.text()?);
        let order = match u16::try_from(order) {
            Ok(0) => Order::InOrder,
            Ok(at_once) => Order::Any { at_once },
            Err(_) => return Err(Error::KeyPart { expected: "a lane's order", found: "a larger number" }),
        };
        Ok((LaneId::new(kind, order, name), Self { sequence: parts.number()?, index: parts.number()? }))
    }
}

/// A delivery that was read.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) carrier: String,
    pub(crate) due_ms: Option<i64>,
    pub(crate) carried: Carried,
    head: Head,
    bytes: Bytes,
}

/// What the scan of a whole outbox finds of each delivery.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) lane: LaneId,
    pub(crate) place: Place,
    pub(crate) due_ms: Option<i64>,
    pub(crate) failure: Option<Failure>,
    pub(crate) failed_ms: i64,
}

/// Which deliveries are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Failed,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Waiting => HEADS,
            Self::Failed => FAILED,
        }
    }
}

/// The way to the deliveries in the store.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    store: Store,
}

impl Outbox {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Everything in a state, page by page, in order within each lane.
    pub(crate) async fn scan(&self, state: State, mut each: impl FnMut(Found)) -> Result<(), Error> {
        let mut rest = Some(Range::prefix(&Key::queue(state.name())));
        while let Some(range) = rest.take() {
            // A snapshot of its own for each page: they must not be held for long.
            let page = self.store.snapshot().scan(range, Scan::first(Scan::PAGE_MAX)).await?;
            for (key, value) in &page.items {
                each(found(state, key, value)?);
            }
            rest = page.rest;
        }
        Ok(())
    }

    /// What waits in a lane behind a place, up to `most`; whether that is all, as of which commit.
    pub(crate) async fn behind(&self, lane: &LaneId, after: Place, most: usize) -> Result<Page, Error> {
        let range = Range::prefix(&Place::lane(HEADS, lane)).after(&after.key(HEADS, lane));
        let snapshot = self.store.snapshot();
        let page = snapshot.scan(range, Scan::first(most)).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for (key, value) in &page.items {
            let found = found(State::Waiting, key, value)?;
            items.push((found.place, found.due_ms));
        }
        Ok(Page { items, is_last: page.rest.is_none(), as_of: snapshot.sequence() })
    }

    /// A whole delivery; none if it is gone.
    pub(crate) async fn load(&self, state: State, lane: &LaneId, place: Place) -> Result<Option<Stored>, Error> {
        let snapshot = self.store.snapshot();
        let Some(value) = snapshot.get(&place.key(state.name(), lane)).await? else { return Ok(None) };
        let (head, inline) = split(&value)?;
        let mut bytes = BytesMut::from(inline);
        for part in head.parts(place) {
            let key = part.key(PARTS, lane);
            let Some(piece) = snapshot.get(&key).await? else { return Err(wrong("a piece of it is missing")) };
            bytes.put(piece);
        }
        Stored::new(lane, head, bytes.freeze()).map(Some)
    }

    /// Takes a delivery away, and puts what follows from it.
    pub(crate) async fn finish(
        &self,
        state: State,
        place: Place,
        stored: &Stored,
        then: &[Delivery],
    ) -> Result<(), Error> {
        let change = |tx: Transaction| async move {
            stored.remove(&tx, state, place);
            then.iter().for_each(|delivery| put(&tx, delivery));
            Ok(())
        };
        self.store.transact(change).await
    }

    /// Notes a try that failed.
    pub(crate) async fn postpone(&self, place: Place, stored: &Stored, tried: Tried) -> Result<(), Error> {
        let value = stored.changed(tried);
        let value = &value;
        let key = place.key(HEADS, &stored.carried.lane);
        let key = &key;
        self.store
            .transact(|tx| async move {
                // Gone if the store was emptied meanwhile; then it must not come back without its pieces.
                if tx.get(key).await?.is_some() {
                    tx.put(key.clone(), value.clone());
                }
                Ok(())
            })
            .await
    }

    /// Keeps a delivery as failed; it waits no more.
    pub(crate) async fn give_up(&self, place: Place, stored: &Stored, tried: Tried, now_ms: i64) -> Result<(), Error> {
        let mut failed = stored.clone();
        failed.head.failed_ms = now_ms;
        let value = failed.changed(tried);
        let (lane, value) = (&stored.carried.lane, &value);
        self.store
            .transact(|tx| async move {
                let waiting = place.key(HEADS, lane);
                if tx.get(&waiting).await?.is_some() {
                    tx.delete(waiting);
                    tx.put(place.key(FAILED, lane), value.clone());
                }
                Ok(())
            })
            .await
    }
}

/// What is noted after a try.
#[derive(Clone, Debug)]
pub(crate) struct Tried {
    pub(crate) tries: u32,
    pub(crate) retries: u32,
    pub(crate) due_ms: Option<i64>,
    pub(crate) failure: Failure,
}

/// A page of a lane.
pub(crate) struct Page {
    pub(crate) items: Vec<(Place, Option<i64>)>,
    pub(crate) is_last: bool,
    pub(crate) as_of: Sequence,
}

impl Stored {
    fn new(lane: &LaneId, head: Head, bytes: Bytes) -> Result<Self, Error> {
        if bytes.len() < head.parcel_bytes {
            return Err(wrong("it is shorter than it says"));
        }
        let mut dead_letter = head.dead_letter.clone().map(DeadLetter::try_from).transpose()?;
        if let Some(dead_letter) = dead_letter.as_mut().filter(|_| bytes.len() > head.parcel_bytes) {
            let body = bytes.slice(head.parcel_bytes..);
            dead_letter.body = Some(String::from_utf8(body.into()).map_err(|_| wrong("its dead letter is not text"))?);
        }
        let trace = Trace::from_traceparent(&head.trace).ok_or_else(|| wrong("its trace cannot be read"))?;
        let account = AccountId::parse(&head.account).ok_or_else(|| wrong("its account cannot be read"))?;
        let region = Region::parse(&head.region).ok_or_else(|| wrong("its region cannot be read"))?;
        let sender = Sender {
            account,
            region,
            base_url: head.base_url.as_str().into(),
            hops: head.hops,
            trace,
            since_ms: head.since_ms,
        };
        let carried = Carried {
            lane: lane.clone(),
            parcel: bytes.slice(..head.parcel_bytes),
            sender,
            tries: head.tries,
            retries: head.retries,
            retry: head.retry(),
            dead_letter,
        };
        Ok(Self { carrier: head.carrier.clone().into_owned(), due_ms: head.due_ms, carried, head, bytes })
    }

    /// The delivery anew, with its whole patience, as of now.
    pub(crate) fn again(&self, now_ms: i64) -> Delivery {
        let Carried { lane, parcel, sender, retry, dead_letter, .. } = self.carried.clone();
        Delivery {
            lane,
            carrier: Cow::Owned(self.carrier.clone()),
            parcel,
            retry,
            due_ms: None,
            dead_letter,
            sender: Sender { since_ms: now_ms, ..sender },
        }
    }

    fn remove(&self, tx: &Transaction, state: State, place: Place) {
        let lane = &self.carried.lane;
        tx.delete(place.key(state.name(), lane));
        self.head.parts(place).for_each(|part| tx.delete(part.key(PARTS, lane)));
    }

    /// The record after a try; the pieces stay.
    fn changed(&self, tried: Tried) -> Bytes {
        let Tried { tries, retries, due_ms, failure } = tried;
        let (code, message) = (Some(failure.code), Some(failure.message));
        let head = Head { tries, retries, due_ms, code, message, ..self.head.clone() };
        head.encode(if head.parts == 0 { &self.bytes } else { &[] })
    }
}

/// What is known of a delivery beside its bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Head {
    carrier: Cow<'static, str>,
    parcel_bytes: usize,
    /// In how many pieces the bytes lie; none: they follow the record.
    parts: u64,
    account: String,
    region: String,
    base_url: String,
    hops: u8,
    trace: String,
    since_ms: i64,
    retries_max: u32,
    age_max_ms: u64,
    wait_first_ms: u64,
    wait_max_ms: u64,
    tries: u32,
    retries: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead_letter: Option<DeadLetterRecord>,
    /// When it was given up; 0 while it waits.
    #[serde(default)]
    failed_ms: i64,
}

impl Record for Head {
    const KIND: &'static str = "delivery";
    const VERSION: u16 = 1;
}

impl Head {
    fn new(delivery: &Delivery) -> (Self, Bytes) {
        let Delivery { carrier, parcel, retry, due_ms, dead_letter, sender, .. } = delivery;
        let body = dead_letter.as_ref().and_then(|letter| letter.body.as_deref()).unwrap_or_default();
        let bytes = match body {
            "" => parcel.clone(),
            body => [parcel, body.as_bytes()].concat().into(),
        };
        let parts = match bytes.len() {
            0..=INLINE_BYTES_MAX => 0,
            long => long.div_ceil(PART_BYTES) as u64,
        };
        let head = Self {
            carrier: carrier.clone(),
            parcel_bytes: parcel.len(),
            parts,
            account: sender.account.to_string(),
            region: sender.region.to_string(),
            base_url: sender.base_url.to_string(),
            hops: sender.hops,
            trace: sender.trace.traceparent(),
            since_ms: sender.since_ms,
            retries_max: retry.retries_max,
            age_max_ms: milliseconds(retry.age_max),
            wait_first_ms: milliseconds(retry.wait_first),
            wait_max_ms: milliseconds(retry.wait_max),
            tries: 0,
            retries: 0,
            due_ms: *due_ms,
            code: None,
            message: None,
            dead_letter: dead_letter.as_ref().map(DeadLetterRecord::from),
            failed_ms: 0,
        };
        (head, bytes)
    }

    fn retry(&self) -> Retry {
        Retry {
            retries_max: self.retries_max,
            age_max: Duration::from_millis(self.age_max_ms),
            wait_first: Duration::from_millis(self.wait_first_ms),
            wait_max: Duration::from_millis(self.wait_max_ms),
        }
    }

    fn failure(&self) -> Option<Failure> {
        let code = self.code.clone()?;
        Some(Failure { code, message: self.message.clone().unwrap_or_default() })
    }

    /// Where the pieces lie.
    fn parts(&self, place: Place) -> impl Iterator<Item = Place> + use<> {
        (1..=self.parts).map(move |part| Place { index: place.index + part, ..place })
    }

    fn encode(&self, inline: &[u8]) -> Bytes {
        let record = store::record::encode(self).expect("a record of text and numbers is JSON");
        let mut out = BytesMut::with_capacity(record.len() + 1 + inline.len());
        out.put(record);
        // JSON on one line has no line feed in it.
        out.put_u8(b'\n');
        out.put(inline);
        out.freeze()
    }
}

fn write(head: &Head, bytes: &Bytes, first: impl FnOnce(Bytes), mut part: impl FnMut(Bytes)) {
    if head.parts == 0 {
        return first(head.encode(bytes));
    }
    first(head.encode(&[]));
    if head.parcel_bytes > Delivery::PARCEL_BYTES_MAX {
        // One value that the store refuses, so that the transaction fails as a whole.
        return part(bytes.clone());
    }
    for at in (0..bytes.len()).step_by(PART_BYTES) {
        part(bytes.slice(at..bytes.len().min(at + PART_BYTES)));
    }
}

fn split(value: &Bytes) -> Result<(Head, &[u8]), Error> {
    let end = value.iter().position(|byte| *byte == b'\n').ok_or_else(|| wrong("its record does not end"))?;
    Ok((store::record::decode(&value[..end])?, &value[end + 1..]))
}

fn found(state: State, key: &Key, value: &Bytes) -> Result<Found, Error> {
    let (lane, place) = Place::read(state.name(), key)?;
    let (head, _) = split(value)?;
    let (failure, due_ms, failed_ms) = (head.failure(), head.due_ms, head.failed_ms);
    Ok(Found { lane, place, due_ms, failure, failed_ms })
}

fn wrong(why: &str) -> Error {
    Error::Record { kind: Head::KIND, why: why.to_owned() }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct DeadLetterRecord {
    arn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    attributes: Vec<(String, Fill)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
}

impl From<&DeadLetter> for DeadLetterRecord {
    fn from(letter: &DeadLetter) -> Self {
        let DeadLetter { arn, acting, attributes, group, .. } = letter.clone();
        let (principal, source, role, session) = match acting {
            Acting::Service { name, source } => (Some(name.to_owned()), source, None, None),
            Acting::Role { role, session } => (None, None, Some(role), Some(session)),
        };
        let text = |text: Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
        Self { arn, principal, source: text(source), role: text(role), session: text(session), attributes, group }
    }
}

impl TryFrom<DeadLetterRecord> for DeadLetter {
    type Error = Error;

    fn try_from(record: DeadLetterRecord) -> Result<Self, Error> {
        let DeadLetterRecord { arn, principal, source, role, session, attributes, group } = record;
        let acting =
            Acting::read(principal, source, role, session).ok_or_else(|| wrong("nobody sends its dead letter"))?;
        Ok(Self { arn, acting, body: None, attributes, group })
    }
}
