//! `PutRuntimeManagementConfig`: kept for the tools that set it. Pinning one version of an interpreter (`Manual`) is refused,
//! because interpreters are the machine's own.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{
    PutRuntimeManagementConfig, PutRuntimeManagementConfigRequest, PutRuntimeManagementConfigResponse, UpdateRuntimeOn,
};

use super::get_runtime_management_config::shown;
use super::lookup;
use crate::model::RuntimeUpdate;
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<PutRuntimeManagementConfig> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &PutRuntimeManagementConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(
        &self,
        call: &Call,
        input: PutRuntimeManagementConfigRequest,
    ) -> Result<PutRuntimeManagementConfigResponse, Fault> {
        let scope = &Scope::of(call);
        let reference = &Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        let update = match input.update_runtime_on {
            UpdateRuntimeOn::Auto => RuntimeUpdate::Auto,
            UpdateRuntimeOn::FunctionUpdate => RuntimeUpdate::FunctionUpdate,
            UpdateRuntimeOn::Manual | UpdateRuntimeOn::Other(_) => {
                return Err(faults::invalid(
                    "Freehold runs functions on the interpreters that are installed on the machine, so UpdateRuntimeOn Manual \
                     cannot be honoured; use Auto or FunctionUpdate.",
                ));
            }
        };
        let place = &Place::new(scope, &reference.name);
        let committed = self
            .store
            .transact(|tx| async move {
                let mut found = lookup::find(&tx, scope, reference).await?;
                match found.number {
                    None => {
                        let before = found.function.latest.clone();
                        found.function.latest.runtime_update = update;
                        place.put_function(&tx, &self.blobs, Some(&before), &found.function).await?;
                    }
                    Some(number) => {
                        found.version.runtime_update = update;
                        place.put_version(&tx, &self.blobs, number, &found.version).await?;
                    }
                }
                Ok::<_, Refusal>(found.number)
            })
            .await;
        let number = self.settle(scope, &reference.name, committed).await?;
        let qualifier = number.map_or(Qualifier::Latest, Qualifier::Version);
        Ok(PutRuntimeManagementConfigResponse {
            update_runtime_on: shown(update),
            function_arn: scope.arn_qualified(&reference.name, &qualifier),
            runtime_version_arn: None,
        })
    }
}
