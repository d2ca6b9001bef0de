//! `InvokeWithResponseStream`: runs a function, and hands its result on while it is made: one event for each piece, and one at the end,
//! which says whether it failed.
//!
//! Functions that make their result as a whole have it in one piece. Limits: those of `Invoke`, and 200 MB of result for functions that
//! stream it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use contract::{Arn, Call, Effect, Fault, Handle};
use futures_util::stream;
use wire::event_stream::event;
use wire::lambda::{
    InvokeResponseStreamUpdate, InvokeWithResponseStream, InvokeWithResponseStreamCompleteEvent,
    InvokeWithResponseStreamRequest, InvokeWithResponseStreamResponse,
    InvokeWithResponseStreamResponseEvent as StreamEvent, ResponseStreamingInvocationType,
};
use wire::{Payload, Protocol};

use super::invoke::{check_json, client_context, log_end};
use crate::invoke::Event;
use crate::name::{Reference, Scope};
use crate::streaming::{Ending, Part, Streaming};
use crate::{Functions, faults};

impl Handle<InvokeWithResponseStream> for Functions {
    const EFFECT: Effect = Effect::Run;
    const ACTION: Option<&'static str> = Some("lambda:InvokeFunction");

    fn resource(&self, call: &Call, input: &InvokeWithResponseStreamRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(
        &self,
        call: &Call,
        input: InvokeWithResponseStreamRequest,
    ) -> Result<InvokeWithResponseStreamResponse, Fault> {
        let scope = Scope::of(call);
        let reference = Reference::parse_qualified(&scope, &input.function_name, input.qualifier.as_deref())?;
        let missing = || faults::function_not_found(scope.arn_of(&reference));
        let active = self.table.get(&scope, reference.name.as_str()).ok_or_else(missing)?;
        let qualifier = reference.qualifier.as_ref();
        match input.invocation_type {
            None | Some(ResponseStreamingInvocationType::RequestResponse) => {}
            Some(ResponseStreamingInvocationType::DryRun) => {
                active.runner(qualifier, || 0).ok_or_else(missing)?;
                return Ok(InvokeWithResponseStreamResponse { status_code: Some(204), ..Default::default() });
            }
            Some(ResponseStreamingInvocationType::Other(other)) => {
                return Err(faults::validation(format!(
                    "1 validation error detected: Value '{other}' at 'invocationType' failed to satisfy constraint: Member \
                     must satisfy enum value set: [RequestResponse, DryRun]"
                )));
            }
        }
        let payload = input.payload.unwrap_or_default();
        check_json(&payload)?;
        let event = Event {
            payload,
            client_context: input.client_context.as_deref().map(client_context).transpose()?,
            log: log_end(input.log_type.as_ref()),
        };
        let streaming = self.stream(call, &active, qualifier, event).await?;
        Ok(InvokeWithResponseStreamResponse {
            status_code: Some(200),
            executed_version: Some(streaming.version.clone()),
            event_stream: Some(messages(streaming)),
            response_stream_content_type: None,
        })
    }
}

/// The body: a message for each part.
fn messages(streaming: Streaming) -> Payload {
    let parts = stream::unfold(streaming, |mut streaming| async move {
        let part = streaming.next().await?;
        Some((Ok(message(part)), streaming))
    });
    Payload::stream(Box::pin(parts), None)
}

fn message(part: Part) -> Bytes {
    let told = match part {
        Part::Piece(piece) => StreamEvent::PayloadChunk(InvokeResponseStreamUpdate { payload: Some(piece) }),
        Part::End(Ending { error, log_tail }) => {
            let (error_code, error_details) = error.unzip();
            let log_result = log_tail.map(|tail| STANDARD.encode(tail));
            StreamEvent::InvokeComplete(InvokeWithResponseStreamCompleteEvent { error_code, error_details, log_result })
        }
    };
    event(Protocol::RestJson, &told)
}
