//! What a backup is, without the items in it.

use serde::{Deserialize, Serialize};

use super::{Scope, Table, name};
use crate::error::Error;
use crate::store::past::Past;

/// A backup of a table, as it was after one commit. One type is both the working model and what lies on disk, as of tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Backup {
    /// Its number in the node; never used again.
    pub(crate) number: u64,
    /// The last part of its ARN.
    pub(crate) id: String,
    /// Its name, which need not be its own.
    pub(crate) name: String,
    pub(crate) created_ms: i64,
    pub(crate) origin: Origin,
    /// The table as it was, without what no restore brings back.
    pub(crate) table: Table,
    /// What is to be read.
    pub(crate) past: Past,
    pub(crate) status: Status,
    /// How many items are in it; until it is made, how many were in the table.
    pub(crate) items: u64,
    /// How many bytes DynamoDB says that they have.
    pub(crate) bytes: u64,
}

/// Why there is a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// Somebody wanted it.
    User,
    /// Its table was deleted while it could be brought back to any moment. It goes by itself.
    Deletion {
        /// Then.
        expires_ms: i64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    Creating,
    Available,
}

/// Which backup is meant: its table's name and its own id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BackupRef {
    pub(crate) table: String,
    pub(crate) id: String,
}

impl BackupRef {
    /// Reads an ARN. One of another account or region, or of something else, is nobody's.
    pub(crate) fn parse(scope: &Scope, arn: &str) -> Result<Self, Error> {
        let read = || {
            let (table, id) = arn.split_once("/backup/")?;
            let name = name::of_arn(table)?;
            let is_own = table == scope.arn(name).to_string() && !id.is_empty() && !id.contains('/');
            is_own.then(|| Self { table: name.to_owned(), id: id.to_owned() })
        };
        match read() {
            Some(read) => Ok(read),
            None if arn.starts_with("arn:") => Err(missing(arn)),
            None => Err(Error::Invalid(format!("Invalid BackupArn: {arn}"))),
        }
    }

    /// Its ARN.
    pub(crate) fn arn(&self, scope: &Scope) -> String {
        format!("{}/backup/{}", scope.arn(&self.table), self.id)
    }
}

impl Backup {
    /// What names it.
    pub(crate) fn reference(&self) -> BackupRef {
        BackupRef { table: self.table.name.clone(), id: self.id.clone() }
    }

    /// Its ARN.
    pub(crate) fn arn(&self, scope: &Scope) -> String {
        self.reference().arn(scope)
    }

    /// When it goes by itself.
    pub(crate) fn expires_ms(&self) -> Option<i64> {
        match self.origin {
            Origin::User => None,
            Origin::Deletion { expires_ms } => Some(expires_ms),
        }
    }
}

/// What is said of a backup that is not there.
pub(crate) fn missing(arn: &str) -> Error {
    Error::BackupMissing(format!("Backup not found: {arn}"))
}

/// The last part of a backup's or export's ARN: when it was made, and something that tells it from others of that moment.
pub(crate) fn id(now_ms: i64, random: u64) -> String {
    format!("{now_ms:014}-{:08x}", random & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use contract::{AccountId, Region};

    use super::*;

    #[test]
    fn arns_are_read_as_they_are_written() {
        let scope = Scope { account: AccountId::ONLY, region: Region::default_one() };
        let own = BackupRef { table: "orders".into(), id: id(1_548_148_148_000, 0x1_abcd_ef12) };
        assert_eq!(
            own.arn(&scope),
            "arn:aws:dynamodb:us-east-1:000000000000:table/orders/backup/01548148148000-abcdef12"
        );
        assert_eq!(BackupRef::parse(&scope, &own.arn(&scope)), Ok(own));
        for (given, expected) in [
            ("arn:aws:dynamodb:us-east-1:000000000000:table/orders", "Backup not found: "),
            (
                "arn:aws:dynamodb:eu-west-1:000000000000:table/orders/backup/01548148148000-abcdef12",
                "Backup not found: ",
            ),
            ("orders/backup/01548148148000-abcdef12", "Invalid BackupArn: "),
        ] {
            let refused = BackupRef::parse(&scope, given).unwrap_err();
            assert_eq!(refused.to_string(), format!("{expected}{given}"));
        }
    }
}
