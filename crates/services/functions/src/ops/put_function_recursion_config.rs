//! `PutFunctionRecursionConfig`: where loops are allowed, events do not tell functions how deep they are, so a loop through the
//! function's own calls never ends; the hop limit of calls inside the node holds in either case.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{PutFunctionRecursionConfig, PutFunctionRecursionConfigRequest, PutFunctionRecursionConfigResponse};

use super::lookup;
use crate::Functions;
use crate::model::Recursion;
use crate::name::{Reference, Scope};
use crate::store::{Place, Refusal};

impl Handle<PutFunctionRecursionConfig> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &PutFunctionRecursionConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(
        &self,
        call: &Call,
        input: PutFunctionRecursionConfigRequest,
    ) -> Result<PutFunctionRecursionConfigResponse, Fault> {
        let scope = &Scope::of(call);
        let name = &Reference::parse_unqualified(scope, &input.function_name)?;
        let place = &Place::new(scope, name);
        let recursion = if input.recursive_loop.as_str() == "Allow" { Recursion::Allow } else { Recursion::Terminate };
        let committed = self
            .store
            .transact(|tx| async move {
                let mut function = lookup::function(&tx, place).await?;
                function.recursion = recursion;
                let before = function.latest.clone();
                place.put_function(&tx, &self.blobs, Some(&before), &function).await?;
                Ok::<_, Refusal>(())
            })
            .await;
        self.settle(scope, name, committed).await?;
        Ok(PutFunctionRecursionConfigResponse { recursive_loop: Some(input.recursive_loop) })
    }
}
