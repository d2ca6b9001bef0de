//! Where pipes are kept: `pipes`, account, region, name; and how far they have read streams. The only file that touches the store.

use std::collections::BTreeMap;

use ::store::{Error, Key, Range, Record, Scan, Store, Transaction};
use contract::{AccountId, Document, Region};
use serde::{Deserialize, Serialize};

use crate::model::{Pipe, Scope};

fn root() -> Key {
    Key::new("pipes")
}

fn key(scope: &Scope, name: &str) -> Key {
    root().with(scope.account.to_string()).with(scope.region.as_str()).with(name)
}

pub(crate) async fn get(tx: &Transaction, scope: &Scope, name: &str) -> Result<Option<Pipe>, Error> {
    Ok(tx.get_record::<PipeRecord>(&key(scope, name)).await?.map(|record| record.into_model(name)))
}

pub(crate) fn put(tx: &Transaction, scope: &Scope, pipe: &Pipe) {
    tx.put_record(key(scope, &pipe.name), &PipeRecord::of(pipe));
}

pub(crate) fn delete(tx: &Transaction, scope: &Scope, name: &str) {
    tx.delete(key(scope, name));
}

/// All pipes of the node.
pub(crate) async fn everywhere(store: &Store) -> Result<Vec<(Scope, Pipe)>, Error> {
    let snapshot = store.snapshot();
    let mut found = Vec::new();
    let mut rest = Some(Range::prefix(&root()));
    while let Some(range) = rest.take() {
        let page = snapshot.scan(range, Scan::first(Scan::PAGE_MAX)).await?;
        for (key, value) in page.items {
            let mut parts = key.parts_after(&root())?;
            let (account, region, name) = (parts.text()?, parts.text()?, parts.text()?);
            let (Some(account), Some(region)) = (AccountId::parse(&account), Region::parse(&region)) else { continue };
            let record: PipeRecord = ::store::record::decode(&value)?;
            found.push((Scope { account, region }, record.into_model(&name)));
        }
        rest = page.rest;
    }
    Ok(found)
}

#[derive(Debug, Serialize, Deserialize)]
struct PipeRecord {
    description: String,
    running: bool,
    source: String,
    source_parameters: Document,
    enrichment: String,
    enrichment_parameters: Document,
    target: String,
    target_parameters: Document,
    role: String,
    /// Pipes of before there were streams have none, and need none.
    #[serde(default)]
    reader: String,
    tags: BTreeMap<String, String>,
    created_ms: i64,
    modified_ms: i64,
}

impl Record for PipeRecord {
    const KIND: &'static str = "pipe";
    const VERSION: u16 = 1;
}

impl PipeRecord {
    fn of(pipe: &Pipe) -> Self {
        let Pipe {
            name: _,
            description,
            running,
            source,
            source_parameters,
            enrichment,
            enrichment_parameters,
            target,
            target_parameters,
            role,
            reader,
            tags,
            created_ms,
            modified_ms,
        } = pipe.clone();
        Self {
            description,
            running,
            source,
            source_parameters,
            enrichment,
            enrichment_parameters,
            target,
            target_parameters,
            role,
            reader,
            tags,
            created_ms,
            modified_ms,
        }
    }

    fn into_model(self, name: &str) -> Pipe {
        Pipe {
            name: name.to_owned(),
            description: self.description,
            running: self.running,
            source: self.source,
            source_parameters: self.source_parameters,
            enrichment: self.enrichment,
            enrichment_parameters: self.enrichment_parameters,
            target: self.target,
            target_parameters: self.target_parameters,
            role: self.role,
            reader: self.reader,
            tags: self.tags,
            created_ms: self.created_ms,
            modified_ms: self.modified_ms,
        }
    }
}
