//! Working types: what a function is while it is in memory. Neither wire shapes nor records; decisions on them are pure and
//! lie in the rooms below.

pub mod alias;
pub mod mapping;
pub mod package;
pub mod permission;
pub mod provision;
pub mod settings;
pub mod tags;
pub mod url;

use std::collections::BTreeMap;

use uuid::Uuid;

pub use alias::Alias;
pub use permission::{Policy, Statement};
pub use provision::Provision;
pub use settings::Settings;
pub use url::UrlConfig;

/// A function: what is its own and not one version's.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Which creation this is: a function that is deleted and made again is another one under the same name.
    pub id: Uuid,
    /// The version that can be changed.
    pub latest: Version,
    /// The number that the next published version gets. Numbers are never given twice, not even after deletion.
    pub version_next: u64,
    /// By key.
    pub tags: BTreeMap<String, String>,
    /// The most invocations at a time, if the function has a number of its own.
    pub concurrency_reserved: Option<u32>,
    /// What becomes of loops.
    pub recursion: Recursion,
}

/// One version: code and settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// What it runs.
    pub code: Code,
    /// How it runs.
    pub settings: Settings,
    /// Counts the changes of code and settings of `$LATEST`; a published version keeps the count that it was made at.
    pub content: u64,
    /// AWS's `RevisionId`: a new one with every change, also of the version's resource policy.
    pub revision: Uuid,
    /// When code or settings last changed, in milliseconds since the epoch.
    pub modified_ms: i64,
    /// When managed runtimes are renewed.
    pub runtime_update: RuntimeUpdate,
}

/// A zip archive that is in the node's blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The SHA-256 of the archive: the blob's name.
    pub sha256: [u8; 32],
    /// The archive's length.
    pub bytes: u64,
}

/// What becomes of a function that ends up calling itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recursion {
    /// Nothing is done, beyond the hop limit that every call has.
    Allow,
    /// AWS's default.
    #[default]
    Terminate,
}

/// When a managed runtime is renewed. An owned cloud renews its interpreters with the machine; the setting is kept for tools
/// that manage it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuntimeUpdate {
    /// AWS's default.
    #[default]
    Auto,
    /// Whenever the function is updated.
    FunctionUpdate,
}

impl Function {
    /// Takes code and settings as the new `$LATEST`. True if that changed anything.
    pub fn update(&mut self, code: Code, settings: Settings, now_ms: i64, revision: Uuid) -> bool {
        let latest = &mut self.latest;
        let changed = latest.code != code || latest.settings != settings;
        if changed {
            latest.content += 1;
            latest.code = code;
            latest.settings = settings;
        }
        latest.modified_ms = now_ms;
        latest.revision = revision;
        changed
    }

    /// Freezes `$LATEST` as the next version.
    pub fn publish(&mut self, description: Option<String>, now_ms: i64, revision: Uuid) -> (u64, Version) {
        let number = self.version_next;
        self.version_next += 1;
        let mut version = Version { revision, modified_ms: now_ms, ..self.latest.clone() };
        if let Some(description) = description {
            version.settings.description = description;
        }
        (number, version)
    }
}

impl Code {
    /// `CodeSha256` as AWS writes it.
    pub fn sha256_base64(&self) -> String {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(self.sha256)
    }

    /// What compute calls it.
    pub fn id(&self) -> compute::CodeId {
        compute::CodeId::from_hex(&self.sha256_hex()).expect("a SHA-256 in hexadecimal digits is a code id")
    }

    /// The hash in hexadecimal digits: its key in the code store.
    pub fn sha256_hex(&self) -> String {
        hex::encode(self.sha256)
    }
}
