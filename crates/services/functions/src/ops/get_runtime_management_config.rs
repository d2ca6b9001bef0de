//! `GetRuntimeManagementConfig`: when a version's managed runtime is renewed.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{
    GetRuntimeManagementConfig, GetRuntimeManagementConfigRequest, GetRuntimeManagementConfigResponse, UpdateRuntimeOn,
};

use super::lookup;
use crate::Functions;
use crate::model::RuntimeUpdate;
use crate::name::{Qualifier, Reference, Scope};

impl Handle<GetRuntimeManagementConfig> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetRuntimeManagementConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(
        &self,
        call: &Call,
        input: GetRuntimeManagementConfigRequest,
    ) -> Result<GetRuntimeManagementConfigResponse, Fault> {
        let scope = &Scope::of(call);
        let reference = Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        let found = lookup::find(&self.store.snapshot(), scope, &reference).await?;
        let qualifier = found.number.map_or(Qualifier::Latest, Qualifier::Version);
        Ok(GetRuntimeManagementConfigResponse {
            update_runtime_on: Some(shown(found.version.runtime_update)),
            runtime_version_arn: None,
            function_arn: Some(scope.arn_qualified(&reference.name, &qualifier)),
        })
    }
}

pub(super) fn shown(update: RuntimeUpdate) -> UpdateRuntimeOn {
    match update {
        RuntimeUpdate::Auto => UpdateRuntimeOn::Auto,
        RuntimeUpdate::FunctionUpdate => UpdateRuntimeOn::FunctionUpdate,
    }
}
