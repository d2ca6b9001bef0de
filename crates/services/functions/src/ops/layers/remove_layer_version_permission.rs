//! `RemoveLayerVersionPermission`: takes a statement out of a layer's version's policy.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::lambda::{RemoveLayerVersionPermission, RemoveLayerVersionPermissionRequest};

use super::{arn_of, named, number};
use crate::store::Refusal;
use crate::store::layers::LayerPlace;
use crate::{Functions, faults};

impl Handle<RemoveLayerVersionPermission> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &RemoveLayerVersionPermissionRequest) -> Arn {
        arn_of(call, &input.layer_name, Some(input.version_number))
    }

    async fn handle(&self, call: &Call, input: RemoveLayerVersionPermissionRequest) -> Result<Empty, Fault> {
        let (layer, number) = (&named(call, &input.layer_name)?, number(input.version_number)?);
        let (sid, wanted) = (input.statement_id.as_str(), input.revision_id.as_deref());
        let revision = self.random.uuid();
        self.store
            .transact(|tx| async move {
                let place = LayerPlace(layer);
                let mut version = place.version(&tx, number).await?.ok_or_else(faults::nothing_there)?;
                if wanted.is_some_and(|wanted| wanted != version.policy_revision.to_string()) {
                    return Err(Refusal::from(faults::policy_revision_mismatch()));
                }
                version.policy.remove(sid)?;
                version.policy_revision = revision;
                place.put(&tx, number, &version);
                Ok(())
            })
            .await?;
        Ok(Empty)
    }
}
