//! `GetLayerVersion`: what a layer's version is, with a link to its archive.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{GetLayerVersion, GetLayerVersionRequest, GetLayerVersionResponse};

use super::{arn_of, named, number};
use crate::Functions;

impl Handle<GetLayerVersion> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetLayerVersionRequest) -> Arn {
        arn_of(call, &input.layer_name, Some(input.version_number))
    }

    async fn handle(&self, call: &Call, input: GetLayerVersionRequest) -> Result<GetLayerVersionResponse, Fault> {
        let (layer, number) = (named(call, &input.layer_name)?, number(input.version_number)?);
        let version = self.layer_version(&layer, number).await?;
        Ok(self.shown_layer(call, &layer, number, &version))
    }
}
