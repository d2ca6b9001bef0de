//! `GetFunctionRecursionConfig`: what becomes of loops.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{
    GetFunctionRecursionConfig, GetFunctionRecursionConfigRequest, GetFunctionRecursionConfigResponse, RecursiveLoop,
};

use super::lookup;
use crate::Functions;
use crate::model::Recursion;
use crate::name::{Reference, Scope};
use crate::store::Place;

impl Handle<GetFunctionRecursionConfig> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetFunctionRecursionConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(
        &self,
        call: &Call,
        input: GetFunctionRecursionConfigRequest,
    ) -> Result<GetFunctionRecursionConfigResponse, Fault> {
        let scope = &Scope::of(call);
        let name = Reference::parse_unqualified(scope, &input.function_name)?;
        let function = lookup::function(&self.store.snapshot(), &Place::new(scope, &name)).await?;
        let recursive_loop = match function.recursion {
            Recursion::Allow => RecursiveLoop::Allow,
            Recursion::Terminate => RecursiveLoop::Terminate,
        };
        Ok(GetFunctionRecursionConfigResponse { recursive_loop: Some(recursive_loop) })
    }
}
