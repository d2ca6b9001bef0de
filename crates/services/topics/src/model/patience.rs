//! How often an endpoint is tried, and how long is waited between: AWS's four phases, and the policies by which owners change them.
//!
//! Throttling (`maxReceivesPerSecond`) is kept and shown, and not applied.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::error::Error;

/// The tries after the first one, in four phases: at once, after the shortest wait, after growing waits, after the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// All retries together.
    pub retries: u32,
    no_delay: u32,
    min_delay: u32,
    max_delay: u32,
    min_s: u32,
    max_s: u32,
    growth: Growth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Growth {
    Arithmetic,
    Exponential,
    Geometric,
    Linear,
}

impl Patience {
    /// HTTP endpoints, as nobody said otherwise: three retries, twenty seconds apart.
    pub const HTTP: Self =
        Self { retries: 3, no_delay: 0, min_delay: 0, max_delay: 0, min_s: 20, max_s: 20, growth: Growth::Linear };

    /// Queues and functions: 100,015 tries within 23 days.
    pub const MANAGED: Self = Self {
        retries: 100_015,
        no_delay: 3,
        min_delay: 2,
        max_delay: 100_000,
        min_s: 1,
        max_s: 20,
        growth: Growth::Exponential,
    };

    /// Mail, short messages and mobile push: 50 tries within six hours.
    pub const PEOPLE: Self = Self {
        retries: 50,
        no_delay: 0,
        min_delay: 2,
        max_delay: 38,
        min_s: 10,
        max_s: 600,
        growth: Growth::Exponential,
    };

    /// How long to wait before the retry of that number, which counts from zero. None if there is no such retry.
    pub fn wait(&self, retry: u32) -> Option<Duration> {
        if retry >= self.retries {
            return None;
        }
        if retry < self.no_delay {
            return Some(Duration::ZERO);
        }
        let growing = self.retries.saturating_sub(self.no_delay + self.min_delay + self.max_delay);
        let step = retry - self.no_delay;
        if step < self.min_delay {
            return Some(Duration::from_secs(self.min_s.into()));
        }
        let step = step - self.min_delay;
        if step >= growing || self.max_s <= self.min_s {
            return Some(Duration::from_secs(self.max_s.into()));
        }
        let (low, high) = (f64::from(self.min_s), f64::from(self.max_s));
        let part = f64::from(step + 1) / f64::from(growing);
        let wait = match self.growth {
            Growth::Linear => low + (high - low) * part,
            Growth::Arithmetic => low + (high - low) * part * f64::from(step + 2) / f64::from(growing + 1),
            Growth::Geometric => low.max(0.1) * (high / low.max(0.1)).powf(part),
            Growth::Exponential => {
                (low.max(0.5) * 2_f64.powi(i32::try_from(step + 1).unwrap_or(i32::MAX).min(30))).min(high)
            }
        };
        Some(Duration::from_secs_f64(wait.clamp(low, high)))
    }

    /// All waits together, and an hour for the tries themselves.
    pub fn age_max(&self) -> Duration {
        let counted = self.retries.min(200);
        let waits: Duration = (0..counted).filter_map(|retry| self.wait(retry)).sum();
        let rest = Duration::from_secs(self.max_s.into()).saturating_mul(self.retries - counted);
        waits + rest + Duration::from_secs(3_600)
    }

    /// As `EffectiveDeliveryPolicy` shows it.
    fn show(&self) -> Value {
        json!({
            "minDelayTarget": self.min_s,
            "maxDelayTarget": self.max_s,
            "numRetries": self.retries,
            "numMaxDelayRetries": self.max_delay,
            "numNoDelayRetries": self.no_delay,
            "numMinDelayRetries": self.min_delay,
            "backoffFunction": match self.growth {
                Growth::Arithmetic => "arithmetic",
                Growth::Exponential => "exponential",
                Growth::Geometric => "geometric",
                Growth::Linear => "linear",
            },
        })
    }

