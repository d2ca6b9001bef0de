//! How a subscription is reached, and what an endpoint must look like for that.

use contract::Arn;

use super::name::FIFO_SUFFIX;
use crate::error::Error;

/// How a subscription is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// A request without TLS.
    Http,
    /// A request.
    Https,
    /// A letter for people.
    Email,
    /// A letter for programs.
    EmailJson,
    /// A short message to a phone.
    Sms,
    /// A queue.
    Sqs,
    /// A function.
    Lambda,
    /// An endpoint of a platform application.
    Application,
}

impl Protocol {
    const ALL: [Self; 8] =
        [Self::Http, Self::Https, Self::Email, Self::EmailJson, Self::Sms, Self::Sqs, Self::Lambda, Self::Application];

    /// Reads AWS's name.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text == "firehose" {
            let why =
                "Freehold does not serve Firehose, so nothing can be delivered to it. Subscribe a queue or a function.";
            return Err(Error::because("Protocol", why));
        }
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.as_str() == text)
            .ok_or_else(|| Error::Invalid(format!("Amazon SNS does not support this protocol string: {text}")))
    }

    /// AWS's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Email => "email",
            Self::EmailJson => "email-json",
            Self::Sms => "sms",
            Self::Sqs => "sqs",
            Self::Lambda => "lambda",
            Self::Application => "application",
        }
    }

    /// Whether whoever is there must confirm that they want it.
    pub fn asks_first(self) -> bool {
        match self {
            Self::Http | Self::Https | Self::Email | Self::EmailJson => true,
            Self::Sms | Self::Sqs | Self::Lambda | Self::Application => false,
        }
    }

    /// Whether a message can go as it is, without an envelope.
    pub fn knows_raw(self) -> bool {
        match self {
            Self::Http | Self::Https | Self::Sqs => true,
            Self::Email | Self::EmailJson | Self::Sms | Self::Lambda | Self::Application => false,
        }
    }

    /// Checks an endpoint; `fifo` says whether the topic keeps order.
    pub fn check(self, endpoint: &str, fifo: bool) -> Result<(), Error> {
        let refused = |why: &str| Err(Error::Invalid(why.to_owned()));
        let is_arn = |service: &str| Arn::parse(endpoint).is_some_and(|arn| arn.service == service);
        if fifo && self != Self::Sqs {
            let why = format!("FIFO topics can only have queues as subscribers, not the protocol {}", self.as_str());
            return Err(Error::because("Protocol", why));
        }
        match self {
            Self::Http if endpoint.starts_with("http://") => check_url(endpoint),
            Self::Https if endpoint.starts_with("https://") => check_url(endpoint),
            Self::Http | Self::Https => refused("Endpoint must match the specified protocol"),
            Self::Email | Self::EmailJson => match is_mail_address(endpoint) {
                true => Ok(()),
                false => refused("Email address"),
            },
            Self::Sms if is_phone(endpoint) => Ok(()),
            Self::Sms => refused(&format!("Invalid SMS endpoint: {endpoint}")),
            Self::Sqs if !is_arn("sqs") => refused("SQS endpoint ARN"),
            Self::Sqs if !fifo && endpoint.ends_with(FIFO_SUFFIX) => refused(
                "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
            ),
            Self::Sqs => Ok(()),
            Self::Lambda if is_arn("lambda") => Ok(()),
            Self::Lambda => refused("Lambda endpoint ARN"),
            Self::Application if is_arn("sns") && endpoint.contains(":endpoint/") => Ok(()),
            Self::Application => refused("Application endpoint arn invalid"),
        }
    }
}

fn check_url(url: &str) -> Result<(), Error> {
    const CHARS_MAX: usize = 2_048;
    let host = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let good = !host.is_empty() && url.len() <= CHARS_MAX && url.bytes().all(|byte| byte.is_ascii_graphic());
    if good { Ok(()) } else { Err(Error::because("Endpoint", "Please use a valid URL")) }
}

fn is_mail_address(text: &str) -> bool {
    const CHARS_MAX: usize = 320;
    let clean =
        text.len() <= CHARS_MAX && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>,;()\"".contains(&byte));
    clean && text.split_once('@').is_some_and(|(who, host)| !who.is_empty() && !host.is_empty() && !host.contains('@'))
}

/// E.164, as AWS reads it: digits with single separators, perhaps after a plus.
pub fn is_phone(text: &str) -> bool {
    let rest = text.strip_prefix('+').unwrap_or(text);
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    let good = |byte: u8| byte.is_ascii_digit() || b"-. ()".contains(&byte);
    (1..=15).contains(&digits)
        && rest.len() <= 20
        && rest.bytes().all(good)
        && rest.bytes().next_back().is_some_and(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_fit_their_protocol() {
        let check = |protocol: Protocol, endpoint: &str, fifo: bool, expected: &str| {
            let found = protocol.check(endpoint, fifo).map_or_else(|error| error.to_string(), |()| "good".to_owned());
            assert_eq!(found, expected, "{protocol:?} {endpoint}");
        };
        let queue = "arn:aws:sqs:us-east-1:000000000000:q";
        check(Protocol::Sqs, queue, false, "good");
        check(Protocol::Sqs, queue, true, "good");
        check(Protocol::Sqs, "q", false, "Invalid parameter: SQS endpoint ARN");
        check(
            Protocol::Sqs,
            &format!("{queue}.fifo"),
            false,
            "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS \
             topics",
        );
        check(Protocol::Http, "http://localhost:8080/hook", false, "good");
        check(Protocol::Http, "https://a", false, "Invalid parameter: Endpoint must match the specified protocol");
        check(Protocol::Https, "https:///x", false, "Invalid parameter: Endpoint Reason: Please use a valid URL");
        check(Protocol::Email, "a@example.com", false, "good");
        check(Protocol::Email, "a", false, "Invalid parameter: Email address");
        check(Protocol::Email, "a@b\r\nBcc: c@d", false, "Invalid parameter: Email address");
        check(Protocol::Sms, "+49 30 123456", false, "good");
        check(Protocol::Sms, "call me", false, "Invalid parameter: Invalid SMS endpoint: call me");
        check(Protocol::Lambda, "arn:aws:lambda:us-east-1:000000000000:function:f", false, "good");
        check(
            Protocol::Application,
            "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/a/6f4a1ba0-1111-4222-8333-444444444444",
            false,
            "good",
        );
        assert!(Protocol::Email.check("a@example.com", true).is_err());
        assert!(Protocol::parse("firehose").is_err() && Protocol::parse("x").is_err());
    }
}
