//! `TagResource`, `UntagResource` and `ListTagsForResource`. At most 50 tags.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::pipes::{
    ListTagsForResource, ListTagsForResourceRequest, ListTagsForResourceResponse, TagResource, TagResourceRequest,
    TagResourceResponse, UntagResource, UntagResourceRequest, UntagResourceResponse,
};

use crate::model::Scope;
use crate::{Pipes, faults};

impl Handle<TagResource> for Pipes {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &TagResourceRequest) -> Arn {
        named(&input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: TagResourceRequest) -> Result<TagResourceResponse, Fault> {
        let scope = &Scope::of(call);
        let add = |pipe: &mut crate::model::Pipe| {
            pipe.tags.extend(input.tags.clone());
            Ok(())
        };
        self.change(scope, name(scope, &input.resource_arn)?, add).await?;
        Ok(TagResourceResponse {})
    }
}

impl Handle<UntagResource> for Pipes {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &UntagResourceRequest) -> Arn {
        named(&input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: UntagResourceRequest) -> Result<UntagResourceResponse, Fault> {
        let scope = &Scope::of(call);
        let remove = |pipe: &mut crate::model::Pipe| {
            pipe.tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(())
        };
        self.change(scope, name(scope, &input.resource_arn)?, remove).await?;
        Ok(UntagResourceResponse {})
    }
}

impl Handle<ListTagsForResource> for Pipes {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &ListTagsForResourceRequest) -> Arn {
        named(&input.resource_arn)
    }

    async fn handle(
        &self,
        call: &Call,
        input: ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceResponse, Fault> {
        let scope = &Scope::of(call);
        let name = name(scope, &input.resource_arn)?;
        let seen = self.table.get(scope, name).ok_or_else(|| faults::missing(name))?;
        Ok(ListTagsForResourceResponse { tags: Some(seen.pipe.tags.clone()) })
    }
}

fn named(arn: &str) -> Arn {
    Arn::parse(arn).unwrap_or_else(Arn::any)
}

/// The pipe that an ARN of this account and region names.
fn name<'a>(scope: &Scope, arn: &'a str) -> Result<&'a str, Fault> {
    let name = arn.rsplit_once(":pipe/").map(|(_, name)| name);
    name.filter(|name| scope.arn(name).to_string() == arn).ok_or_else(|| faults::missing(arn))
}
