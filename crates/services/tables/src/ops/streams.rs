//! The operations of streams: `ListStreams`, `DescribeStream`, `GetShardIterator`, `GetRecords`.
//!
//! A stream that was disabled, or whose table was deleted, can be read for another day, so that nobody misses the last changes.
//!
//! One shard of a stream is open at a time. A record's sequence number is made of the commit that it was part of and its place in it, so
//! it grows with every change of the store; an iterator is a sequence number, a shard and a time.
//!
//! A poller inside the node (a call whose origin is `mapping`) that has come to the end of an open shard is not sent away with nothing:
//! its `GetRecords` is answered when there is a record, or after some seconds. So changes wake functions, and nothing asks again and again.

use std::sync::Arc;
use std::time::Duration;

use ::store::{Range, Scan};
use contract::{Arn, Call, Effect, Fault, Handle, Origin};
use wire::dynamodbstreams as aws;

use super::resource_of_arn;
use crate::background::STREAM_MS;
use crate::desk::Desk;
use crate::model::{Keys, Scope, Shard, Stream, TableRef, View, name};
use crate::store::changes::{self, Event, Record, Stand};
use crate::values;
use crate::write::By;
use crate::{Error, Tables, describe};

const RECORDS_MAX: usize = 1_000;
/// So many bytes of records in one answer.
const BYTES_MAX: usize = 1 << 20;
const SHARDS_MAX: usize = 100;
const STREAMS_MAX: usize = 100;
/// An iterator is good for so long.
const ITERATOR_MS: i64 = 900_000;
/// The longest that a poller inside the node waits for a record.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// The first sequence number: 21 digits, as AWS's have.
const FIRST: u128 = 100_000_000_000_000_000_000;
/// More entries than one commit has.
const ENTRIES: u128 = 100_000;

fn number(stand: Stand) -> String {
    (FIRST + u128::from(stand.commit) * ENTRIES + u128::from(stand.entry)).to_string()
}

fn stand(number: &str) -> Option<Stand> {
    let number = number.parse::<u128>().ok()?.checked_sub(FIRST)?;
    let commit = u64::try_from(number / ENTRIES).ok()?;
    Some(Stand { commit, entry: u64::try_from(number % ENTRIES).ok()? })
}

/// Where a reader is, as the text that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Iterator {
    arn: String,
    shard: String,
    next: Stand,
    made_ms: i64,
}

impl Iterator {
    fn write(&self) -> String {
        let Stand { commit, entry } = self.next;
        let rest = format!("{}|{commit}|{entry}|{}", self.shard, self.made_ms);
        format!("{}|1|{}", self.arn, hex::encode(rest))
    }

    fn read(text: &str) -> Option<Self> {
        let (arn, rest) = text.split_once("|1|")?;
        let rest = String::from_utf8(hex::decode(rest).ok()?).ok()?;
        let mut parts = rest.split('|');
        let shard = parts.next()?.to_owned();
        let next = Stand { commit: parts.next()?.parse().ok()?, entry: parts.next()?.parse().ok()? };
        let made_ms = parts.next()?.parse().ok()?;
        parts.next().is_none().then(|| Self { arn: arn.to_owned(), shard, next, made_ms })
    }
}

fn missing(what: &str) -> Error {
    Error::from(aws::ResourceNotFoundException::fault(format!("Requested resource not found: {what} not found")))
}

impl Tables {
    /// The stream that an ARN names, with its table's desk: of a table that is gone too, for a day.
    fn stream(&self, call: &Call, arn: &str) -> Result<(Arc<Desk>, Stream), Error> {
        let none = || missing(&format!("Stream: {arn}"));
        let (_, label) = arn.split_once("/stream/").ok_or_else(none)?;
        let table = name::of_arn(arn).ok_or_else(none)?;
        for desk in self.desks.with_left(&Scope::of(call), table) {
            let stream = desk.sight().table.stream_of(label).cloned();
            // Policies were asked about this very ARN, so it must be the stream's own and not one that only ends like it.
            if let Some(stream) = stream.filter(|stream| stream_arn(&desk, stream) == arn) {
                return Ok((desk, stream));
            }
        }
        Err(none())
    }
}

