//! `InvokeAsync`: the deprecated way to say `Invoke` with `InvocationType` `Event`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{InvokeAsync, InvokeAsyncRequest, InvokeAsyncResponse};

use super::invoke::check_json;
use crate::invoke::{Event, LogEnd};
use crate::name::{Reference, Scope};
use crate::{Functions, faults};

impl Handle<InvokeAsync> for Functions {
    const EFFECT: Effect = Effect::Run;
    const ACTION: Option<&'static str> = Some("lambda:InvokeFunction");

    fn resource(&self, call: &Call, input: &InvokeAsyncRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(&self, call: &Call, input: InvokeAsyncRequest) -> Result<InvokeAsyncResponse, Fault> {
        let scope = Scope::of(call);
        let reference = Reference::parse_qualified(&scope, &input.function_name, None)?;
        let missing = || faults::function_not_found(scope.arn_of(&reference));
        let active = self.table.get(&scope, reference.name.as_str()).ok_or_else(missing)?;
        let qualifier = reference.qualifier.as_ref();
        active.runner(qualifier, || 0).ok_or_else(missing)?;
        check_json(&input.invoke_args)?;
        let event = Event { payload: input.invoke_args, client_context: None, log: LogEnd::Unwanted };
        self.accept(call, &active, qualifier, event).await?;
        Ok(InvokeAsyncResponse { status: Some(202) })
    }
}
