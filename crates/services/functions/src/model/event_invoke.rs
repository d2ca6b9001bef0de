//! What becomes of asynchronous invocations: how often and how long they are tried, and where their results go.

use contract::{Arn, Fault};

use crate::faults;
use crate::name::FunctionName;

/// `FunctionEventInvokeConfig` of a version or an alias.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventInvoke {
    /// `MaximumRetryAttempts`, if it was set.
    pub retries_max: Option<u32>,
    /// `MaximumEventAgeInSeconds`, if it was set.
    pub age_max_s: Option<u32>,
    /// Where results go.
    pub on_success: Option<String>,
    /// Where events go that are given up.
    pub on_failure: Option<String>,
    /// Milliseconds since the epoch.
    pub modified_ms: i64,
}

impl EventInvoke {
    /// Retries of an event whose function failed, unless it is said otherwise; also the most.
    pub const RETRIES_MAX: u32 = 2;
    /// How long an event may be tried, in seconds, unless it is said otherwise; also the longest.
    pub const AGE_MAX_S: u32 = 21_600;

    /// How often an event is tried again whose function failed.
    pub fn retries(&self) -> u32 {
        self.retries_max.unwrap_or(Self::RETRIES_MAX).min(Self::RETRIES_MAX)
    }

    /// How long an event may be tried, in seconds.
    pub fn age_s(&self) -> u32 {
        self.age_max_s.unwrap_or(Self::AGE_MAX_S).min(Self::AGE_MAX_S)
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        let Self { retries_max, age_max_s, on_success, on_failure, modified_ms: _ } = self;
        retries_max.is_none() && age_max_s.is_none() && on_success.is_none() && on_failure.is_none()
    }

    /// Refuses destinations that are none. `is_there` tells whether there is a function of that name.
    pub fn check(&self, function: &FunctionName, is_there: impl Fn(&str) -> bool) -> Result<(), Fault> {
        for destination in [&self.on_failure, &self.on_success].into_iter().flatten() {
            let arn = Arn::parse(destination).filter(is_destination).ok_or_else(|| self.refusal())?;
            let Some(name) = function_of(&arn) else { continue };
            if !is_there(name) {
                return Err(faults::invalid(format!("The destination ARN {destination} is invalid.")));
            }
            if name == function.as_str() {
                return Err(faults::invalid("You can't specify the function as a destination for itself."));
            }
        }
        Ok(())
    }

    fn refusal(&self) -> Fault {
        let part = |kind: &str, destination: &Option<String>| match destination {
            Some(destination) => format!("{kind}(destination={destination})"),
            None => "null".to_owned(),
        };
        faults::invalid(format!(
            "The provided destination config DestinationConfig(onSuccess={}, onFailure={}) is invalid.",
            part("OnSuccess", &self.on_success),
            part("OnFailure", &self.on_failure)
        ))
    }
}

/// Refuses a dead-letter target that is neither a queue nor a topic.
pub fn check_dead_letter(arn: &str) -> Result<(), Fault> {
    match Arn::parse(arn).filter(|arn| ["sqs", "sns"].contains(&arn.service.as_str())) {
        Some(_) => Ok(()),
        None => Err(faults::invalid(format!(
            "The provided dead letter target {arn} is not valid: it must be the ARN of an SQS queue or an SNS topic."
        ))),
    }
}

/// Queues, topics, functions and event buses are. Buckets will be, when there are some.
fn is_destination(arn: &Arn) -> bool {
    match arn.service.as_str() {
        "sqs" | "sns" => true,
        "lambda" => arn.resource.starts_with("function:"),
        "events" => arn.resource.starts_with("event-bus/"),
        _ => false,
    }
}

fn function_of(arn: &Arn) -> Option<&str> {
    (arn.service == "lambda").then(|| arn.resource.split(':').nth(1).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_checked() {
        let name = FunctionName::parse("mine").unwrap();
        let check = |destination: &str, expected: Option<&str>| {
            let config = EventInvoke { on_failure: Some(destination.to_owned()), ..EventInvoke::default() };
            let found = config.check(&name, |name| ["mine", "other"].contains(&name));
            match expected {
                None => assert_eq!(found, Ok(()), "{destination}"),
                Some(words) => assert!(found.unwrap_err().message.contains(words), "{destination}"),
            }
        };
        check("arn:aws:sqs:us-east-1:000000000000:q", None);
        check("arn:aws:sns:us-east-1:000000000000:t", None);
        check("arn:aws:events:us-east-1:000000000000:event-bus/default", None);
        check("arn:aws:lambda:us-east-1:000000000000:function:other:live", None);
        check("arn:aws:lambda:us-east-1:000000000000:function:mine", Some("destination for itself"));
        check("arn:aws:lambda:us-east-1:000000000000:function:none", Some("is invalid."));
        let words = "DestinationConfig(onSuccess=null, onFailure=OnFailure(destination=arn:aws:dynamodb:";
        check("arn:aws:dynamodb:us-east-1:000000000000:table/t", Some(words));
        check("text", Some("is invalid."));
        assert!(check_dead_letter("arn:aws:sqs:us-east-1:000000000000:q").is_ok());
        assert!(check_dead_letter("arn:aws:lambda:us-east-1:000000000000:function:f").is_err());
    }
}