    fn read(policy: &Map<String, Value>) -> Result<Self, String> {
        const RETRIES_MAX: u32 = 100;
        const DELAY_S_MAX: u32 = 3_600;
        let number = |name: &str, default: u32| match policy.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => value
                .as_u64()
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| format!("{name} must be a number from zero up")),
        };
        let growth = match policy.get("backoffFunction").and_then(Value::as_str) {
            None | Some("linear") => Growth::Linear,
            Some("arithmetic") => Growth::Arithmetic,
            Some("exponential") => Growth::Exponential,
            Some("geometric") => Growth::Geometric,
            Some(other) => {
                return Err(format!(
                    "backoffFunction must be arithmetic, exponential, geometric or linear, not {other}"
                ));
            }
        };
        let read = Self {
            retries: number("numRetries", Self::HTTP.retries)?,
            no_delay: number("numNoDelayRetries", 0)?,
            min_delay: number("numMinDelayRetries", 0)?,
            max_delay: number("numMaxDelayRetries", 0)?,
            min_s: number("minDelayTarget", Self::HTTP.min_s)?,
            max_s: number("maxDelayTarget", Self::HTTP.max_s)?,
            growth,
        };
        if read.retries > RETRIES_MAX {
            return Err(format!("numRetries must be at most {RETRIES_MAX}"));
        }
        if read.min_s < 1 || read.max_s < read.min_s || read.max_s > DELAY_S_MAX {
            return Err(format!(
                "minDelayTarget must be at least 1, maxDelayTarget not less than it and at most {DELAY_S_MAX}"
            ));
        }
        let phases = [read.no_delay, read.min_delay, read.max_delay].into_iter().map(u64::from).sum::<u64>();
        if phases > u64::from(read.retries) {
            return Err("the numbers of retries of the phases must not be more than numRetries together".to_owned());
        }
        Ok(read)
    }
}

/// A delivery policy, of a topic or of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryPolicy {
    /// The retries that it asks for.
    pub patience: Option<Patience>,
    /// The content type of requests.
    pub content_type: Option<String>,
    /// Whether the topic's counts, whatever subscriptions say.
    pub overrides_disabled: bool,
}

impl DeliveryPolicy {
    /// Reads a topic's: `{"http": {"defaultHealthyRetryPolicy": …}}`.
    pub fn of_topic(text: &str) -> Result<Self, Error> {
        let document = object(text)?;
        let http = document.get("http").and_then(Value::as_object).cloned().unwrap_or_default();
        Self::read(&http, "defaultHealthyRetryPolicy", "defaultRequestPolicy")
    }

    /// Reads a subscription's: `{"healthyRetryPolicy": …}`.
    pub fn of_subscription(text: &str) -> Result<Self, Error> {
        Self::read(&object(text)?, "healthyRetryPolicy", "requestPolicy")
    }

    fn read(members: &Map<String, Value>, retry: &str, request: &str) -> Result<Self, Error> {
        let wrong = |why: String| Error::Invalid(format!("DeliveryPolicy: {why}"));
        let patience = match members.get(retry) {
            None | Some(Value::Null) => None,
            Some(Value::Object(policy)) => Some(Patience::read(policy).map_err(wrong)?),
            Some(_) => return Err(wrong(format!("{retry} must be an object"))),
        };
        let content_type = match members.get(request).and_then(|request| request.get("headerContentType")) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if is_header_value(text) => Some(text.clone()),
            Some(_) => return Err(wrong("headerContentType must be a content type".to_owned())),
        };
        let overrides_disabled =
            members.get("disableSubscriptionOverrides").and_then(Value::as_bool).unwrap_or_default();
        Ok(Self { patience, content_type, overrides_disabled })
    }

    /// What counts for requests, of the topic's policy and the subscription's.
    pub fn effective<'a>(topic: &'a Self, subscription: &'a Self) -> (Patience, &'a str) {
        let own = if topic.overrides_disabled { topic } else { subscription };
        let patience = own.patience.or(topic.patience).unwrap_or(Patience::HTTP);
        let content_type = own.content_type.as_deref().or(topic.content_type.as_deref());
        (patience, content_type.unwrap_or(CONTENT_TYPE))
    }
}

