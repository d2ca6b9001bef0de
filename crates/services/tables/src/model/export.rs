//! What an export is, and where its files lie.

use serde::{Deserialize, Serialize};

use super::transfer::{Asker, Outcome, Spot};
use super::{Scope, Table, name};
use crate::error::Error;
use crate::store::past::Past;

/// An export of a table to a bucket. One type is both the working model and what lies on disk, as of tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Export {
    /// Its number in the node, by which it has its hold on the table.
    pub(crate) number: u64,
    /// The last part of its ARN.
    pub(crate) id: String,
    /// The table, without what nobody needs of it here.
    pub(crate) table: Table,
    pub(crate) asker: Asker,
    pub(crate) token: Option<String>,
    /// What was asked for, so that a token is known to mean the same.
    pub(crate) digest: String,
    pub(crate) spot: Spot,
    /// `AES256` or `KMS`, and the key.
    pub(crate) encryption: Option<(String, Option<String>)>,
    pub(crate) format: Format,
    pub(crate) content: Content,
    /// The moment, and the commit that it means once that is known.
    pub(crate) moment_ms: i64,
    pub(crate) past: Past,
    pub(crate) is_known: bool,
    pub(crate) started_ms: i64,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) outcome: Outcome,
    /// Files that are written, and the item (by its key in hexadecimal) behind which the next one begins.
    pub(crate) files: u64,
    pub(crate) next: Option<String>,
    pub(crate) items: u64,
    pub(crate) bytes: u64,
}

/// How items are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Format {
    Json,
    Ion,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Content {
    /// All items as they were at the moment.
    Full,
    /// What was changed from one moment to the export's: with the items as they were before, or without. The commit that the first moment
    /// means, once that is known.
    Changes { from_ms: i64, with_old: bool, from: Option<u64> },
}

impl Export {
    /// Its ARN.
    pub(crate) fn arn(&self, scope: &Scope) -> String {
        format!("{}/export/{}", self.table.arn(scope), self.id)
    }

    /// Where its manifests lie.
    pub(crate) fn folder(&self) -> String {
        format!("{}AWSDynamoDB/{}/", self.prefix(), self.id)
    }

    /// Where its files lie: those of changes lie beside those of other exports, as on AWS.
    pub(crate) fn data_folder(&self) -> String {
        match self.content {
            Content::Full => format!("{}data/", self.folder()),
            Content::Changes { .. } => format!("{}AWSDynamoDB/data/", self.prefix()),
        }
    }

    fn prefix(&self) -> String {
        match self.spot.prefix.as_deref().map(|prefix| prefix.trim_end_matches('/')) {
            Some(prefix) if !prefix.is_empty() => format!("{prefix}/"),
            Some(_) | None => String::new(),
        }
    }
}

/// The table's name and the id in an export's ARN.
pub(crate) fn read_arn(scope: &Scope, arn: &str) -> Result<(String, String), Error> {
    let read = || {
        let (table, id) = arn.split_once("/export/")?;
        let name = name::of_arn(table)?;
        let is_own = table == scope.arn(name).to_string() && !id.is_empty() && !id.contains('/');
        is_own.then(|| (name.to_owned(), id.to_owned()))
    };
    read().ok_or_else(|| missing(arn))
}

/// What is said of an export that is not there.
pub(crate) fn missing(arn: &str) -> Error {
    Error::ExportMissing(format!("Export not found: {arn}"))
}
