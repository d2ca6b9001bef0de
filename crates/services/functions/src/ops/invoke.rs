//! `Invoke`: runs a function and waits for its answer, takes an event for later (`Event`), or only asks whether it might (`DryRun`).
//!
//! Limits: 6 MB of payload, 1 MB of an event, 4 KB of log tail, 3,583 bytes of client context.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{InvocationRequest, InvocationResponse, InvocationType, Invoke, LogType};

use crate::invoke::{Event, LogEnd};
use crate::name::{Reference, Scope};
use crate::{Functions, faults};

const CLIENT_CONTEXT_BYTES_MAX: usize = 3583;

impl Handle<Invoke> for Functions {
    const EFFECT: Effect = Effect::Run;
    const ACTION: Option<&'static str> = Some("lambda:InvokeFunction");

    fn resource(&self, call: &Call, input: &InvocationRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(&self, call: &Call, input: InvocationRequest) -> Result<InvocationResponse, Fault> {
        let scope = Scope::of(call);
        let reference = Reference::parse_qualified(&scope, &input.function_name, input.qualifier.as_deref())?;
        let missing = || faults::function_not_found(scope.arn_of(&reference));
        let active = self.table.get(&scope, reference.name.as_str()).ok_or_else(missing)?;
        let qualifier = reference.qualifier.as_ref();
        let payload = input.payload.unwrap_or_default();
        match input.invocation_type {
            None | Some(InvocationType::RequestResponse) => {}
            Some(InvocationType::DryRun) => {
                active.runner(qualifier, || 0).ok_or_else(missing)?;
                return Ok(InvocationResponse { status_code: Some(204), ..InvocationResponse::default() });
            }
            Some(InvocationType::Event) => {
                active.runner(qualifier, || 0).ok_or_else(missing)?;
                check_json(&payload)?;
                let client_context = input.client_context.as_deref().map(client_context).transpose()?;
                self.accept(call, &active, qualifier, Event { payload, client_context, log: LogEnd::Unwanted }).await?;
                return Ok(InvocationResponse { status_code: Some(202), ..InvocationResponse::default() });
            }
            Some(InvocationType::Other(other)) => {
                return Err(faults::validation(format!(
                    "1 validation error detected: Value '{other}' at 'invocationType' failed to satisfy constraint: Member \
                     must satisfy enum value set: [Event, RequestResponse, DryRun]"
                )));
            }
        }
        check_json(&payload)?;
        let event = Event {
            payload,
            client_context: input.client_context.as_deref().map(client_context).transpose()?,
            log: log_end(input.log_type.as_ref()),
        };
        let done = self.invoke(call, &active, qualifier, event).await?;
        Ok(InvocationResponse {
            status_code: Some(200),
            function_error: done.outcome.error.map(|error| error.name().to_owned()),
            log_result: done.outcome.log_tail.map(|tail| STANDARD.encode(tail)),
            payload: Some(done.outcome.payload),
            executed_version: Some(done.version),
            durable_execution_arn: None,
        })
    }
}

/// Reads the payload once, keeping nothing of it. Empty is `{}`.
pub(super) fn check_json(payload: &Bytes) -> Result<(), Fault> {
    if payload.is_empty() {
        return Ok(());
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(payload) {
        Ok(_) => Ok(()),
        Err(error) => Err(faults::bad_payload(error)),
    }
}

/// `LogType`.
pub(super) fn log_end(wish: Option<&LogType>) -> LogEnd {
    match wish {
        Some(LogType::Tail) => LogEnd::Wanted,
        Some(LogType::None | LogType::Other(_)) | None => LogEnd::Unwanted,
    }
}

pub(super) fn client_context(encoded: &str) -> Result<String, Fault> {
    let wrong = |why: &str| faults::invalid(format!("The client context is refused: {why}."));
    if encoded.len() > CLIENT_CONTEXT_BYTES_MAX {
        return Err(wrong(&format!("it has {} bytes, and {CLIENT_CONTEXT_BYTES_MAX} are allowed", encoded.len())));
    }
    let bytes = STANDARD.decode(encoded).map_err(|_| wrong("it is not base64"))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?;
    match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(wrong(&format!("it is not JSON ({error})"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_must_be_json() {
        for good in ["", "{}", "null", "\"text\"", " [1, 2.5e3] "] {
            assert_eq!(check_json(&Bytes::from(good)), Ok(()), "{good}");
        }
        for bad in ["{", "text", "{}{}", "\u{1}", "{'a':1}"] {
            let fault = check_json(&Bytes::from(bad)).expect_err(bad);
            assert_eq!(fault.code, "InvalidRequestContentException");
            assert!(fault.message.starts_with("Could not parse request body into json: "), "{}", fault.message);
        }
        let deep = "[".repeat(100_000);
        assert!(check_json(&Bytes::from(deep)).is_err());
    }

    #[test]
    fn client_contexts_are_base64_of_json() {
        assert_eq!(client_context(&STANDARD.encode(r#"{"custom":{}}"#)).as_deref(), Ok(r#"{"custom":{}}"#));
        for bad in ["%", &STANDARD.encode("{"), &STANDARD.encode([0xff]), &"A".repeat(3584)] {
            assert_eq!(client_context(bad).expect_err(bad).code, "InvalidParameterValueException");
        }
    }
}