/// What requests say that they carry, as nobody said otherwise.
pub const CONTENT_TYPE: &str = "text/plain; charset=UTF-8";

/// A topic's `EffectiveDeliveryPolicy`.
pub fn show_topic(policy: &DeliveryPolicy) -> String {
    let patience = policy.patience.unwrap_or(Patience::HTTP);
    json!({
        "http": {
            "defaultHealthyRetryPolicy": patience.show(),
            "disableSubscriptionOverrides": policy.overrides_disabled,
            "defaultRequestPolicy": { "headerContentType": policy.content_type.as_deref().unwrap_or(CONTENT_TYPE) },
        },
    })
    .to_string()
}

/// A subscription's `EffectiveDeliveryPolicy`.
pub fn show_subscription(patience: Patience, content_type: &str) -> String {
    json!({
        "healthyRetryPolicy": patience.show(),
        "sicklyRetryPolicy": null,
        "throttlePolicy": null,
        "requestPolicy": { "headerContentType": content_type },
        "guaranteed": false,
    })
    .to_string()
}

fn object(text: &str) -> Result<Map<String, Value>, Error> {
    serde_json::from_str(text).map_err(|_| Error::Invalid("DeliveryPolicy: failed to parse JSON.".to_owned()))
}

fn is_header_value(text: &str) -> bool {
    !text.is_empty() && text.len() <= 256 && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(patience: &Patience, count: u32) -> Vec<f64> {
        (0..count).filter_map(|retry| patience.wait(retry)).map(|wait| wait.as_secs_f64()).collect()
    }

    #[test]
    fn defaults_are_those_that_aws_documents() {
        assert_eq!(waits(&Patience::HTTP, 10), [20.0, 20.0, 20.0]);
        let managed = waits(&Patience::MANAGED, 17);
        assert_eq!(managed[..6], [0.0, 0.0, 0.0, 1.0, 1.0, 2.0]);
        assert_eq!(managed[15..], [20.0, 20.0]);
        assert!(Patience::MANAGED.wait(100_014).is_some() && Patience::MANAGED.wait(100_015).is_none());
        let days = Patience::MANAGED.age_max().as_secs() / 86_400;
        assert_eq!(days, 23);
        assert_eq!(waits(&Patience::PEOPLE, 99).len(), 50);
    }

    #[test]
    fn policies_are_read_and_the_subscriptions_counts() {
        let topic = r#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":5,"minDelayTarget":1,"maxDelayTarget":5}}}"#;
        let topic = DeliveryPolicy::of_topic(topic).expect("reads");
        let own = r#"{"healthyRetryPolicy":{"numRetries":4,"numNoDelayRetries":1,"minDelayTarget":1,"maxDelayTarget":4},
            "requestPolicy":{"headerContentType":"application/json"}}"#;
        let own = DeliveryPolicy::of_subscription(own).expect("reads");
        let (patience, content_type) = DeliveryPolicy::effective(&topic, &own);
        assert_eq!((waits(&patience, 9), content_type), (vec![0.0, 2.0, 3.0, 4.0], "application/json"));
        let strict = DeliveryPolicy { overrides_disabled: true, ..topic };
        assert_eq!(waits(&DeliveryPolicy::effective(&strict, &own).0, 9), [1.8, 2.6, 3.4, 4.2, 5.0]);
    }

    #[test]
    fn impossible_policies_are_refused() {
        for policy in [
            "[]",
            r#"{"healthyRetryPolicy":[]}"#,
            r#"{"healthyRetryPolicy":{"numRetries":101}}"#,
            r#"{"healthyRetryPolicy":{"minDelayTarget":5,"maxDelayTarget":4}}"#,
            r#"{"healthyRetryPolicy":{"numRetries":1,"numNoDelayRetries":2}}"#,
            r#"{"healthyRetryPolicy":{"backoffFunction":"x"}}"#,
            r#"{"requestPolicy":{"headerContentType":"a\r\nb"}}"#,
        ] {
            assert!(DeliveryPolicy::of_subscription(policy).is_err(), "{policy}");
        }
    }
}
