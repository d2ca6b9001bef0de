//! `GetLayerVersionPolicy`: who else may read a layer's version, as a document.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{GetLayerVersionPolicy, GetLayerVersionPolicyRequest, GetLayerVersionPolicyResponse};

use super::{arn_of, named, number};
use crate::{Functions, faults};

impl Handle<GetLayerVersionPolicy> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetLayerVersionPolicyRequest) -> Arn {
        arn_of(call, &input.layer_name, Some(input.version_number))
    }

    async fn handle(
        &self,
        call: &Call,
        input: GetLayerVersionPolicyRequest,
    ) -> Result<GetLayerVersionPolicyResponse, Fault> {
        let (layer, number) = (named(call, &input.layer_name)?, number(input.version_number)?);
        let version = self.layer_version(&layer, number).await?;
        if version.policy.statements.is_empty() {
            return Err(faults::not_found("No policy is associated with the given resource."));
        }
        Ok(GetLayerVersionPolicyResponse {
            policy: Some(version.policy.document(&layer.arn_of(number))),
            revision_id: Some(version.policy_revision.to_string()),
        })
    }
}
