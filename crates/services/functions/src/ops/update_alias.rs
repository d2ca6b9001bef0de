//! `UpdateAlias`: points it elsewhere, divides it, describes it; what is not named stays. An empty `RoutingConfig` takes the
//! division away.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{AliasConfiguration, UpdateAlias, UpdateAliasRequest};

use super::put_provisioned_concurrency_config::check_provisionable;
use super::{create_alias, lookup, view};
use crate::model::alias::{Target, routing_of};
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<UpdateAlias> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdateAliasRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(&self, call: &Call, input: UpdateAliasRequest) -> Result<AliasConfiguration, Fault> {
        let scope = &Scope::of(call);
        let name = &Reference::parse_unqualified(scope, &input.function_name)?;
        let place = &Place::new(scope, name);
        let input = &input;
        let committed = self
            .store
            .transact(|tx| async move {
                lookup::function(&tx, place).await?;
                let mut alias = place.alias(&tx, &input.name).await?.ok_or_else(|| {
                    let arn = scope.arn_qualified(name, &Qualifier::Alias(input.name.clone()));
                    faults::not_found(format!("Alias not found: {arn}"))
                })?;
                lookup::check_revision(input.revision_id.as_deref(), &alias.revision)?;
                if let Some(version) = &input.function_version {
                    alias.target = Target::parse(version)?;
                }
                if input.routing_config.is_some() {
                    alias.routing = create_alias::routing(alias.target, input.routing_config.as_ref())?;
                } else if let Some(kept) = alias.routing {
                    // The division that stays must still make sense beside a new target.
                    let version = kept.version.to_string();
                    alias.routing = routing_of(alias.target, [(version.as_str(), kept.weight)].into_iter())?;
                }
                if let Some(description) = &input.description {
                    alias.description.clone_from(description);
                }
                create_alias::check_versions(&tx, place, alias.target, alias.routing).await?;
                let named = Qualifier::Alias(input.name.clone());
                if place.provision(&tx, &named).await?.is_some() {
                    check_provisionable(&place.provisions(&tx).await?, &alias)?;
                }
                alias.revision = self.random.uuid();
                place.put_alias(&tx, &input.name, &alias);
                Ok::<_, Refusal>(alias)
            })
            .await;
        let alias = self.settle(scope, name, committed).await?;
        Ok(view::alias(scope, name, &input.name, &alias))
    }
}
