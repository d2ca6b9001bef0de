//! Names and ARNs of topics, subscriptions and platform applications.

use std::fmt;
use std::sync::Arc;

use contract::{AccountId, Arn, Call, Region};
use uuid::Uuid;

use crate::error::Error;

/// Whose topics, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
}

/// A topic's name: 1 to 256 letters, digits, hyphens and underscores, with `.fifo` at the end where it keeps order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

/// What topics and queues that keep order end in.
pub const FIFO_SUFFIX: &str = ".fifo";

const CHARS_MAX: usize = 256;

impl Scope {
    /// The scope of a call.
    pub fn of(call: &Call) -> Self {
        Self { account: call.account, region: call.region.clone() }
    }

    /// The ARN of what is called so: of a topic by its name.
    pub fn arn(&self, resource: &str) -> Arn {
        Arn::new("sns", &self.region, self.account, resource)
    }

    /// The resource that an ARN of this scope names. `parameter` is what AWS calls the ARN in its words.
    pub fn resource<'a>(&self, parameter: &str, arn: &'a str) -> Result<Option<&'a str>, Error> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        if parts.len() < 6 {
            let why = format!("An ARN must have at least 6 elements, not {}", parts.len());
            return Err(Error::because(parameter, why));
        }
        if parts[0] != "arn" || !parts[1].starts_with("aws") || parts[2] != "sns" || parts[5].is_empty() {
            return Err(Error::Invalid(parameter.to_owned()));
        }
        let own = parts[3] == self.region.as_str() && parts[4] == self.account.to_string();
        Ok(own.then_some(parts[5]))
    }

    /// The name of the topic that an ARN names.
    pub fn topic<'a>(&self, parameter: &str, arn: &'a str) -> Result<&'a str, Error> {
        self.resource(parameter, arn)?.ok_or(Error::TopicMissing)
    }

    /// Topic and id of the subscription that an ARN names.
    pub fn subscription<'a>(&self, arn: &'a str) -> Result<(&'a str, Uuid), Error> {
        let resource = self.resource("SubscriptionArn", arn)?.ok_or(Error::SubscriptionMissing)?;
        let (topic, id) = resource
            .rsplit_once(':')
            .ok_or_else(|| Error::because("SubscriptionArn", "An ARN must have at least 7 elements, not 6"))?;
        let id = Uuid::try_parse(id).map_err(|_| Error::Invalid("SubscriptionId".to_owned()))?;
        Ok((topic, id))
    }

    /// Platform and name of the platform application that an ARN names.
    pub fn application<'a>(&self, parameter: &str, arn: &'a str) -> Result<(&'a str, &'a str), Error> {
        let resource = self.resource(parameter, arn)?.ok_or(Error::ApplicationMissing)?;
        let mut parts = resource.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("app"), Some(platform), Some(name), None) => Ok((platform, name)),
            _ => Err(Error::because(parameter, "Wrong number of slashes in relative portion of the ARN.")),
        }
    }

    /// Platform and name of the application, and id of its endpoint, that an ARN names.
    pub fn endpoint<'a>(&self, parameter: &str, arn: &'a str) -> Result<(&'a str, &'a str, Uuid), Error> {
        let resource = self.resource(parameter, arn)?.ok_or(Error::EndpointMissing)?;
        let mut parts = resource.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("endpoint"), Some(platform), Some(name), Some(id), None) => {
                let id = Uuid::try_parse(id).map_err(|_| Error::EndpointMissing)?;
                Ok((platform, name, id))
            }
            _ => Err(Error::because(parameter, "Wrong number of slashes in relative portion of the ARN.")),
        }
    }
}

impl TopicName {
    /// Reads the name of a topic that is to be made.
    pub fn parse(text: &str, fifo: bool) -> Result<Self, Error> {
        let stem = if fifo { text.strip_suffix(FIFO_SUFFIX).unwrap_or_default() } else { text };
        if is_word(stem) && text.len() <= CHARS_MAX {
            return Ok(Self(text.into()));
        }
        Err(Error::Invalid(if fifo {
            "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, \
             numbers, underscores, and hyphens, and must be between 1 and 256 characters long."
                .to_owned()
        } else {
            "Topic Name".to_owned()
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

    /// Whether the topic keeps order.
    pub fn is_fifo(&self) -> bool {
        self.0.ends_with(FIFO_SUFFIX)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Letters, digits, hyphens and underscores, and at least one.
pub fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope { account: AccountId::ONLY, region: Region::default_one() }
    }

    #[test]
    fn names_are_words_and_orderly_ones_say_so() {
        for (text, fifo, good) in [
            ("news", false, true),
            ("news_1-a", false, true),
            ("news.fifo", true, true),
            ("news.fifo", false, false),
            ("news", true, false),
            (".fifo", true, false),
            ("", false, false),
            ("a b", false, false),
            (&"a".repeat(256), false, true),
            (&"a".repeat(257), false, false),
        ] {
            assert_eq!(TopicName::parse(text, fifo).is_ok(), good, "{text} {fifo}");
        }
    }

    #[test]
    fn arns_are_read_in_awss_words() {
        let check = |arn: &str, expected: &str| {
            let read = scope().topic("TopicArn", arn).map_or_else(|error| error.to_string(), str::to_owned);
            assert_eq!(read, expected, "{arn}");
        };
        check("arn:aws:sns:us-east-1:000000000000:news", "news");
        check("news", "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1");
        check("arn:aws:sqs:us-east-1:000000000000:news", "Invalid parameter: TopicArn");
        check("arn:aws:sns:eu-west-1:000000000000:news", "Topic does not exist");
        check("arn:aws:sns:us-east-1:111111111111:news", "Topic does not exist");
        let id = "6f4a1ba0-1111-4222-8333-444444444444";
        let arn = format!("arn:aws:sns:us-east-1:000000000000:news:{id}");
        assert_eq!(scope().subscription(&arn).expect("reads").0, "news");
        assert!(scope().subscription("arn:aws:sns:us-east-1:000000000000:news").is_err());
        assert!(scope().subscription("arn:aws:sns:us-east-1:000000000000:news:x").is_err());
        let arn = "arn:aws:sns:us-east-1:000000000000:app/GCM/mine";
        assert_eq!(scope().application("PlatformApplicationArn", arn), Ok(("GCM", "mine")));
        let arn = format!("arn:aws:sns:us-east-1:000000000000:endpoint/GCM/mine/{id}");
        assert!(scope().endpoint("EndpointArn", &arn).is_ok());
        assert!(scope().endpoint("EndpointArn", "arn:aws:sns:us-east-1:000000000000:endpoint/GCM").is_err());
    }
}
