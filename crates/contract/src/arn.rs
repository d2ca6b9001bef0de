//! Names of accounts, regions and resources, as AWS writes them.

use std::fmt;
use std::sync::Arc;

/// Twelve digits. Until accounts come, every call is in [`AccountId::ONLY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(u64);

impl AccountId {
    /// `000000000000`, the one account of a node.
    pub const ONLY: Self = Self(0);

    /// Reads twelve digits.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok().map(Self)).flatten()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

/// A region's name, such as `eu-central-1`. Any well-formed one is served; what is made in one is not seen from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Arc<str>);

impl Region {
    /// Reads a name: 1 to 32 lowercase letters, digits and hyphens, beginning with a letter.
    pub fn parse(text: &str) -> Option<Self> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fits = (1..=32).contains(&text.len()) && text.as_bytes()[0].is_ascii_lowercase() && text.bytes().all(good);
        fits.then(|| Self(text.into()))
    }

    /// The region of calls that name none: `us-east-1`.
    pub fn default_one() -> Self {
        Self("us-east-1".into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`. Region and account may be empty, as S3's and IAM's are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Arn {
    /// The service's name in ARNs, such as `lambda`.
    pub service: String,
    /// The region's name, or empty.
    pub region: String,
    /// The account's twelve digits, or empty.
    pub account: String,
    /// The rest, whose form is the service's own, such as `function:greet:3`.
    pub resource: String,
}

impl Arn {
    /// The ARN of something in one account and region.
    pub fn new(service: &str, region: &Region, account: AccountId, resource: impl Into<String>) -> Self {
        Self {
            service: service.to_owned(),
            region: region.as_str().to_owned(),
            account: account.to_string(),
            resource: resource.into(),
        }
    }

    /// Every resource: for operations that touch none in particular (`*` in a policy).
    pub fn any() -> Self {
        Self { service: "*".into(), region: "*".into(), account: "*".into(), resource: "*".into() }
    }

    /// Reads an ARN of any partition (`aws`, `aws-cn`, …); all mean this node.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (arn, partition) = (parts.next()?, parts.next()?);
        if arn != "arn" || !partition.starts_with("aws") {
            return None;
        }
        let mut part = || parts.next().map(str::to_owned);
        let parsed = Self { service: part()?, region: part()?, account: part()?, resource: part()? };
        (!parsed.service.is_empty() && !parsed.resource.is_empty()).then_some(parsed)
    }

    /// Whether this is [`Arn::any`].
    pub fn is_any(&self) -> bool {
        self.resource == "*" && self.service == "*"
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_any() {
            return f.write_str("*");
        }
        write!(f, "arn:aws:{}:{}:{}:{}", self.service, self.region, self.account, self.resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_read_and_written() {
        for text in [
            "arn:aws:lambda:us-east-1:000000000000:function:greet",
            "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/greet:*",
            "arn:aws:iam::000000000000:role/any",
        ] {
            assert_eq!(Arn::parse(text).map(|arn| arn.to_string()).as_deref(), Some(text));
        }
        for text in ["", "arn", "arn:aws:lambda", "arn:gcp:lambda:r:a:b", "arn:aws::r:a:b", "arn:aws:s:r:a:"] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn accounts_and_regions_are_checked() {
        assert_eq!(AccountId::parse("000000000000"), Some(AccountId::ONLY));
        assert_eq!(AccountId::parse("123456789012").map(|a| a.to_string()).as_deref(), Some("123456789012"));
        assert!(AccountId::parse("12345678901a").is_none() && AccountId::parse("1").is_none());
        assert!(Region::parse("eu-central-1").is_some());
        assert!(["", "EU", "a/b", "1a", &"a".repeat(33)].iter().all(|text| Region::parse(text).is_none()));
    }
}
