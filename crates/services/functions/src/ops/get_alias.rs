//! `GetAlias`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{AliasConfiguration, GetAlias, GetAliasRequest};

use super::{lookup, view};
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<GetAlias> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetAliasRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(&self, call: &Call, input: GetAliasRequest) -> Result<AliasConfiguration, Fault> {
        let scope = &Scope::of(call);
        let name = &Reference::parse_unqualified(scope, &input.function_name)?;
        let snapshot = self.store.snapshot();
        let place = Place::new(scope, name);
        lookup::function(&snapshot, &place).await?;
        let alias = place.alias(&snapshot, &input.name).await.map_err(Refusal::from)?.ok_or_else(|| {
            let arn = scope.arn_qualified(name, &Qualifier::Alias(input.name.clone()));
            faults::not_found(format!("Cannot find alias arn: {arn}"))
        })?;
        Ok(view::alias(scope, name, &input.name, &alias))
    }
}