fn stream_arn(desk: &Desk, stream: &Stream) -> String {
    format!("{}/stream/{}", desk.sight().arn, stream.label)
}

fn view(view: View) -> aws::StreamViewType {
    match view {
        View::KeysOnly => aws::StreamViewType::KeysOnly,
        View::NewImage => aws::StreamViewType::NewImage,
        View::OldImage => aws::StreamViewType::OldImage,
        View::NewAndOldImages => aws::StreamViewType::NewAndOldImages,
    }
}

impl Handle<aws::ListStreams> for Tables {
    const EFFECT: Effect = Effect::Read;
    const ACTION: Option<&'static str> = Some("dynamodb:ListStreams");

    fn resource(&self, call: &Call, input: &aws::ListStreamsInput) -> Arn {
        let table = input.table_name.as_deref().unwrap_or("*");
        let mut arn = super::table_resource(call, table);
        arn.resource.push_str("/stream/*");
        arn
    }

    async fn handle(&self, call: &Call, input: aws::ListStreamsInput) -> Result<aws::ListStreamsOutput, Fault> {
        let scope = Scope::of(call);
        let desks = match &input.table_name {
            Some(table) => {
                let name = TableRef::parse(&scope, table)?.name();
                let desks: Vec<_> = self.desks.with_left(&scope, name).collect();
                if desks.is_empty() {
                    return Err(Error::table_missing(name).into());
                }
                desks
            }
            None => {
                let left = self.desks.all_left().into_iter().filter(|desk| desk.scope == scope);
                self.desks.list(&scope, None, usize::MAX).into_iter().chain(left).collect()
            }
        };
        let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(STREAMS_MAX);
        let mut streams = Vec::new();
        for desk in desks {
            for stream in desk.sight().table.streams() {
                streams.push(aws::Stream {
                    stream_arn: Some(stream_arn(&desk, stream)),
                    table_name: Some(desk.sight().table.name.clone()),
                    stream_label: Some(stream.label.clone()),
                });
            }
        }
        let place = |stream: &aws::Stream| (stream.table_name.clone(), stream.stream_label.clone());
        streams.sort_by_cached_key(place);
        // The one that a page ended with may be gone by now: what comes after its place does all the same.
        if let Some((arn, label)) =
            input.exclusive_start_stream_arn.as_deref().and_then(|arn| arn.split_once("/stream/"))
        {
            let after = (name::of_arn(arn).map(str::to_owned), Some(label.to_owned()));
            streams.retain(|stream| place(stream) > after);
        }
        let more = streams.len() > limit;
        streams.truncate(limit);
        let last = streams.last().and_then(|stream| stream.stream_arn.clone()).filter(|_| more);
        Ok(aws::ListStreamsOutput { streams: Some(streams), last_evaluated_stream_arn: last })
    }
}

impl Handle<aws::DescribeStream> for Tables {
    const EFFECT: Effect = Effect::Read;
    const ACTION: Option<&'static str> = Some("dynamodb:DescribeStream");

    fn resource(&self, _call: &Call, input: &aws::DescribeStreamInput) -> Arn {
        resource_of_arn(&input.stream_arn)
    }

