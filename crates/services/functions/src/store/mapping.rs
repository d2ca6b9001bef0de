//! Where event source mappings are kept: `mappings`, account, region, id. They are no part of their function, which may be deleted and
//! made again under them, as on AWS.

use std::collections::BTreeMap;

use ::store::{Key, Range, Record, Transaction};
use contract::{AccountId, Arn, Region};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Read, all};
use crate::model::mapping::{Mapping, MappingSettings, Start, StreamSettings};
use crate::name::{Reference, Scope};

/// The prefix of all mappings.
pub(crate) fn root() -> Key {
    Key::new("mappings")
}

fn key(scope: &Scope, id: &Uuid) -> Key {
    root().with(scope.account.to_string()).with(scope.region.as_str()).with(id.to_string())
}

pub(crate) async fn get(read: &impl Read, scope: &Scope, id: &Uuid) -> Result<Option<Mapping>, ::store::Error> {
    read.record::<MappingRecord>(&key(scope, id)).await?.map(|record| record.into_model(scope)).transpose()
}

pub(crate) fn put(tx: &Transaction, scope: &Scope, mapping: &Mapping) {
    tx.put_record(key(scope, &mapping.id), &MappingRecord::of(scope, mapping));
}

pub(crate) fn delete(tx: &Transaction, scope: &Scope, id: &Uuid) {
    tx.delete(key(scope, id));
}

/// All mappings of a scope, by id.
pub(crate) async fn of_scope(read: &impl Read, scope: &Scope) -> Result<Vec<Mapping>, ::store::Error> {
    let prefix = root().with(scope.account.to_string()).with(scope.region.as_str());
    let mut found = Vec::new();
    for (_, value) in all(read, Range::prefix(&prefix)).await? {
        found.push(::store::record::decode::<MappingRecord>(&value)?.into_model(scope)?);
    }
    Ok(found)
}

/// All mappings of the node.
pub(crate) async fn everywhere(read: &impl Read) -> Result<Vec<(Scope, Mapping)>, ::store::Error> {
    let mut found = Vec::new();
    for (key, value) in all(read, Range::prefix(&root())).await? {
        let mut parts = key.parts_after(&root())?;
        let (account, region) = (parts.text()?, parts.text()?);
        let (Some(account), Some(region)) = (AccountId::parse(&account), Region::parse(&region)) else { continue };
        let scope = Scope { account, region };
        let mapping = ::store::record::decode::<MappingRecord>(&value)?.into_model(&scope)?;
        found.push((scope, mapping));
    }
    Ok(found)
}

#[derive(Debug, Serialize, Deserialize)]
struct MappingRecord {
    id: Uuid,
    source: String,
    function: String,
    enabled: bool,
    batch_size: u32,
    window_s: u32,
    filters: Vec<String>,
    reports_failures: bool,
    concurrency_max: Option<u32>,
    metrics: Option<Vec<String>>,
    log_level: Option<String>,
    tags: BTreeMap<String, String>,
    modified_ms: i64,
    #[serde(default)]
    stream: Option<StreamRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StreamRecord {
    reader: Uuid,
    /// As AWS spells it.
    start: String,
    lanes: u32,
    bisects: bool,
    retries_max: Option<u32>,
    age_max_s: Option<u32>,
    tumbling_s: u32,
    on_failure: Option<String>,
}

impl Record for MappingRecord {
    const KIND: &'static str = "lambda-mapping";
    const VERSION: u16 = 2;

    /// Version 1 had queues only.
    fn migrate(_from: u16, body: serde_json::Value) -> Result<serde_json::Value, String> {
        Ok(body)
    }
}

impl StreamRecord {
    fn of(settings: StreamSettings) -> Self {
        let StreamSettings { reader, start, lanes, bisects, retries_max, age_max_s, tumbling_s, on_failure } = settings;
        let start = start.name().to_owned();
        Self { reader, start, lanes, bisects, retries_max, age_max_s, tumbling_s, on_failure }
    }

    fn into_model(self) -> Option<StreamSettings> {
        let Self { reader, start, lanes, bisects, retries_max, age_max_s, tumbling_s, on_failure } = self;
        let start = Start::parse(&start)?;
        Some(StreamSettings { reader, start, lanes, bisects, retries_max, age_max_s, tumbling_s, on_failure })
    }
}

impl MappingRecord {
    fn of(scope: &Scope, mapping: &Mapping) -> Self {
        let Mapping { id, source, function, enabled, settings, tags, modified_ms } = mapping.clone();
        let MappingSettings {
            batch_size,
            window_s,
            filters,
            reports_failures,
            concurrency_max,
            metrics,
            log_level,
            stream,
        } = settings;
        Self {
            id,
            source: source.to_string(),
            function: scope.arn_of(&function),
            enabled,
            batch_size,
            window_s,
            filters,
            reports_failures,
            concurrency_max,
            metrics,
            log_level,
            tags,
            modified_ms,
            stream: stream.map(StreamRecord::of),
        }
    }

    fn into_model(self, scope: &Scope) -> Result<Mapping, ::store::Error> {
        let broken = |expected| ::store::Error::KeyPart { expected, found: "other text" };
        Ok(Mapping {
            id: self.id,
            source: Arn::parse(&self.source).ok_or_else(|| broken("a queue's ARN"))?,
            function: Reference::parse(scope, &self.function).map_err(|_| broken("a function's ARN"))?,
            enabled: self.enabled,
            settings: MappingSettings {
                batch_size: self.batch_size,
                window_s: self.window_s,
                filters: self.filters,
                reports_failures: self.reports_failures,
                concurrency_max: self.concurrency_max,
                metrics: self.metrics,
                log_level: self.log_level,
                stream: match self.stream {
                    Some(stream) => Some(stream.into_model().ok_or_else(|| broken("a starting position"))?),
                    None => None,
                },
            },
            tags: self.tags,
            modified_ms: self.modified_ms,
        })
    }
}
