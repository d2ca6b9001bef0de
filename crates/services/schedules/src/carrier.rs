//! Carries what schedules send: calls like any other, but that they are not tried at all when they are too old already, and that
//! they may say how often they were tried (`<aws.scheduler.attempt-number>`).

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Random};
use contract::{BoxFuture, Caller};
use delivery::call::judge_fault;
use delivery::{Carried, Carrier, Ending, Failure, Reason, Task};
use serde_json::Value;

use crate::Schedules;
use crate::model::input::ATTEMPT;

/// The carrier's name.
pub(crate) const CARRIER: &str = "schedule";

/// How long one call may take: a function's fifteen minutes, and some time to start.
const PATIENCE: Duration = Duration::from_secs(960);

/// The carrier.
struct Attempts {
    caller: Arc<dyn Caller>,
    clock: Clock,
    random: Random,
}

impl Schedules {
    /// Who carries what schedules send, and under which name.
    pub fn carrier(&self) -> (&'static str, Arc<dyn Carrier>) {
        let (caller, clock, random) = (Arc::clone(&self.caller), self.clock.clone(), self.random.clone());
        (CARRIER, Arc::new(Attempts { caller, clock, random }))
    }
}

impl Carrier for Attempts {
    fn carry<'a>(&'a self, carried: &'a Carried) -> BoxFuture<'a, Ending> {
        Box::pin(async move {
            let task = match Task::from_parcel(&carried.parcel) {
                Ok(task) => task,
                Err(error) => return Ending::Refused { why: Failure::new("MalformedDelivery", error.to_string()) },
            };
            if carried.is_expired(self.clock.now_ms()) {
                let message = "The schedule's time is longer ago than its MaximumEventAgeInSeconds.";
                let why = Failure::new("EventTooOld", message);
                return Ending::GiveUp { reason: Reason::Expired, why, farewell: None };
            }
            let call = carried.call(&self.random, task.acting.principal(), self.clock.elapsed() + PATIENCE);
            let mut input = task.input;
            number(&mut input, &(carried.tries + 1).to_string());
            let answer = match self.caller.find(&task.service, &task.operation) {
                Ok(operation) => self.caller.call(operation, &call, input).await,
                Err(fault) => Err(fault),
            };
            match answer {
                Ok(answer) => delivery::call::judge(&answer),
                Err(fault) => judge_fault(&fault),
            }
        })
    }
}

/// Fills in the attempt wherever an input has the word for it.
fn number(input: &mut Value, attempt: &str) {
    match input {
        Value::String(text) => match decoded(text) {
            Some(inside) => *text = encode(&inside.replace(ATTEMPT, attempt)),
            None => *text = text.replace(ATTEMPT, attempt),
        },
        Value::Array(items) => items.iter_mut().for_each(|item| number(item, attempt)),
        Value::Object(members) => members.values_mut().for_each(|member| number(member, attempt)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A blob's text, if it is one and has the word.
fn decoded(text: &str) -> Option<String> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    String::from_utf8(bytes).ok().filter(|inside| inside.contains(ATTEMPT))
}

fn encode(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_attempt_is_filled_in_wherever_it_stands() {
        let blob = encode(r#"{"attempt":<aws.scheduler.attempt-number>}"#);
        let mut input = json!({ "a": ["try <aws.scheduler.attempt-number>"], "Payload": blob, "n": 1 });
        number(&mut input, "3");
        assert_eq!(input, json!({ "a": ["try 3"], "Payload": encode(r#"{"attempt":3}"#), "n": 1 }));
        let before = input.clone();
        number(&mut input, "4");
        assert_eq!(input, before);
    }
}
