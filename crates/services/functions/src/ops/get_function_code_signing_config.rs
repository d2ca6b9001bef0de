//! `GetFunctionCodeSigningConfig`: always empty, because packages are not signed here; tools ask all the same.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{
    GetFunctionCodeSigningConfig, GetFunctionCodeSigningConfigRequest, GetFunctionCodeSigningConfigResponse,
};

use super::lookup;
use crate::Functions;
use crate::name::{Reference, Scope};
use crate::store::Place;

impl Handle<GetFunctionCodeSigningConfig> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetFunctionCodeSigningConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(
        &self,
        call: &Call,
        input: GetFunctionCodeSigningConfigRequest,
    ) -> Result<GetFunctionCodeSigningConfigResponse, Fault> {
        let scope = &Scope::of(call);
        let name = Reference::parse_unqualified(scope, &input.function_name)?;
        lookup::function(&self.store.snapshot(), &Place::new(scope, &name)).await?;
        Ok(GetFunctionCodeSigningConfigResponse {
            code_signing_config_arn: String::new(),
            function_name: name.to_string(),
        })
    }
}
