//! `DeleteProvisionedConcurrencyConfig`: instances are started when they are needed again. What is not there is deleted already.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::lambda::{DeleteProvisionedConcurrencyConfig, DeleteProvisionedConcurrencyConfigRequest};

use super::get_provisioned_concurrency_config::{check_there, provisioned};
use crate::Functions;
use crate::name::Scope;
use crate::store::{Place, Refusal};

impl Handle<DeleteProvisionedConcurrencyConfig> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteProvisionedConcurrencyConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, Some(&input.qualifier))
    }

    async fn handle(&self, call: &Call, input: DeleteProvisionedConcurrencyConfigRequest) -> Result<Empty, Fault> {
        let scope = &Scope::of(call);
        let reference = &provisioned(scope, &input.function_name, &input.qualifier)?;
        let (place, qualifier) = (&Place::new(scope, &reference.name), &reference.or_latest());
        let _one_at_a_time = self.dividing.lock().await;
        let committed = self
            .store
            .transact(|tx| async move {
                check_there(&tx, place, qualifier).await?;
                place.delete_provision(&tx, qualifier);
                Ok::<_, Refusal>(())
            })
            .await;
        self.settle(scope, &reference.name, committed).await?;
        Ok(Empty)
    }
}
