//! Names, addresses and ARNs of queues.

use std::fmt;
use std::sync::Arc;

use contract::{AccountId, Arn, Call, Region};

use crate::error::Error;

/// Whose queues, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
}

/// A queue's name: 1 to 80 letters, digits, hyphens and underscores, with `.fifo` at the end where it keeps order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(Arc<str>);

/// What queues that keep order end in.
pub const FIFO_SUFFIX: &str = ".fifo";

const CHARS_MAX: usize = 80;

impl Scope {
    /// The scope of a call.
    pub fn of(call: &Call) -> Self {
        Self { account: call.account, region: call.region.clone() }
    }

    /// The ARN of the queue of that name.
    pub fn arn(&self, name: &str) -> Arn {
        Arn::new("sqs", &self.region, self.account, name)
    }

    /// The address of the queue, as the caller reaches the node.
    pub fn url(&self, base_url: &str, name: &str) -> String {
        format!("{base_url}/{}/{name}", self.account)
    }
}

impl QueueName {
    /// Reads the name of a queue that is to be made.
    pub fn parse(text: &str, fifo: bool) -> Result<Self, Error> {
        let stem = if fifo { text.strip_suffix(FIFO_SUFFIX).unwrap_or_default() } else { text };
        if is_word(stem) && text.len() <= CHARS_MAX {
            return Ok(Self(text.into()));
        }
        Err(Error::InvalidValue(if fifo {
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with \
             .fifo suffix and be 1 to 80 in length"
                .to_owned()
        } else {
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length".to_owned()
        }))
    }

    /// A name that was stored.
    pub fn trusted(text: &str) -> Self {
        Self(text.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the queue keeps order.
    pub fn is_fifo(&self) -> bool {
        self.0.ends_with(FIFO_SUFFIX)
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name at the end of a queue's address; none if the address is another account's. Parts of the node may give the ARN instead.
pub fn of_url<'a>(scope: &Scope, url: &'a str) -> Option<&'a str> {
    if url.starts_with("arn:") {
        return of_arn(scope, url);
    }
    let mut steps = url.trim_end_matches('/').rsplit('/');
    let (name, account) = (steps.next()?, steps.next());
    let own = account.is_none_or(|account| account == scope.account.to_string());
    (own && !name.is_empty()).then_some(name)
}

/// The name at the end of an ARN; none if the ARN is not one of a queue of this account and region.
pub fn of_arn<'a>(scope: &Scope, arn: &'a str) -> Option<&'a str> {
    let parsed = Arn::parse(arn)?;
    let own = parsed.service == "sqs"
        && parsed.region == scope.region.as_str()
        && parsed.account == scope.account.to_string();
    own.then(|| arn.rsplit(':').next()).flatten()
}

/// Letters, digits, hyphens and underscores, and at least one.
pub fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_and_orderly_ones_say_so() {
        for (text, fifo, good) in [
            ("jobs", false, true),
            ("jobs_1-a", false, true),
            ("jobs.fifo", true, true),
            ("jobs.fifo", false, false),
            ("jobs", true, false),
            (".fifo", true, false),
            ("", false, false),
            ("a b", false, false),
            (&"a".repeat(80), false, true),
            (&"a".repeat(81), false, false),
        ] {
            assert_eq!(QueueName::parse(text, fifo).is_ok(), good, "{text} {fifo}");
        }
    }

    #[test]
    fn addresses_end_in_account_and_name() {
        let scope = Scope { account: AccountId::ONLY, region: Region::default_one() };
        for (url, expected) in [
            ("http://localhost:4566/000000000000/jobs", Some("jobs")),
            ("https://sqs.us-east-1.amazonaws.com/000000000000/jobs.fifo", Some("jobs.fifo")),
            ("/000000000000/jobs", Some("jobs")),
            ("jobs", Some("jobs")),
            ("http://localhost:4566/111111111111/jobs", None),
            ("arn:aws:sqs:us-east-1:000000000000:jobs", Some("jobs")),
            ("arn:aws:sqs:eu-west-1:000000000000:jobs", None),
            ("arn:aws:sns:us-east-1:000000000000:jobs", None),
            ("", None),
        ] {
            assert_eq!(of_url(&scope, url), expected, "{url}");
        }
    }
}
