//! What the fuzz target does with what callers hand back: iterators of streams, sequence numbers, keys where a page ended, tokens of
//! statements and of lists, ARNs. All of them were made here once, and anything may come back. Called by cargo-fuzz (`fuzz/`) and, with
//! seeded damage, by an ordinary test.
//!
//! The whole operation is called, on a table in memory: whatever comes is taken or refused, and is never the service's fault.

mod import;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use base::task::Tasks;
use base::{Clock, Random};
use contract::{AccountId, Call, Fault, Handle, Operation, Origin, Principal, Region, Trace};
use dispatch::{Dispatch, Limits, Metrics, OpenAuthority, Parts, Registry};
use item::json;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::{Blobs, Store};
use tokio::runtime::{Builder, Runtime};
use wire::{StaticShape, dynamodb as aws, dynamodbstreams as streams};

pub use import::import;

use crate::values::{self, Attributes};
use crate::{Deps, Error, Tables};

const TABLE: &str = "table";
/// 2026-11-21, 12:00:00 UTC.
const NOW_MS: i64 = 1_795_262_400_000;

/// The first byte says what the rest is: see [`examples`].
pub fn handed_back(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    with_house(|house| house.try_out(kind % KINDS, &text));
}

/// How many kinds there are.
const KINDS: u8 = 8;

/// One of each kind as the service hands them out, to begin with.
pub fn examples() -> Vec<Vec<u8>> {
    with_house(|house| {
        let given = [
            house.iterator.clone(),
            house.sequence.clone(),
            house.last.to_string(),
            house.last_of_index.to_string(),
            house.last_of_index.to_string(),
            house.token.clone(),
            house.stream.clone(),
            house.stream.replace("/stream/", "/index/"),
        ];
        given.iter().zip(0..KINDS).map(|(text, kind)| [&[kind], text.as_bytes()].concat()).collect()
    })
}

/// A service with one table, and what it handed out of it.
struct House {
    runtime: Runtime,
    tables: Arc<Tables>,
    /// Kept, so that there is a road to ask for rights.
    _dispatch: Dispatch,
    call: Call,
    stream: String,
    shard: String,
    iterator: String,
    sequence: String,
    last: Value,
    last_of_index: Value,
    token: String,
}

fn with_house<T>(work: impl FnOnce(&House) -> T) -> T {
    static HOUSE: OnceLock<Mutex<House>> = OnceLock::new();
    let house = HOUSE.get_or_init(|| Mutex::new(House::build()));
    work(&house.lock().unwrap_or_else(PoisonError::into_inner))
}

