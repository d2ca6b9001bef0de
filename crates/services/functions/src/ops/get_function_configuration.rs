//! `GetFunctionConfiguration`: the settings of a version.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{FunctionConfiguration, GetFunctionConfiguration, GetFunctionConfigurationRequest};

use super::lookup;
use super::view::Shown;
use crate::Functions;
use crate::name::{Reference, Scope};

impl Handle<GetFunctionConfiguration> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetFunctionConfigurationRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(
        &self,
        call: &Call,
        input: GetFunctionConfigurationRequest,
    ) -> Result<FunctionConfiguration, Fault> {
        let scope = &Scope::of(call);
        let reference = Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        let found = lookup::find(&self.store.snapshot(), scope, &reference).await?;
        let shown = Shown {
            scope,
            name: &reference.name,
            qualifier: reference.qualifier.as_ref(),
            number: found.number,
            version: &found.version,
        };
        Ok(shown.configuration())
    }
}