    async fn handle(&self, call: &Call, input: aws::DescribeStreamInput) -> Result<aws::DescribeStreamOutput, Fault> {
        let (desk, stream) = self.stream(call, &input.stream_arn)?;
        let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(SHARDS_MAX);
        let children = input.shard_filter.as_ref().and_then(|filter| filter.shard_id.as_deref());
        let wanted = |shard: &&Shard| children.is_none_or(|parent| shard.parent.as_deref() == Some(parent));
        let mut shards: Vec<&Shard> = stream.shards.iter().filter(wanted).collect();
        if let Some(after) = &input.exclusive_start_shard_id {
            let at = shards.iter().position(|shard| shard.id == *after);
            shards.drain(..at.map_or(0, |at| at + 1));
        }
        let more = shards.len() > limit;
        shards.truncate(limit);
        let last = shards.last().map(|shard| shard.id.clone()).filter(|_| more);
        let status = if stream.enabled { aws::StreamStatus::Enabled } else { aws::StreamStatus::Disabled };
        let sight = desk.sight();
        Ok(aws::DescribeStreamOutput {
            stream_description: Some(aws::StreamDescription {
                stream_arn: Some(stream_arn(&desk, &stream)),
                stream_label: Some(stream.label.clone()),
                stream_status: Some(status),
                stream_view_type: Some(view(stream.view)),
                creation_request_date_time: Some(describe::moment(stream.created_ms)),
                table_name: Some(sight.table.name.clone()),
                key_schema: Some(schema(&sight.table.keys)),
                shards: Some(shards.into_iter().map(shown).collect()),
                last_evaluated_shard_id: last,
            }),
        })
    }
}

fn schema(keys: &Keys) -> Vec<aws::KeySchemaElement> {
    let kinds = [aws::KeyType::Hash, aws::KeyType::Range];
    let element = |(key, key_type): (&crate::model::Attribute, aws::KeyType)| aws::KeySchemaElement {
        attribute_name: key.name.clone(),
        key_type,
    };
    keys.each().zip(kinds).map(element).collect()
}

fn shown(shard: &Shard) -> aws::Shard {
    let first = Stand { commit: shard.after + 1, entry: 0 };
    let last = shard.ended.map(|(commit, _)| Stand { commit, entry: u64::from(u16::MAX) });
    aws::Shard {
        shard_id: Some(shard.id.clone()),
        sequence_number_range: Some(aws::SequenceNumberRange {
            starting_sequence_number: Some(number(first)),
            ending_sequence_number: last.map(number),
        }),
        parent_shard_id: shard.parent.clone(),
    }
}

impl Handle<aws::GetShardIterator> for Tables {
    const EFFECT: Effect = Effect::Read;
    const ACTION: Option<&'static str> = Some("dynamodb:GetShardIterator");

    fn resource(&self, _call: &Call, input: &aws::GetShardIteratorInput) -> Arn {
        resource_of_arn(&input.stream_arn)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::GetShardIteratorInput,
    ) -> Result<aws::GetShardIteratorOutput, Fault> {
        let (desk, stream) = self.stream(call, &input.stream_arn)?;
        let shard = stream.shards.iter().find(|shard| shard.id == input.shard_id);
        let shard =
            shard.ok_or_else(|| missing(&format!("Shard: {} in Stream: {}", input.shard_id, input.stream_arn)))?;
        let given = || {
            let text = input.sequence_number.as_deref().ok_or_else(|| {
                Error::Invalid(format!(
                    "SequenceNumber is required when ShardIteratorType is {}",
                    input.shard_iterator_type
                ))
            })?;
            let stand = stand(text).filter(|stand| stand.commit > shard.after);
            stand.ok_or_else(|| Error::Invalid(format!("Invalid SequenceNumber in GetShardIterator: {text}")))
        };
        let next = match &input.shard_iterator_type {
            aws::ShardIteratorType::TrimHorizon => Stand { commit: shard.after + 1, entry: 0 },
            // What was acknowledged before this call is not the latest any more.
            aws::ShardIteratorType::Latest => Stand { commit: self.commit() + 1, entry: 0 },
            aws::ShardIteratorType::AtSequenceNumber => given()?,
            aws::ShardIteratorType::AfterSequenceNumber => {
                let at = given()?;
                Stand { entry: at.entry + 1, ..at }
            }
            aws::ShardIteratorType::Other(other) => {
                return Err(Error::Invalid(format!("Unknown ShardIteratorType: {other}")).into());
            }
        };
        let explicit =
            !matches!(input.shard_iterator_type, aws::ShardIteratorType::TrimHorizon | aws::ShardIteratorType::Latest);
        if explicit && self.is_trimmed(&desk, &stream, next) {
            return Err(aws::TrimmedDataAccessException::fault(
                "The operation attempted to read past the oldest stream record in a shard.",
            ));
        }
        let iterator =
            Iterator { arn: stream_arn(&desk, &stream), shard: shard.id.clone(), next, made_ms: self.now_ms() };
        Ok(aws::GetShardIteratorOutput { shard_iterator: Some(iterator.write()) })
    }
}