impl House {
    fn build() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime needs nothing but memory");
        let now = Timestamp::from_millisecond(NOW_MS).expect("a time of this century");
        let (clock, _hand) = Clock::manual(now);
        let random = Random::seeded(1);
        let (store, blobs) = (Store::memory(clock.clone()), Blobs::memory(clock.clone()));
        let road = Registry::new(Parts {
            clock: clock.clone(),
            random: random.clone(),
            tasks: Tasks::new(),
            metrics: Metrics::new(),
            authority: Arc::new(OpenAuthority),
            limits: Limits::default(),
        });
        let dispatch = road.open();
        let deps = Deps { store, blobs, dispatch: dispatch.within(), clock: clock.clone(), random: random.clone() };
        let tables = runtime.block_on(Tables::open(deps)).expect("a store in memory can be opened");
        let call = Call {
            id: random.uuid(),
            principal: Principal::Root,
            account: AccountId::ONLY,
            region: Region::default_one(),
            deadline: Duration::MAX,
            trace: Trace::start(&clock, &random),
            hops: 0,
            origin: Origin::Inside { part: "fuzzing", base_url: "http://localhost:4566".into() },
        };
        let empty = String::new();
        let mut house = Self {
            runtime,
            tables,
            _dispatch: dispatch,
            call,
            stream: empty.clone(),
            shard: empty.clone(),
            iterator: empty.clone(),
            sequence: empty.clone(),
            last: Value::Null,
            last_of_index: Value::Null,
            token: empty,
        };
        house.furnish();
        house
    }

    /// Makes the table, puts items into it, and asks for all that is handed out.
    fn furnish(&mut self) {
        let keys = |hash: &str, range: &str| json!([{"AttributeName": hash, "KeyType": "HASH"}, {"AttributeName": range, "KeyType": "RANGE"}]);
        let attribute = |name: &str, kind: &str| json!({"AttributeName": name, "AttributeType": kind});
        let all = json!({"ProjectionType": "ALL"});
        let made = self.must::<aws::CreateTable>(json!({
            "TableName": TABLE, "KeySchema": keys("p", "s"), "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [attribute("p", "S"), attribute("s", "N"), attribute("b", "B")],
            "LocalSecondaryIndexes": [{"IndexName": "local", "KeySchema": keys("p", "b"), "Projection": all}],
            "GlobalSecondaryIndexes": [{"IndexName": "global", "KeySchema": keys("b", "s"), "Projection": all}],
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"},
        }));
        for number in 0..3 {
            let item = json!({"p": {"S": "p"}, "s": {"N": number.to_string()}, "b": {"B": "AAEC"}});
            self.must::<aws::PutItem>(json!({"TableName": TABLE, "Item": item}));
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.stream = text(&made["TableDescription"]["LatestStreamArn"]);
        let told = self.must::<streams::DescribeStream>(json!({"StreamArn": self.stream}));
        self.shard = text(&told["StreamDescription"]["Shards"][0]["ShardId"]);
        let wish = json!({"StreamArn": self.stream, "ShardId": self.shard, "ShardIteratorType": "TRIM_HORIZON"});
        self.iterator = text(&self.must::<streams::GetShardIterator>(wish)["ShardIterator"]);
        let records = self.must::<streams::GetRecords>(json!({"ShardIterator": self.iterator}));
        self.sequence = text(&records["Records"][0]["dynamodb"]["SequenceNumber"]);
        self.last = self.must::<aws::Scan>(json!({"TableName": TABLE, "Limit": 1}))["LastEvaluatedKey"].take();
        let wish = json!({"TableName": TABLE, "IndexName": "global", "Limit": 1});
        self.last_of_index = self.must::<aws::Scan>(wish)["LastEvaluatedKey"].take();
        let wish = json!({"Statement": statement(), "Limit": 1});
        self.token = text(&self.must::<aws::ExecuteStatement>(wish)["NextToken"]);
    }

    fn try_out(&self, kind: u8, text: &str) {
        match kind {
            0 => self.may::<streams::GetRecords>(json!({"ShardIterator": text})),
            1 => ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"].iter().for_each(|from| {
                let wish = json!({
                    "StreamArn": self.stream, "ShardId": self.shard, "ShardIteratorType": from, "SequenceNumber": text,
                });
                self.may::<streams::GetShardIterator>(wish);
            }),
            2 | 3 => {
                let index = (kind == 3).then_some("global");
                self.with_key(text, |start| {
                    let wish = aws::ScanInput {
                        table_name: TABLE.to_owned(),
                        index_name: index.map(str::to_owned),
                        exclusive_start_key: Some(start),
                        ..Default::default()
                    };
                    self.judge(self.runtime.block_on(Handle::<aws::Scan>::handle(&*self.tables, &self.call, wish)));
                });
            }
            4 => ["local", "global"].iter().for_each(|index| {
                self.with_key(text, |start| {
                    let hash = if *index == "local" { ("p", json!({"S": "p"})) } else { ("b", json!({"B": "AAEC"})) };
                    let mut wish = aws::QueryInput::default();
                    let given = json!({
                        "TableName": TABLE, "IndexName": index, "KeyConditionExpression": format!("{} = :hash", hash.0),
                        "ExpressionAttributeValues": {":hash": hash.1}, "ScanIndexForward": text.len().is_multiple_of(2),
                    });
                    wire::document::read_into(&mut wish, given).expect("the query is of the operation's shape");
                    wish.exclusive_start_key = Some(start);
                    self.judge(self.runtime.block_on(Handle::<aws::Query>::handle(&*self.tables, &self.call, wish)));
                });
            }),
            5 => self.may::<aws::ExecuteStatement>(json!({"Statement": statement(), "NextToken": text})),
            6 => {
                self.may::<streams::DescribeStream>(json!({"StreamArn": text}));
                self.may::<streams::DescribeStream>(json!({"StreamArn": self.stream, "ExclusiveStartShardId": text}));
                self.may::<streams::ListStreams>(json!({"ExclusiveStartStreamArn": text}));
            }
            _ => {
                self.may::<aws::DescribeTable>(json!({"TableName": text}));
                self.may::<aws::ListTables>(json!({"ExclusiveStartTableName": text}));
                self.may::<aws::ListTagsOfResource>(json!({"ResourceArn": text, "NextToken": text}));
            }
        }
    }

    fn with_key(&self, text: &str, work: impl FnOnce(Attributes)) {
        let Ok(document) = serde_json::from_str(text) else { return };
        if let Ok(start) = json::read_item(&document) {
            work(values::write_item(start));
        }
    }

    fn ask<Op: Operation>(&self, input: Value) -> Result<Value, Fault>
    where
        Op::Input: StaticShape,
        Op::Output: StaticShape,
        Tables: Handle<Op>,
    {
        let mut shape = Op::Input::default();
        wire::document::read_into(&mut shape, input).map_err(|why| Error::Invalid(format!("{why:?}")))?;
        let output = self.runtime.block_on(Handle::<Op>::handle(&*self.tables, &self.call, shape))?;
        Ok(wire::document::write(&output))
    }

    fn must<Op: Operation>(&self, input: Value) -> Value
    where
        Op::Input: StaticShape,
        Op::Output: StaticShape,
        Tables: Handle<Op>,
    {
        self.ask::<Op>(input).expect("what is asked for here is there")
    }

    fn may<Op: Operation>(&self, input: Value)
    where
        Op::Input: StaticShape,
        Op::Output: StaticShape,
        Tables: Handle<Op>,
    {
        self.judge(self.ask::<Op>(input));
    }

    fn judge<T>(&self, answered: Result<T, Fault>) {
        if let Err(fault) = answered {
            assert_ne!(fault.cause, contract::Cause::Internal, "{fault}");
        }
    }
}

