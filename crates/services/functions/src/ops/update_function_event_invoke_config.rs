//! `UpdateFunctionEventInvokeConfig`: what is not named stays.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{
    FunctionEventInvokeConfig, UpdateFunctionEventInvokeConfig, UpdateFunctionEventInvokeConfigRequest,
};

use super::put_function_event_invoke_config::{Wanted, check_owner, none_of};
use super::view;
use crate::name::{Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<UpdateFunctionEventInvokeConfig> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdateFunctionEventInvokeConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(
        &self,
        call: &Call,
        input: UpdateFunctionEventInvokeConfigRequest,
    ) -> Result<FunctionEventInvokeConfig, Fault> {
        let scope = &Scope::of(call);
        let reference = &Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        let wanted = &Wanted {
            retries_max: input.maximum_retry_attempts,
            age_max_s: input.maximum_event_age_in_seconds,
            destinations: input.destination_config,
        };
        if wanted.is_empty() {
            return Err(faults::invalid("You must specify at least one of error handling or destination setting."));
        }
        let (place, qualifier) = (&Place::new(scope, &reference.name), &reference.or_latest());
        let now_ms = self.now_ms();
        let committed = self.store.transact(|tx| async move {
            check_owner(&tx, place, qualifier).await?;
            let known = place.event_invoke(&tx, qualifier).await?.ok_or_else(|| none_of(scope, reference))?;
            let config = wanted.over(known, now_ms)?;
            config.check(place.name, |name| self.table.get(scope, name).is_some())?;
            place.put_event_invoke(&tx, qualifier, &config);
            Ok::<_, Refusal>(config)
        });
        let committed = committed.await;
        let config = self.settle(scope, &reference.name, committed).await?;
        Ok(view::event_invoke(scope, reference, &config))
    }
}
