//! Names and ARNs of tables, indexes and streams.

use contract::{AccountId, Arn, Call, Region};

use crate::error::Error;

/// Whose tables, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
}

impl Scope {
    /// The scope of a call.
    pub fn of(call: &Call) -> Self {
        Self { account: call.account, region: call.region.clone() }
    }

    /// The ARN of the table of that name.
    pub fn arn(&self, table: &str) -> Arn {
        Arn::new("dynamodb", &self.region, self.account, format!("table/{table}"))
    }
}

/// The name of a table, as a call gives it: plain, or as the table's own ARN. Policies are asked about an ARN as it is given, so one of
/// something that belongs to a table never means the table: who may not read the table could name it by any ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableRef<'a>(&'a str);

const NAME_BYTES_MIN: usize = 3;
const NAME_BYTES_MAX: usize = 255;

impl<'a> TableRef<'a> {
    /// Reads a name or an ARN. An ARN must be one of this account and region.
    pub fn parse(scope: &Scope, given: &'a str) -> Result<Self, Error> {
        if !given.starts_with("arn:") {
            check("tableName", "TableName", given)?;
            return Ok(Self(given));
        }
        let foreign = || Error::Invalid(format!("Invalid table ARN: {given}"));
        let arn = Arn::parse(given).filter(|arn| arn.service == "dynamodb").ok_or_else(foreign)?;
        if arn.region != scope.region.as_str() || arn.account != scope.account.to_string() {
            return Err(foreign());
        }
        let is_whole = |name: &&str| arn.resource.strip_prefix("table/") == Some(*name);
        let name = of_arn(given).filter(is_whole).ok_or_else(foreign)?;
        check("tableName", "TableName", name)?;
        Ok(Self(name))
    }

    /// The table's name.
    pub fn name(self) -> &'a str {
        self.0
    }
}

/// The table's name in an ARN of a table, an index, a stream or a backup.
pub fn of_arn(arn: &str) -> Option<&str> {
    let resource = arn.splitn(6, ':').nth(5)?;
    let name = resource.strip_prefix("table/")?.split('/').next()?;
    (!name.is_empty()).then_some(name)
}

/// Checks the name of a table or index, in the words that DynamoDB has for it.
pub fn check(member: &str, shape: &str, name: &str) -> Result<(), Error> {
    if !(NAME_BYTES_MIN..=NAME_BYTES_MAX).contains(&name.len()) {
        return Err(Error::Invalid(format!(
            "{shape} must be at least {NAME_BYTES_MIN} characters long and at most {NAME_BYTES_MAX} characters long"
        )));
    }
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must satisfy regular \
         expression pattern: [a-zA-Z0-9_.-]+"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_or_in_arns() {
        let scope = Scope { account: AccountId::ONLY, region: Region::default_one() };
        for (given, expected) in [
            ("orders", Ok("orders")),
            ("arn:aws:dynamodb:us-east-1:000000000000:table/orders", Ok("orders")),
            (
                "arn:aws:dynamodb:us-east-1:000000000000:table/orders/index/by-day",
                Err("Invalid table ARN: arn:aws:dynamodb:us-east-1:000000000000:table/orders/index/by-day"),
            ),
            (
                "arn:aws:dynamodb:us-east-1:000000000000:table/orders/",
                Err("Invalid table ARN: arn:aws:dynamodb:us-east-1:000000000000:table/orders/"),
            ),
            ("ab", Err("TableName must be at least 3 characters long and at most 255 characters long")),
            (
                "a;bc",
                Err(
                    "1 validation error detected: Value 'a;bc' at 'tableName' failed to satisfy constraint: Member must satisfy \
                     regular expression pattern: [a-zA-Z0-9_.-]+",
                ),
            ),
            (
                "arn:aws:dynamodb:eu-west-1:000000000000:table/orders",
                Err("Invalid table ARN: arn:aws:dynamodb:eu-west-1:000000000000:table/orders"),
            ),
        ] {
            let read = TableRef::parse(&scope, given).map(TableRef::name).map_err(|error| error.to_string());
            assert_eq!(read, expected.map_err(str::to_owned), "{given}");
        }
    }
}