fn statement() -> String {
    format!(r#"SELECT * FROM "{TABLE}" WHERE p = 'p'"#)
}

#[cfg(test)]
mod tests {
    use base::Random;

    use super::{KINDS, examples, handed_back};

    #[test]
    fn what_is_handed_out_is_taken_and_damage_is_refused() {
        let whole = examples();
        assert_eq!(whole.len(), usize::from(KINDS));
        for example in &whole {
            assert!(example.len() > 4, "nothing was handed out: {example:?}");
            handed_back(example);
        }
        // Iterators of the real shard whose numbers nobody handed out.
        let iterator = String::from_utf8(whole[0][1..].to_vec()).unwrap();
        let (arn, rest) = iterator.split_once("|1|").unwrap();
        let rest = String::from_utf8(hex::decode(rest).unwrap()).unwrap();
        let shard = rest.split('|').next().unwrap();
        for (commit, entry, made_ms) in [
            (u64::MAX, u64::MAX, super::NOW_MS),
            (u64::MAX, 0, i64::MAX),
            (0, u64::MAX, super::NOW_MS),
            (0, 0, i64::MIN),
        ] {
            let made = format!("{arn}|1|{}", hex::encode(format!("{shard}|{commit}|{entry}|{made_ms}")));
            handed_back(&[&[0], made.as_bytes()].concat());
        }
        let extremes = [u128::MAX.to_string(), "9".repeat(60), "-1".to_owned(), "{}".to_owned(), String::new()];
        for text in extremes {
            (0..KINDS).for_each(|kind| handed_back(&[&[kind], text.as_bytes()].concat()));
        }
        let chance = Random::seeded(7);
        for round in 0..4_000 {
            let mut damaged = whole[round % whole.len()].clone();
            for _ in 0..=chance.below(3) {
                let at = 1 + chance.below(damaged.len() as u64 - 1) as usize;
                let digits = b"0123456789abcdef|\"{}:";
                let byte = digits[chance.below(digits.len() as u64) as usize];
                match chance.below(4) {
                    0 => damaged[at] = chance.below(256) as u8,
                    1 => damaged[at] = byte,
                    2 => damaged.truncate(at.max(2)),
                    _ => damaged.insert(at, byte),
                }
            }
            handed_back(&damaged);
        }
    }
}
