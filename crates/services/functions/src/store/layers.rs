//! Where layers are kept. All keys begin with `function-layers`, account and region:
//!
//! | then | then | record |
//! |---|---|---|
//! | `name` | layer | the number of its next version |
//! | `version` | layer, number | a version |
//!
//! What always holds: a version's archive is retained by its record in the blobs, and by each function's that has the layer. A number
//! is never given twice, not even when all versions are deleted.

use ::store::{Blobs, Key, Range, Record, Scan, Transaction};
use serde::{Deserialize, Serialize};
use store::BlobId;
use uuid::Uuid;

use super::{Read, all, record};
use crate::model::layer::{LayerName, LayerVersion};
use crate::model::{self, Archive};
use crate::name::Scope;

/// A layer, whether it has versions or not.
#[derive(Debug, Serialize, Deserialize)]
struct Numbers {
    next: u64,
}

impl Record for Numbers {
    const KIND: &'static str = "lambda-layer";
    const VERSION: u16 = 1;
}

#[derive(Debug, Serialize, Deserialize)]
struct Version {
    archive: BlobId,
    bytes: u64,
    description: String,
    created_ms: i64,
    runtimes: Vec<String>,
    architectures: Vec<String>,
    licence: Option<String>,
    policy: Option<record::Policy>,
    policy_revision: Uuid,
}

impl Record for Version {
    const KIND: &'static str = "lambda-layer-version";
    const VERSION: u16 = 1;
}

/// The place of one layer.
pub(crate) struct LayerPlace<'a>(pub(crate) &'a LayerName);

impl LayerPlace<'_> {
    fn name(&self) -> Key {
        scope_key(&self.0.scope).with("name").with(self.0.as_str())
    }

    fn versions_key(&self) -> Key {
        scope_key(&self.0.scope).with("version").with(self.0.as_str())
    }

    fn version_key(&self, number: u64) -> Key {
        self.versions_key().with(number)
    }

    /// Takes the number of a new version.
    pub(crate) async fn next(&self, tx: &Transaction) -> Result<u64, ::store::Error> {
        let number = tx.get_record::<Numbers>(&self.name()).await?.map_or(1, |numbers| numbers.next);
        tx.put_record(self.name(), &Numbers { next: number + 1 });
        Ok(number)
    }

    pub(crate) async fn version(&self, read: &impl Read, number: u64) -> Result<Option<LayerVersion>, ::store::Error> {
        Ok(read.record::<Version>(&self.version_key(number)).await?.map(LayerVersion::from))
    }

    /// All versions, the oldest first.
    pub(crate) async fn versions(&self, read: &impl Read) -> Result<Vec<(u64, LayerVersion)>, ::store::Error> {
        let prefix = self.versions_key();
        let pairs = all(read, Range::prefix(&prefix)).await?;
        let of = |(key, value): (Key, bytes::Bytes)| {
            let version = ::store::record::decode::<Version>(&value)?;
            Ok((key.parts_after(&prefix)?.number()?, version.into()))
        };
        pairs.into_iter().map(of).collect()
    }

    /// Adds a version, which keeps its archive.
    pub(crate) async fn add(
        &self,
        tx: &Transaction,
        blobs: &Blobs,
        number: u64,
        version: &LayerVersion,
    ) -> Result<(), ::store::Error> {
        blobs.retain(tx, version.archive.sha256.into(), &self.version_key(number)).await?;
        self.put(tx, number, version);
        Ok(())
    }

    /// Changes a version that is there.
    pub(crate) fn put(&self, tx: &Transaction, number: u64, version: &LayerVersion) {
        tx.put_record(self.version_key(number), &Version::from(version));
    }

    /// Deletes a version; functions that have it keep it.
    pub(crate) fn delete(&self, tx: &Transaction, blobs: &Blobs, number: u64, version: &LayerVersion) {
        let key = self.version_key(number);
        blobs.release(tx, version.archive.sha256.into(), &key);
        tx.delete(key);
    }
}

/// The layers of a scope after `after`, in order of their names, at most `limit`; those without versions too.
pub(crate) async fn names(
    read: &impl Read,
    scope: &Scope,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<LayerName>, ::store::Error> {
    let prefix = scope_key(scope).with("name");
    let mut range = Some(match after {
        Some(after) => Range::prefix(&prefix).after(&prefix.clone().with(after)),
        None => Range::prefix(&prefix),
    });
    let mut found = Vec::new();
    while let Some(next) = range.take()
        && found.len() < limit
    {
        let page = read.page(next, Scan::first(limit - found.len())).await?;
        for (key, _) in page.items {
            found.extend(LayerName::parse(scope, &key.parts_after(&prefix)?.text()?));
        }
        range = page.rest;
    }
    Ok(found)
}

/// What all archives of a scope's layers have together.
pub(crate) async fn bytes(read: &impl Read, scope: &Scope) -> Result<u64, ::store::Error> {
    let mut bytes = 0u64;
    for (_, value) in all(read, Range::prefix(&scope_key(scope).with("version"))).await? {
        bytes = bytes.saturating_add(::store::record::decode::<Version>(&value)?.bytes);
    }
    Ok(bytes)
}

fn scope_key(scope: &Scope) -> Key {
    Key::new("function-layers").with(scope.account.to_string()).with(scope.region.as_str())
}

impl From<&LayerVersion> for Version {
    fn from(version: &LayerVersion) -> Self {
        let version = version.clone();
        let policy = (!version.policy.statements.is_empty()).then(|| record::Policy::from(&version.policy));
        Self {
            archive: version.archive.sha256.into(),
            bytes: version.archive.bytes,
            description: version.description,
            created_ms: version.created_ms,
            runtimes: version.runtimes,
            architectures: version.architectures,
            licence: version.licence,
            policy,
            policy_revision: version.policy_revision,
        }
    }
}

impl From<Version> for LayerVersion {
    fn from(record: Version) -> Self {
        Self {
            archive: Archive { sha256: *record.archive.sha256(), bytes: record.bytes },
            description: record.description,
            created_ms: record.created_ms,
            runtimes: record.runtimes,
            architectures: record.architectures,
            licence: record.licence,
            policy: record.policy.map(model::Policy::from).unwrap_or_default(),
            policy_revision: record.policy_revision,
        }
    }
}

#[cfg(test)]
mod tests {
    use ::store::record::{decode, encode};

    use super::*;

    /// What is on people's disks. A line here is never changed.
    const VERSION_1: &str = r#"lambda-layer-version/1 {"archive":"0707070707070707070707070707070707070707070707070707070707070707","bytes":9,"description":"d","created_ms":5,"runtimes":["nodejs22.x"],"architectures":["x86_64"],"licence":"MIT","policy":null,"policy_revision":"00000000-0000-0000-0000-000000000002"}"#;

    #[test]
    fn versions_are_written_and_read_as_ever() {
        let version = LayerVersion::from(decode::<Version>(VERSION_1.as_bytes()).unwrap());
        assert_eq!((version.archive.bytes, version.licence.as_deref()), (9, Some("MIT")));
        assert_eq!(encode(&Version::from(&version)).unwrap(), VERSION_1);
        assert!(decode::<Version>(VERSION_1.replace("/1 ", "/2 ").as_bytes()).is_err());
    }
}
