//! `ProvisionedConcurrencyConfig`, which versions and aliases have alike: to the templates it is a part of them, to the operations a
//! thing of its own.

use contract::Step;
use contract::properties::{Field, Form, optional, required};
use serde_json::{Map, Value, json};
use wire::lambda as op;

use super::step;

/// The property.
pub(super) const NAME: &str = "ProvisionedConcurrencyConfig";

/// As templates have it.
pub(super) const FIELD: Field =
    optional(NAME, Form::Fields(&[required("ProvisionedConcurrentExecutions", Form::Whole)]));

/// The step that sets what the properties say, if they say anything.
pub(super) fn put(arn: &str, properties: &Map<String, Value>) -> Option<Step> {
    let wanted = &properties.get(NAME)?["ProvisionedConcurrentExecutions"];
    let mut input = address(arn);
    input["ProvisionedConcurrentExecutions"] = wanted.clone();
    Some(step::<op::PutProvisionedConcurrencyConfig>(input))
}

/// The step that comes from one to the other.
pub(super) fn change(arn: &str, old: &Map<String, Value>, new: &Map<String, Value>) -> Option<Step> {
    match (old.get(NAME), new.get(NAME)) {
        (old, new) if old == new => None,
        (_, Some(_)) => put(arn, new),
        (_, None) => Some(step::<op::DeleteProvisionedConcurrencyConfig>(address(arn))),
    }
}

/// The read that tells whether it is there, if there is anything to wait for.
pub(super) fn awaits(arn: &str, properties: &Value) -> Option<Step> {
    properties.get(NAME).filter(|config| !config.is_null())?;
    Some(step::<op::GetProvisionedConcurrencyConfig>(address(arn)))
}

/// Whether it is; true for answers about anything else.
pub(super) fn settled(answer: &Value) -> Result<bool, String> {
    match answer.get("Status").and_then(Value::as_str) {
        Some("IN_PROGRESS") => Ok(false),
        Some("FAILED") => {
            let reason = answer.get("StatusReason").and_then(Value::as_str).unwrap_or("no reason is known");
            Err(format!("the provisioned concurrency cannot be had: {reason}"))
        }
        Some(_) | None => Ok(true),
    }
}

/// A version or an alias, by its ARN.
fn address(arn: &str) -> Value {
    let (function, qualifier) = arn.rsplit_once(':').unwrap_or((arn, ""));
    json!({ "FunctionName": function, "Qualifier": qualifier })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_tell_whether_instances_are_there() {
        for (answer, expected) in [
            (json!({ "Status": "READY" }), Ok(true)),
            (json!({ "Status": "IN_PROGRESS" }), Ok(false)),
            (
                json!({ "Status": "FAILED", "StatusReason": "FUNCTION_ERROR_INIT_FAILURE" }),
                Err("the provisioned concurrency cannot be had: FUNCTION_ERROR_INIT_FAILURE".to_owned()),
            ),
            (json!({ "AliasArn": "a" }), Ok(true)),
            (Value::Null, Ok(true)),
        ] {
            assert_eq!(settled(&answer), expected, "{answer}");
        }
    }

    #[test]
    fn only_what_changes_is_set() {
        let config = |wanted: Option<u32>| -> Map<String, Value> {
            wanted
                .into_iter()
                .map(|wanted| (NAME.to_owned(), json!({ "ProvisionedConcurrentExecutions": wanted })))
                .collect()
        };
        for (old, new, expected) in [
            (None, None, None),
            (Some(1), Some(1), None),
            (None, Some(1), Some("PutProvisionedConcurrencyConfig")),
            (Some(1), Some(2), Some("PutProvisionedConcurrencyConfig")),
            (Some(1), None, Some("DeleteProvisionedConcurrencyConfig")),
        ] {
            let step = change("arn:f:live", &config(old), &config(new));
            assert_eq!(step.as_ref().map(|step| step.operation.name), expected, "{old:?} {new:?}");
            if let Some(step) = step {
                assert_eq!(step.input["FunctionName"], "arn:f");
                assert_eq!(step.input["Qualifier"], "live");
            }
        }
    }
}
