//! `CreateAlias`: a name for a version.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{AliasConfiguration, AliasRoutingConfiguration, CreateAlias, CreateAliasRequest};

use super::{lookup, view};
use crate::model::alias::{Alias, Routing, Target, routing_of};
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Read, Refusal};
use crate::{Functions, faults};

impl Handle<CreateAlias> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateAliasRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(&self, call: &Call, input: CreateAliasRequest) -> Result<AliasConfiguration, Fault> {
        let scope = &Scope::of(call);
        let name = &Reference::parse_unqualified(scope, &input.function_name)?;
        check_name(&input.name)?;
        let target = Target::parse(&input.function_version)?;
        let routing = routing(target, input.routing_config.as_ref())?;
        let place = &Place::new(scope, name);
        let input = &input;
        let committed = self
            .store
            .transact(|tx| async move {
                lookup::function(&tx, place).await?;
                check_versions(&tx, place, target, routing).await?;
                if place.alias(&tx, &input.name).await?.is_some() {
                    let arn = scope.arn_qualified(name, &Qualifier::Alias(input.name.clone()));
                    return Err(Refusal::from(faults::conflict(format!("Alias already exists: {arn}"))));
                }
                let alias = Alias {
                    target,
                    routing,
                    description: input.description.clone().unwrap_or_default(),
                    revision: self.random.uuid(),
                };
                place.put_alias(&tx, &input.name, &alias);
                Ok(alias)
            })
            .await;
        let alias = self.settle(scope, name, committed).await?;
        Ok(view::alias(scope, name, &input.name, &alias))
    }
}

/// Letters, digits, `-` and `_`, and not digits alone, which would be a version.
fn check_name(name: &str) -> Result<(), Fault> {
    match Qualifier::parse(name) {
        Some(Qualifier::Alias(_)) => Ok(()),
        Some(Qualifier::Latest | Qualifier::Version(_)) | None => Err(faults::validation(format!(
            "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
        ))),
    }
}

/// `RoutingConfig` of a request.
pub(super) fn routing(target: Target, config: Option<&AliasRoutingConfiguration>) -> Result<Option<Routing>, Fault> {
    match config.and_then(|config| config.additional_version_weights.as_ref()) {
        Some(weights) => routing_of(target, weights.iter().map(|(version, weight)| (version.as_str(), *weight))),
        None => Ok(None),
    }
}

/// Refuses versions that are not there.
pub(super) async fn check_versions(
    read: &impl Read,
    place: &Place<'_>,
    target: Target,
    routing: Option<Routing>,
) -> Result<(), Refusal> {
    let first = match target {
        Target::Latest => None,
        Target::Version(number) => Some(number),
    };
    for number in first.into_iter().chain(routing.map(|routing| routing.version)) {
        if place.version(read, number).await?.is_none() {
            let arn = place.scope.arn_qualified(place.name, &Qualifier::Version(number));
            return Err(faults::function_not_found(arn).into());
        }
    }
    Ok(())
}
