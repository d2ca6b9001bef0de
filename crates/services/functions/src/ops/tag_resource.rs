//! `TagResource`: adds tags to a function or a mapping, and gives new values to those that it has. At most 50.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use uuid::Uuid;
use wire::Empty;
use wire::lambda::{TagResource, TagResourceRequest};

use super::lookup;
use crate::model::tags;
use crate::name::{FunctionName, Reference, Scope};
use crate::store::{Place, Refusal, mapping};
use crate::{Functions, faults};

impl Handle<TagResource> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &TagResourceRequest) -> Arn {
        resource(&input.resource)
    }

    async fn handle(&self, call: &Call, input: TagResourceRequest) -> Result<Empty, Fault> {
        let scope = &Scope::of(call);
        if let Some(id) = tagged_mapping(scope, &input.resource)? {
            return self.change_mapping_tags(scope, id, |tags| tags.extend(input.tags.clone())).await.map(|()| Empty);
        }
        let name = &tagged(scope, &input.resource)?;
        if input.tags.is_empty() {
            return Err(faults::invalid("An error occurred and the request cannot be processed."));
        }
        let (place, added) = (&Place::new(scope, name), &input.tags);
        let committed = self
            .store
            .transact(|tx| async move {
                let mut function = lookup::function(&tx, place).await?;
                function.tags.extend(added.clone());
                tags::check(&function.tags)?;
                let before = function.latest.clone();
                place.put_function(&tx, &self.blobs, Some(&before), &function).await?;
                Ok::<_, Refusal>(())
            })
            .await;
        self.settle(scope, name, committed).await?;
        Ok(Empty)
    }
}

/// The ARN as it was written, for policies.
pub(super) fn resource(arn: &str) -> Arn {
    Arn::parse(arn).unwrap_or_else(Arn::any)
}

/// The mapping that an ARN names; none if it names something else.
pub(super) fn tagged_mapping(scope: &Scope, arn: &str) -> Result<Option<Uuid>, Fault> {
    let Some(arn) = Arn::parse(arn).filter(|arn| arn.service == "lambda") else { return Ok(None) };
    let Some(id) = arn.resource.strip_prefix("event-source-mapping:") else { return Ok(None) };
    let here = arn.region == scope.region.as_str() && arn.account == scope.account.to_string();
    match Uuid::parse_str(id) {
        Ok(id) if here => Ok(Some(id)),
        Ok(_) | Err(_) => Err(faults::nothing_there()),
    }
}

impl Functions {
    /// Changes the tags of a mapping, as far as they may be.
    pub(super) async fn change_mapping_tags(
        &self,
        scope: &Scope,
        id: Uuid,
        change: impl Fn(&mut BTreeMap<String, String>) + Send + Sync,
    ) -> Result<(), Fault> {
        let _one_at_a_time = self.mappings.changing.lock().await;
        let change = &change;
        let changed = self
            .store
            .transact(|tx| async move {
                let mut mapping = mapping::get(&tx, scope, &id).await?.ok_or_else(faults::nothing_there)?;
                change(&mut mapping.tags);
                tags::check(&mapping.tags)?;
                mapping::put(&tx, scope, &mapping);
                Ok::<_, Refusal>(mapping)
            })
            .await?;
        self.settle_mapping(scope, id, Some(changed));
        Ok(())
    }
}

/// The function that an ARN names; only whole functions have tags.
pub(super) fn tagged(scope: &Scope, arn: &str) -> Result<FunctionName, Fault> {
    if !Arn::parse(arn).is_some_and(|arn| arn.service == "lambda" && arn.resource.starts_with("function:")) {
        return Err(faults::not_found(format!(
            "Freehold has no tags for {arn}: only functions and event source mappings have tags here."
        )));
    }
    let reference = Reference::parse(scope, arn)?;
    match reference.qualifier {
        None => Ok(reference.name),
        Some(_) => Err(faults::invalid(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        )),
    }
}
