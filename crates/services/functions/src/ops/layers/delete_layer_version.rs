//! `DeleteLayerVersion`: nobody can name it any more; functions that have it keep it. One that is not there is deleted already.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::lambda::{DeleteLayerVersion, DeleteLayerVersionRequest};

use super::{arn_of, named, number};
use crate::Functions;
use crate::store::Refusal;
use crate::store::layers::LayerPlace;

impl Handle<DeleteLayerVersion> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteLayerVersionRequest) -> Arn {
        arn_of(call, &input.layer_name, Some(input.version_number))
    }

    async fn handle(&self, call: &Call, input: DeleteLayerVersionRequest) -> Result<Empty, Fault> {
        let (layer, number) = (&named(call, &input.layer_name)?, number(input.version_number)?);
        self.store
            .transact(|tx| async move {
                let place = LayerPlace(layer);
                if let Some(version) = place.version(&tx, number).await? {
                    place.delete(&tx, &self.blobs, number, &version);
                }
                Ok::<_, Refusal>(())
            })
            .await?;
        Ok(Empty)
    }
}
