//! `DeleteAlias`: with its URL and its policy. One that is not there is deleted already.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::lambda::{DeleteAlias, DeleteAliasRequest};

use super::lookup;
use crate::Functions;
use crate::name::{Reference, Scope};
use crate::store::{Place, Refusal};

impl Handle<DeleteAlias> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteAliasRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(&self, call: &Call, input: DeleteAliasRequest) -> Result<Empty, Fault> {
        let scope = &Scope::of(call);
        let name = &Reference::parse_unqualified(scope, &input.function_name)?;
        let place = &Place::new(scope, name);
        let alias = input.name.as_str();
        let committed = self
            .store
            .transact(|tx| async move {
                lookup::function(&tx, place).await?;
                place.delete_alias(&tx, alias);
                Ok::<_, Refusal>(())
            })
            .await;
        self.settle(scope, name, committed).await?;
        Ok(Empty)
    }
}
