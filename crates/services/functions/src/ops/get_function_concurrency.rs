//! `GetFunctionConcurrency`: the function's own number, or nothing.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{GetFunctionConcurrency, GetFunctionConcurrencyRequest, GetFunctionConcurrencyResponse};

use super::lookup;
use super::view::signed;
use crate::Functions;
use crate::name::{Reference, Scope};
use crate::store::Place;

impl Handle<GetFunctionConcurrency> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetFunctionConcurrencyRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(
        &self,
        call: &Call,
        input: GetFunctionConcurrencyRequest,
    ) -> Result<GetFunctionConcurrencyResponse, Fault> {
        let scope = &Scope::of(call);
        let name = Reference::parse_unqualified(scope, &input.function_name)?;
        let function = lookup::function(&self.store.snapshot(), &Place::new(scope, &name)).await?;
        Ok(GetFunctionConcurrencyResponse { reserved_concurrent_executions: function.concurrency_reserved.map(signed) })
    }
}
