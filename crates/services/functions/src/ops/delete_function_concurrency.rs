//! `DeleteFunctionConcurrency`: the function shares what nobody reserved again.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::lambda::{DeleteFunctionConcurrency, DeleteFunctionConcurrencyRequest};

use crate::Functions;
use crate::name::{Reference, Scope};

impl Handle<DeleteFunctionConcurrency> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteFunctionConcurrencyRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(&self, call: &Call, input: DeleteFunctionConcurrencyRequest) -> Result<Empty, Fault> {
        let scope = &Scope::of(call);
        let name = Reference::parse_unqualified(scope, &input.function_name)?;
        let _one_at_a_time = self.dividing.lock().await;
        self.set_reserved(scope, &name, None).await?;
        Ok(Empty)
    }
}