impl Tables {
    /// Whether what lies there was taken away already.
    fn is_trimmed(&self, desk: &Desk, stream: &Stream, at: Stand) -> bool {
        let prefix = changes::stream(desk.number, stream);
        let last = desk.trimmed(&changes::streams(desk.number));
        last.is_some_and(|last| at.key(&prefix) <= last)
    }

    /// What lies in a shard from there on: the records, where the next one would be, and whether that is all of it so far.
    async fn records(
        &self,
        desk: &Desk,
        stream: &Stream,
        shard: &Shard,
        from: Stand,
        limit: usize,
    ) -> Result<(Vec<(Stand, Record)>, Stand, bool), Error> {
        let prefix = changes::stream(desk.number, stream);
        let mut range = Range::prefix(&prefix).from(&from.key(&prefix));
        if let Some((commit, _)) = shard.ended {
            range = range.through(&prefix.clone().with(commit));
        }
        let snapshot = self.cellar.store.snapshot();
        let oldest_ms = self.now_ms() - STREAM_MS;
        let (mut records, mut bytes, mut next) = (Vec::new(), 0, from);
        let mut rest = Some(range);
        let mut open: Option<(Stand, usize, Vec<u8>)> = None;
        while let Some(range) = rest.take() {
            let page = snapshot.scan(range, Scan::first(limit.clamp(1, 256))).await?;
            rest = page.rest;
            for (key, value) in page.items {
                let at = Stand::read(&prefix, &key)?;
                let (stand, pieces, whole) = match open.take() {
                    Some((stand, pieces, mut whole)) => {
                        whole.extend_from_slice(&value);
                        (stand, pieces - 1, whole)
                    }
                    None => {
                        let (pieces, body) = changes::split(&value)?;
                        (at, pieces, body.to_vec())
                    }
                };
                if pieces > 0 {
                    open = Some((stand, pieces, whole));
                    continue;
                }
                next = Stand { entry: at.entry + 1, ..at };
                let record = Record::unpack(&whole)?;
                // What is to be taken away is not shown, whether or not it has been.
                if record.at_ms < oldest_ms {
                    continue;
                }
                bytes += record.size();
                records.push((stand, record));
                if records.len() >= limit || bytes >= BYTES_MAX {
                    return Ok((records, next, false));
                }
            }
        }
        Ok((records, next, true))
    }
}

impl Handle<aws::GetRecords> for Tables {
    const EFFECT: Effect = Effect::Read;
    const ACTION: Option<&'static str> = Some("dynamodb:GetRecords");

    fn resource(&self, _call: &Call, input: &aws::GetRecordsInput) -> Arn {
        resource_of_arn(input.shard_iterator.split('|').next().unwrap_or_default())
    }

