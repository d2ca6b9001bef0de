//! `DeleteFunctionEventInvokeConfig`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::lambda::{DeleteFunctionEventInvokeConfig, DeleteFunctionEventInvokeConfigRequest};

use super::put_function_event_invoke_config::{check_owner, none_of};
use crate::Functions;
use crate::name::{Reference, Scope};
use crate::store::{Place, Refusal};

impl Handle<DeleteFunctionEventInvokeConfig> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteFunctionEventInvokeConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(&self, call: &Call, input: DeleteFunctionEventInvokeConfigRequest) -> Result<Empty, Fault> {
        let scope = &Scope::of(call);
        let reference = &Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        let (place, qualifier) = (&Place::new(scope, &reference.name), &reference.or_latest());
        let committed = self.store.transact(|tx| async move {
            check_owner(&tx, place, qualifier).await?;
            place.event_invoke(&tx, qualifier).await?.ok_or_else(|| none_of(scope, reference))?;
            place.delete_event_invoke(&tx, qualifier);
            Ok::<_, Refusal>(())
        });
        let committed = committed.await;
        self.settle(scope, &reference.name, committed).await?;
        Ok(Empty)
    }
}
