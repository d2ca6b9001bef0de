//! `ListLayerVersions`: all versions of a layer, the newest first. A layer that is not there has none.
//!
//! Limits: 50 items a page.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{ListLayerVersions, ListLayerVersionsRequest, ListLayerVersionsResponse};

use super::{Wanted, arn_of, item, named};
use crate::store::Refusal;
use crate::store::layers::LayerPlace;
use crate::{Functions, page};

impl Handle<ListLayerVersions> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListLayerVersionsRequest) -> Arn {
        arn_of(call, &input.layer_name, None)
    }

    async fn handle(&self, call: &Call, input: ListLayerVersionsRequest) -> Result<ListLayerVersionsResponse, Fault> {
        let layer = named(call, &input.layer_name)?;
        let request = page::Request::read(input.marker.as_deref(), input.max_items)?;
        let wanted =
            Wanted { runtime: input.compatible_runtime.as_ref(), architecture: input.compatible_architecture.as_ref() };
        let mut versions = LayerPlace(&layer).versions(&self.store.snapshot()).await.map_err(Refusal::from)?;
        versions.reverse();
        versions.retain(|(_, version)| wanted.fits(version));
        // Counted from the end, so that the texts are in the order of the list.
        let order = |(number, _): &(u64, _)| format!("{:020}", u64::MAX - number);
        let (page, next_marker) = request.take(versions, order);
        let items = page.iter().map(|(number, version)| item(&layer, *number, version)).collect();
        Ok(ListLayerVersionsResponse { next_marker, layer_versions: Some(items) })
    }
}
