//! `GetLayerVersionByArn`: the same as `GetLayerVersion`, by the version's ARN.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{GetLayerVersionByArn, GetLayerVersionByArnRequest, GetLayerVersionResponse};

use super::{arn_of, number};
use crate::model::layer::LayerName;
use crate::{Functions, faults};

impl Handle<GetLayerVersionByArn> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetLayerVersionByArnRequest) -> Arn {
        match LayerName::parse_version(&input.arn) {
            Some((layer, number)) => arn_of(call, &layer.arn(), i64::try_from(number).ok()),
            // The operation itself refuses it, with the reason.
            None => Arn::any(),
        }
    }

    async fn handle(&self, call: &Call, input: GetLayerVersionByArnRequest) -> Result<GetLayerVersionResponse, Fault> {
        let (layer, _) = input.arn.rsplit_once(':').unwrap_or((&input.arn, ""));
        let Some((layer, found)) = LayerName::parse_version(&input.arn) else {
            // A version of zero has its own words.
            super::named(call, layer)?;
            number(0)?;
            return Err(faults::nothing_there());
        };
        let version = self.layer_version(&layer, found).await?;
        Ok(self.shown_layer(call, &layer, found, &version))
    }
}
