//! `AddLayerVersionPermission`: lets others read a layer's version. This node has one account, so it is kept for the tools that set it.
//!
//! Limits: 20 KB of policy.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{AddLayerVersionPermission, AddLayerVersionPermissionRequest, AddLayerVersionPermissionResponse};

use super::{arn_of, named, number};
use crate::model::permission::{Conditions, PrincipalForm, Statement};
use crate::store::Refusal;
use crate::store::layers::LayerPlace;
use crate::{Functions, faults};

impl Handle<AddLayerVersionPermission> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &AddLayerVersionPermissionRequest) -> Arn {
        arn_of(call, &input.layer_name, Some(input.version_number))
    }

    async fn handle(
        &self,
        call: &Call,
        input: AddLayerVersionPermissionRequest,
    ) -> Result<AddLayerVersionPermissionResponse, Fault> {
        let (layer, number) = (&named(call, &input.layer_name)?, number(input.version_number)?);
        let statement = &Statement {
            sid: input.statement_id,
            action: input.action,
            principal: PrincipalForm::parse(&input.principal)?,
            conditions: Conditions { principal_org_id: input.organization_id, ..Conditions::default() },
        };
        let (arn, revision) = (&layer.arn_of(number), self.random.uuid());
        let wanted = input.revision_id.as_deref();
        self.store
            .transact(|tx| async move {
                let place = LayerPlace(layer);
                let missing = || faults::not_found(format!("Layer version {arn} does not exist."));
                let mut version = place.version(&tx, number).await?.ok_or_else(missing)?;
                if wanted.is_some_and(|wanted| wanted != version.policy_revision.to_string()) {
                    return Err(Refusal::from(faults::policy_revision_mismatch()));
                }
                version.policy.add(statement.clone(), arn)?;
                version.policy_revision = revision;
                place.put(&tx, number, &version);
                Ok(())
            })
            .await?;
        Ok(AddLayerVersionPermissionResponse {
            statement: Some(statement.to_json(arn).to_string()),
            revision_id: Some(revision.to_string()),
        })
    }
}