    async fn handle(&self, call: &Call, input: aws::GetRecordsInput) -> Result<aws::GetRecordsOutput, Fault> {
        let iterator =
            Iterator::read(&input.shard_iterator).ok_or_else(|| Error::Invalid("Invalid ShardIterator".to_owned()))?;
        let now_ms = self.now_ms();
        // One that a mapping began with is kept until its first record is handled, however late that comes.
        let waits = matches!(call.origin, Origin::Inside { part: "mapping", .. });
        if !waits && iterator.made_ms.saturating_add(ITERATOR_MS) < now_ms {
            return Err(aws::ExpiredIteratorException::fault(format!(
                "Iterator expired. The iterator was created at time {} while right now it is {} which is further in the future \
                 than the tolerated delay of {ITERATOR_MS} milliseconds.",
                describe::moment(iterator.made_ms),
                describe::moment(now_ms)
            )));
        }
        let (desk, stream) = self.stream(call, &iterator.arn)?;
        let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(RECORDS_MAX);
        // Before the first look, so that what comes after it is heard of.
        let mut watch = self.cellar.store.watch(changes::stream(desk.number, &stream));
        let until = self.clock.elapsed() + WAIT_MAX;
        loop {
            let (_, stream) = self.stream(call, &iterator.arn)?;
            let shard = stream.shards.iter().find(|shard| shard.id == iterator.shard);
            let shard = shard.ok_or_else(|| missing(&format!("Shard: {}", iterator.shard)))?;
            let (records, next, is_all) = self.records(&desk, &stream, shard, iterator.next, limit).await?;
            let is_over = shard.ended.is_some() && is_all;
            let patience = until.saturating_sub(self.clock.elapsed());
            if records.is_empty() && !is_over && waits && !patience.is_zero() {
                let stop = self.tasks.stopping();
                tokio::select! {
                    _ = watch.next() => {}
                    () = stop.cancelled() => return Ok(self.answer(&desk, &stream, Vec::new(), None)),
                    () = self.clock.sleep(patience.min(Duration::from_secs(5))) => {}
                }
                continue;
            }
            let next = (!is_over).then(|| Iterator { next, made_ms: self.now_ms(), ..iterator.clone() });
            return Ok(self.answer(&desk, &stream, records, next));
        }
    }
}

impl Tables {
    fn answer(
        &self,
        desk: &Desk,
        stream: &Stream,
        records: Vec<(Stand, Record)>,
        next: Option<Iterator>,
    ) -> aws::GetRecordsOutput {
        let records = records.into_iter().map(|(stand, record)| told(desk, stream, stand, record)).collect();
        aws::GetRecordsOutput { records: Some(records), next_shard_iterator: next.map(|next| next.write()) }
    }
}

/// A record as readers see it.
fn told(desk: &Desk, stream: &Stream, stand: Stand, record: Record) -> aws::Record {
    let size = record.size();
    let sequence = number(stand);
    // As unique as the sequence number, and of the form of AWS's ids.
    let id = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{}{sequence}", stream.label).as_bytes());
    let event = match record.event {
        Event::Insert => aws::OperationType::Insert,
        Event::Modify => aws::OperationType::Modify,
        Event::Remove => aws::OperationType::Remove,
    };
    let by_itself =
        || aws::Identity { principal_id: Some("dynamodb.amazonaws.com".to_owned()), type_: Some("Service".to_owned()) };
    aws::Record {
        event_id: Some(hex::encode(&id.as_ref()[..16])),
        event_name: Some(event),
        event_version: Some("1.1".to_owned()),
        event_source: Some("aws:dynamodb".to_owned()),
        aws_region: Some(desk.scope.region.to_string()),
        dynamodb: Some(aws::StreamRecord {
            // Whole seconds, as AWS has them.
            approximate_creation_date_time: Some(describe::moment(record.at_ms.div_euclid(1_000) * 1_000)),
            keys: Some(values::write_record(record.keys)),
            new_image: record.new.map(values::write_record),
            old_image: record.old.map(values::write_record),
            sequence_number: Some(sequence),
            size_bytes: i64::try_from(size).ok(),
            stream_view_type: Some(view(stream.view)),
        }),
        user_identity: (record.by == By::Expiry).then(by_itself),
    }
}
