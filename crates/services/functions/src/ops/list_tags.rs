//! `ListTags`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{ListTags, ListTagsRequest, ListTagsResponse};

use super::lookup;
use super::tag_resource::{resource, tagged, tagged_mapping};
use crate::name::Scope;
use crate::store::{Place, Refusal, mapping};
use crate::{Functions, faults};

impl Handle<ListTags> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &ListTagsRequest) -> Arn {
        resource(&input.resource)
    }

    async fn handle(&self, call: &Call, input: ListTagsRequest) -> Result<ListTagsResponse, Fault> {
        let scope = &Scope::of(call);
        if let Some(id) = tagged_mapping(scope, &input.resource)? {
            let found = mapping::get(&self.store.snapshot(), scope, &id).await.map_err(Refusal::from)?;
            return Ok(ListTagsResponse { tags: Some(found.ok_or_else(faults::nothing_there)?.tags) });
        }
        let name = tagged(scope, &input.resource)?;
        let function = lookup::function(&self.store.snapshot(), &Place::new(scope, &name)).await?;
        Ok(ListTagsResponse { tags: Some(function.tags) })
    }
}
