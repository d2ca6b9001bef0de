//! `PublishLayerVersion`: takes an archive in, as the next version of a layer.
//!
//! Limits: those of functions' packages, and together with them 75 GB in an account and region.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{PublishLayerVersion, PublishLayerVersionRequest, PublishLayerVersionResponse};

use super::{arn_of, named};
use crate::Functions;
use crate::model::layer::LayerVersion;
use crate::model::{Policy, package};
use crate::packages::Source;
use crate::store::Refusal;
use crate::store::layers::{self, LayerPlace};

impl Handle<PublishLayerVersion> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &PublishLayerVersionRequest) -> Arn {
        arn_of(call, &input.layer_name, None)
    }

    async fn handle(
        &self,
        call: &Call,
        input: PublishLayerVersionRequest,
    ) -> Result<PublishLayerVersionResponse, Fault> {
        let layer = &named(call, &input.layer_name)?;
        let source = Source {
            zip: input.content.zip_file,
            bucket: input.content.s3_bucket,
            key: input.content.s3_key,
            object_version: input.content.s3_object_version,
            image: None,
        };
        let (archive, kept) = self.take_archive(call, "PublishLayerVersion", source).await?;
        let layers = layers::bytes(&self.store.snapshot(), &layer.scope).await.map_err(Refusal::from)?;
        let stored = self.table.scope(&layer.scope).code_bytes().saturating_add(layers);
        package::check_storage(stored, archive.bytes)?;
        let words = |list: Option<Vec<_>>| list.unwrap_or_default();
        let version = &LayerVersion {
            archive,
            description: input.description.unwrap_or_default(),
            created_ms: self.now_ms(),
            runtimes: words(input.compatible_runtimes).iter().map(|one| one.as_str().to_owned()).collect(),
            architectures: input.compatible_architectures.iter().flatten().map(|one| one.as_str().to_owned()).collect(),
            licence: input.license_info,
            policy: Policy::default(),
            policy_revision: self.random.uuid(),
        };
        let committed = self
            .store
            .transact(|tx| async move {
                let place = LayerPlace(layer);
                let number = place.next(&tx).await?;
                place.add(&tx, &self.blobs, number, version).await?;
                Ok::<_, Refusal>(number)
            })
            .await;
        let number = committed?;
        drop(kept);
        let shown = self.shown_layer(call, layer, number, version);
        Ok(PublishLayerVersionResponse {
            content: shown.content,
            layer_arn: shown.layer_arn,
            layer_version_arn: shown.layer_version_arn,
            description: shown.description,
            created_date: shown.created_date,
            version: shown.version,
            compatible_runtimes: shown.compatible_runtimes,
            license_info: shown.license_info,
            compatible_architectures: shown.compatible_architectures,
        })
    }
}
