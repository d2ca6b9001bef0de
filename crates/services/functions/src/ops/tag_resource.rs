//! `TagResource`: adds tags to a function, and gives new values to those that it has. At most 50.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::lambda::{TagResource, TagResourceRequest};

use super::lookup;
use crate::model::tags;
use crate::name::{FunctionName, Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<TagResource> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &TagResourceRequest) -> Arn {
        resource(&input.resource)
    }

    async fn handle(&self, call: &Call, input: TagResourceRequest) -> Result<Empty, Fault> {
        let scope = &Scope::of(call);
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
                let code = function.latest.code.clone();
                place.put_function(&tx, &self.blobs, Some(&code), &function).await?;
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

/// The function that an ARN names; only whole functions have tags.
pub(super) fn tagged(scope: &Scope, arn: &str) -> Result<FunctionName, Fault> {
    if !Arn::parse(arn).is_some_and(|arn| arn.service == "lambda" && arn.resource.starts_with("function:")) {
        return Err(faults::not_found(format!("Freehold has no tags for {arn}: only functions have tags here.")));
    }
    let reference = Reference::parse(scope, arn)?;
    match reference.qualifier {
        None => Ok(reference.name),
        Some(_) => Err(faults::invalid(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        )),
    }
}
