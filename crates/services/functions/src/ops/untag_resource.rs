//! `UntagResource`: takes tags off a function. Keys that it does not have change nothing.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::lambda::{UntagResource, UntagResourceRequest};

use super::lookup;
use super::tag_resource::{resource, tagged, tagged_mapping};
use crate::name::Scope;
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<UntagResource> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &UntagResourceRequest) -> Arn {
        resource(&input.resource)
    }

    async fn handle(&self, call: &Call, input: UntagResourceRequest) -> Result<Empty, Fault> {
        let scope = &Scope::of(call);
        if let Some(id) = tagged_mapping(scope, &input.resource)? {
            let removed = |tags: &mut BTreeMap<String, String>| tags.retain(|key, _| !input.tag_keys.contains(key));
            return self.change_mapping_tags(scope, id, removed).await.map(|()| Empty);
        }
        let name = &tagged(scope, &input.resource)?;
        if input.tag_keys.is_empty() {
            return Err(faults::validation(
                "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null",
            ));
        }
        let (place, removed) = (&Place::new(scope, name), &input.tag_keys);
        let committed = self
            .store
            .transact(|tx| async move {
                let mut function = lookup::function(&tx, place).await?;
                function.tags.retain(|key, _| !removed.contains(key));
                let before = function.latest.clone();
                place.put_function(&tx, &self.blobs, Some(&before), &function).await?;
                Ok::<_, Refusal>(())
            })
            .await;
        self.settle(scope, name, committed).await?;
        Ok(Empty)
    }
}
