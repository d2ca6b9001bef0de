//! `RemovePermission`: takes one statement out of a resource policy.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::lambda::{RemovePermission, RemovePermissionRequest};

use super::get_policy::{revision_of, touch};
use crate::name::{Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<RemovePermission> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &RemovePermissionRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(&self, call: &Call, input: RemovePermissionRequest) -> Result<Empty, Fault> {
        let scope = &Scope::of(call);
        let reference = &Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        let (place, qualifier) = (&Place::new(scope, &reference.name), reference.qualifier.as_ref());
        let (sid, wanted) = (input.statement_id.as_str(), input.revision_id.as_deref());
        let committed = self
            .store
            .transact(|tx| async move {
                let revision = revision_of(&tx, place, qualifier)
                    .await?
                    .ok_or_else(|| faults::function_not_found(scope.arn_of(reference)))?;
                let mut policy = place
                    .policy(&tx, qualifier)
                    .await?
                    .ok_or_else(|| faults::not_found("No policy is associated with the given resource."))?;
                if wanted.is_some_and(|wanted| wanted != revision.to_string()) {
                    return Err(Refusal::from(faults::policy_revision_mismatch()));
                }
                policy.remove(sid)?;
                place.put_policy(&tx, qualifier, &policy);
                touch(self, &tx, place, qualifier).await
            })
            .await;
        self.settle(scope, &reference.name, committed).await?;
        Ok(Empty)
    }
}
