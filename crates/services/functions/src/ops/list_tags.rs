//! `ListTags`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{ListTags, ListTagsRequest, ListTagsResponse};

use super::lookup;
use super::tag_resource::{resource, tagged};
use crate::Functions;
use crate::name::Scope;
use crate::store::Place;

impl Handle<ListTags> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &ListTagsRequest) -> Arn {
        resource(&input.resource)
    }

    async fn handle(&self, call: &Call, input: ListTagsRequest) -> Result<ListTagsResponse, Fault> {
        let scope = &Scope::of(call);
        let name = tagged(scope, &input.resource)?;
        let function = lookup::function(&self.store.snapshot(), &Place::new(scope, &name)).await?;
        Ok(ListTagsResponse { tags: Some(function.tags) })
    }
}
