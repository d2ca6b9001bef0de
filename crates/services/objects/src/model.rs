//! What is kept of buckets, versions and uploads, and the pure decisions about them.
//!
//! Versions and buckets are their own records (they are nothing but what was said of them, and are read by every operation as they
//! lie); what changes in them is added with a default, or raises the record's version.

mod names;

use std::collections::{BTreeMap, BTreeSet};

use ::store::Record;
use checksum::Algorithm;
use serde::{Deserialize, Serialize};

pub use self::names::{check_bucket_name, check_key};

/// A bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Its name, which no other bucket of the node has.
    pub name: String,
    /// Where it was asked for.
    pub region: String,
    /// When it was made.
    pub created_ms: i64,
    /// Whether versions are kept.
    #[serde(default)]
    pub versioning: Versioning,
    /// Whether versions may be locked. Never taken back.
    #[serde(default)]
    pub lock: bool,
    /// What is set up for it, by name: configurations lie beside it.
    #[serde(default)]
    pub has: BTreeSet<String>,
    /// The number of the snapshot that this was last changed on: what was read while it was the same is still so. Nobody may write a
    /// document without `set_config`, which sets it, or others would go by the one before.
    #[serde(default)]
    pub set_on: u64,
}

impl Record for Bucket {
    const KIND: &'static str = "bucket";
    const VERSION: u16 = 1;
}

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// It never has.
    #[default]
    Never,
    /// Every put and delete makes one.
    Enabled,
    /// New ones take the place of the one that has no id.
    Suspended,
}

/// One version of a key: an object or a delete marker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Newer versions of the same key have greater numbers.
    pub order: u64,
    /// None: the version that is called `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it was made.
    pub at_ms: i64,
    /// Whether it says that the key is deleted; then nothing below means anything.
    #[serde(default, skip_serializing_if = "is_false")]
    pub marker: bool,
    /// The length.
    #[serde(default)]
    pub size: u64,
    /// Without its quotes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub etag: String,
    /// Where the bytes are.
    #[serde(default)]
    pub body: Body,
    /// How they are sealed; an object of parts says here only whose keys its parts are sealed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// What is said of it in headers.
    #[serde(default)]
    pub about: About,
    /// The checksum that was asked for, or ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// How many parts it was made of, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<u32>,
    /// Until when it cannot be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// Whether it cannot be deleted until somebody says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<bool>,
    /// Until when it is said to be back from its archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_until_ms: Option<i64>,
}

impl Record for Version {
    const KIND: &'static str = "object";
    const VERSION: u16 = 1;
}

fn is_false(value: &bool) -> bool {
    !*value
}

impl Version {
    /// The id as callers see it.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or("null")
    }

    /// The ETag as headers have it.
    pub fn quoted_etag(&self) -> String {
        format!("\"{}\"", self.etag)
    }
}

/// Where bytes are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Behind the record.
    #[default]
    Inline,
    /// In a record of their own.
    Beside(String),
    /// In a blob, which `owner` refers to.
    Blob {
        /// The blob's name.
        id: String,
        /// Under which name it is referred to.
        owner: String,
    },
    /// In the parts of that upload, which was completed.
    Parts(String),
}

/// What is said of an object when it is put, and given back with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Headers by their names in lower case, such as `content-type`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// What users say, without `x-amz-meta-`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// None: `STANDARD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Tags, in the order of their keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What an access control list grants; none: the owner has everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<String>,
}

impl About {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).cloned()
    }

    /// Notes a header, if it is there.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.headers.insert(name.to_owned(), value);
        }
    }
}

/// How a body is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// What makes its key its own.
    pub salt: String,
    /// Whose key it is made from.
    pub by: SealedBy,
}

/// Whose key a body is sealed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SealedBy {
    /// The node's.
    Node,
    /// The node's, which stands for that one of KMS.
    Kms(String),
    /// The client's, who brings it with every request; its MD5 is kept to know it again.
    Customer(String),
}

/// A checksum of an object or a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// S3's name of the algorithm.
    pub algorithm: String,
    /// In base64; of a composite one, with the number of parts behind it.
    pub value: String,
    /// Whether it is the checksum of the parts' checksums.
    #[serde(default, skip_serializing_if = "is_false")]
    pub composite: bool,
}

impl Checksum {
    /// The algorithm.
    pub fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::parse(&self.algorithm)
    }

    /// `FULL_OBJECT` or `COMPOSITE`.
    pub fn kind(&self) -> &'static str {
        if self.composite { "COMPOSITE" } else { "FULL_OBJECT" }
    }
}

/// Until when a version cannot be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Whether nobody may, or whoever has the right to bypass it.
    pub compliance: bool,
    /// Until when.
    pub until_ms: i64,
}

/// An upload in parts that goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Upload {
    /// When it was begun.
    pub at_ms: i64,
    /// What the object will be, but for its bytes.
    pub about: About,
    /// The algorithm of checksums that was asked for.
    pub algorithm: Option<String>,
    /// Whether the object's checksum is made of the parts' ones.
    pub composite: bool,
    /// How the parts are sealed.
    #[serde(default)]
    pub sealed: Option<SealedBy>,
    /// Retention of the object.
    #[serde(default)]
    pub retention: Option<Retention>,
    /// Legal hold of the object.
    #[serde(default)]
    pub legal_hold: Option<bool>,
}

impl Record for Upload {
    const KIND: &'static str = "upload";
    const VERSION: u16 = 1;
}

/// One part of an upload, or of an object that was made of parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The length.
    pub size: u64,
    /// Its MD5, in hex.
    pub etag: String,
    /// When it was put.
    pub at_ms: i64,
    /// Where the bytes are.
    pub body: Body,
    /// How they are sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// Its checksum.
    pub checksum: Option<Checksum>,
}

impl Record for Part {
    const KIND: &'static str = "part";
    const VERSION: u16 = 1;
}
