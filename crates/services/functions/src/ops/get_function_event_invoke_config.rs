//! `GetFunctionEventInvokeConfig`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{FunctionEventInvokeConfig, GetFunctionEventInvokeConfig, GetFunctionEventInvokeConfigRequest};

use super::put_function_event_invoke_config::{check_owner, none_of};
use super::view;
use crate::Functions;
use crate::name::{Reference, Scope};
use crate::store::{Place, Refusal};

impl Handle<GetFunctionEventInvokeConfig> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetFunctionEventInvokeConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(
        &self,
        call: &Call,
        input: GetFunctionEventInvokeConfigRequest,
    ) -> Result<FunctionEventInvokeConfig, Fault> {
        let scope = &Scope::of(call);
        let reference = &Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        let (snapshot, place) = (self.store.snapshot(), Place::new(scope, &reference.name));
        let qualifier = &reference.or_latest();
        check_owner(&snapshot, &place, qualifier).await?;
        let config = place.event_invoke(&snapshot, qualifier).await.map_err(Refusal::from)?;
        Ok(view::event_invoke(scope, reference, &config.ok_or_else(|| none_of(scope, reference))?))
    }
}
