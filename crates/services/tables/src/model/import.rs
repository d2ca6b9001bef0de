//! What an import is.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::transfer::{Asker, Outcome, Spot};
use super::{Scope, name};
use crate::error::Error;

/// An import from a bucket into a table that is made for it. One type is both the working model and what lies on disk, as of tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Import {
    /// The last part of its ARN.
    pub(crate) id: String,
    /// The table's name, the id that `DescribeTable` shows, and its number.
    pub(crate) table: String,
    pub(crate) table_id: String,
    pub(crate) target: u64,
    pub(crate) asker: Asker,
    pub(crate) token: Option<String>,
    /// What was asked for, as the wire had it: shown again, and held against what a token is given for later.
    pub(crate) asked: Value,
    pub(crate) spot: Spot,
    pub(crate) format: Format,
    pub(crate) packing: Packing,
    pub(crate) started_ms: i64,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) outcome: Outcome,
    /// The last object that was read to its end.
    pub(crate) after: Option<String>,
    pub(crate) counted: Counted,
}

/// What was read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    /// Bytes, without their packing.
    pub(crate) bytes: u64,
    /// Records, good ones and bad ones.
    pub(crate) items: u64,
    /// Items that were put into the table: of several with one key the last one stays.
    pub(crate) imported: u64,
    /// Records that were no items of this table.
    pub(crate) errors: u64,
}

/// How records are written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Format {
    /// One item in each line, as exports have them.
    Json,
    /// The same in Amazon's Ion, as text.
    Ion,
    /// Values between delimiters. Without a header of its own, each object begins with one.
    Csv { delimiter: char, header: Option<Vec<String>> },
}

/// How objects are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Counted {
    /// Both together.
    pub(crate) fn and(self, more: Self) -> Self {
        Self {
            bytes: self.bytes + more.bytes,
            items: self.items + more.items,
            imported: self.imported + more.imported,
            errors: self.errors + more.errors,
        }
    }
}

impl Import {
    /// Its ARN.
    pub(crate) fn arn(&self, scope: &Scope) -> String {
        format!("{}/import/{}", scope.arn(&self.table), self.id)
    }
}

/// The table's name and the id in an import's ARN.
pub(crate) fn read_arn(scope: &Scope, arn: &str) -> Result<(String, String), Error> {
    let read = || {
        let (table, id) = arn.split_once("/import/")?;
        let name = name::of_arn(table)?;
        let is_own = table == scope.arn(name).to_string() && !id.is_empty() && !id.contains('/');
        is_own.then(|| (name.to_owned(), id.to_owned()))
    };
    read().ok_or_else(|| missing(arn))
}

/// What is said of an import that is not there.
pub(crate) fn missing(arn: &str) -> Error {
    Error::ImportMissing(format!("Import not found: {arn}"))
}
