//! `DeleteFunctionUrlConfig`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::lambda::{DeleteFunctionUrlConfig, DeleteFunctionUrlConfigRequest};

use crate::model::url::check_qualifier;
use crate::name::{Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<DeleteFunctionUrlConfig> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteFunctionUrlConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(&self, call: &Call, input: DeleteFunctionUrlConfigRequest) -> Result<Empty, Fault> {
        let scope = &Scope::of(call);
        let reference = &Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        check_qualifier(reference.qualifier.as_ref())?;
        let place = &Place::new(scope, &reference.name);
        let qualifier = reference.qualifier.as_ref();
        let committed = self
            .store
            .transact(|tx| async move {
                place.url(&tx, qualifier).await?.ok_or_else(faults::nothing_there)?;
                place.delete_url(&tx, qualifier);
                Ok::<_, Refusal>(())
            })
            .await;
        self.settle(scope, &reference.name, committed).await?;
        Ok(Empty)
    }
}
