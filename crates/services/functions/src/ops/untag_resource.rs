//! `UntagResource`: takes tags off a function. Keys that it does not have change nothing.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::lambda::{UntagResource, UntagResourceRequest};

use super::lookup;
use super::tag_resource::{resource, tagged};
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
                let code = function.latest.code.clone();
                place.put_function(&tx, &self.blobs, Some(&code), &function).await?;
                Ok::<_, Refusal>(())
            })
            .await;
        self.settle(scope, name, committed).await?;
        Ok(Empty)
    }
}
