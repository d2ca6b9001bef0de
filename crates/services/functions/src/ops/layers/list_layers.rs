//! `ListLayers`: all layers of the region by name, each with its newest version that fits.
//!
//! Limits: 50 items a page.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{LayersListItem, ListLayers, ListLayersRequest, ListLayersResponse};

use super::{Wanted, item};
use crate::name::Scope;
use crate::store::Refusal;
use crate::store::layers::{LayerPlace, names};
use crate::{Functions, page};

impl Handle<ListLayers> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, _input: &ListLayersRequest) -> Arn {
        Arn::any()
    }

    async fn handle(&self, call: &Call, input: ListLayersRequest) -> Result<ListLayersResponse, Fault> {
        let scope = &Scope::of(call);
        let request = page::Request::read(input.marker.as_deref(), input.max_items)?;
        let wanted =
            Wanted { runtime: input.compatible_runtime.as_ref(), architecture: input.compatible_architecture.as_ref() };
        let snapshot = self.store.snapshot();
        let (mut layers, mut after) = (Vec::new(), request.after.clone());
        // Layers without a version that fits are not told, and do not count.
        let next_marker = loop {
            let found = names(&snapshot, scope, after.as_deref(), request.items + 1).await.map_err(Refusal::from)?;
            let Some(last) = found.last().map(|layer| layer.as_str().to_owned()) else { break None };
            let is_end = found.len() <= request.items;
            for layer in found {
                let versions = LayerPlace(&layer).versions(&snapshot).await.map_err(Refusal::from)?;
                let newest = versions.iter().rev().find(|(_, version)| wanted.fits(version));
                layers.extend(newest.map(|(number, version)| LayersListItem {
                    layer_name: Some(layer.as_str().to_owned()),
                    layer_arn: Some(layer.arn()),
                    latest_matching_version: Some(item(&layer, *number, version)),
                }));
            }
            if layers.len() > request.items {
                layers.truncate(request.items);
                let last = layers.last().and_then(|layer| layer.layer_name.as_deref()).unwrap_or_default();
                break Some(page::marker(last));
            }
            if is_end {
                break None;
            }
            after = Some(last);
        };
        Ok(ListLayersResponse { next_marker, layers: Some(layers) })
    }
}
