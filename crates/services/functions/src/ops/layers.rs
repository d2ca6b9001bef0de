//! The operations on layers, and what they have in common.

mod add_layer_version_permission;
mod delete_layer_version;
mod get_layer_version;
mod get_layer_version_by_arn;
mod get_layer_version_policy;
mod list_layer_versions;
mod list_layers;
mod publish_layer_version;
mod remove_layer_version_permission;

use contract::{Arn, Call, Fault};
use wire::lambda::{Architecture, GetLayerVersionResponse, LayerVersionContentOutput, LayerVersionsListItem, Runtime};

use super::view;
use crate::model::layer::{LayerName, LayerVersion};
use crate::name::Scope;
use crate::store::Refusal;
use crate::store::layers::LayerPlace;
use crate::{Functions, faults};

/// The layer that a caller names.
fn named(call: &Call, text: &str) -> Result<LayerName, Fault> {
    let name = LayerName::parse(&Scope::of(call), text);
    name.ok_or_else(|| {
        faults::validation(format!(
            "1 validation error detected: Value '{}' at 'layerName' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: (arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{{12}}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+",
            text.chars().take(200).collect::<String>()
        ))
    })
}

/// The number of a version, as a caller writes it; versions begin at 1.
fn number(number: i64) -> Result<u64, Fault> {
    u64::try_from(number)
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| faults::invalid("Layer Version Cannot be less than 1."))
}

/// The ARN that policies and the audit line name.
fn arn_of(call: &Call, layer: &str, version: Option<i64>) -> Arn {
    let scope = Scope::of(call);
    let name = LayerName::parse(&scope, layer).map_or_else(|| layer.to_owned(), |name| name.as_str().to_owned());
    let resource = match version {
        Some(version) => format!("layer:{name}:{version}"),
        None => format!("layer:{name}"),
    };
    Arn::new("lambda", &scope.region, scope.account, resource)
}

/// What a version is meant for, if a list asks for that only.
struct Wanted<'a> {
    runtime: Option<&'a Runtime>,
    architecture: Option<&'a Architecture>,
}

impl Wanted<'_> {
    fn fits(&self, version: &LayerVersion) -> bool {
        let has = |list: &[String], one: &str| list.iter().any(|known| known == one);
        self.runtime.is_none_or(|runtime| has(&version.runtimes, runtime.as_str()))
            && self.architecture.is_none_or(|architecture| has(&version.architectures, architecture.as_str()))
    }
}

fn item(layer: &LayerName, number: u64, version: &LayerVersion) -> LayerVersionsListItem {
    LayerVersionsListItem {
        layer_version_arn: Some(layer.arn_of(number)),
        version: Some(i64::try_from(number).unwrap_or(i64::MAX)),
        description: Some(version.description.clone()),
        created_date: Some(view::modified(version.created_ms)),
        compatible_runtimes: runtimes(version),
        license_info: version.licence.clone(),
        compatible_architectures: architectures(version),
    }
}

/// As they were said, and left out where nothing was.
fn runtimes(version: &LayerVersion) -> Option<Vec<Runtime>> {
    (!version.runtimes.is_empty()).then(|| version.runtimes.iter().map(|name| name.as_str().into()).collect())
}

fn architectures(version: &LayerVersion) -> Option<Vec<Architecture>> {
    (!version.architectures.is_empty()).then(|| version.architectures.iter().map(|name| name.as_str().into()).collect())
}

impl Functions {
    async fn layer_version(&self, layer: &LayerName, number: u64) -> Result<LayerVersion, Fault> {
        let version = LayerPlace(layer).version(&self.store.snapshot(), number).await.map_err(Refusal::from)?;
        version.ok_or_else(faults::nothing_there)
    }

    fn shown_layer(
        &self,
        call: &Call,
        layer: &LayerName,
        number: u64,
        version: &LayerVersion,
    ) -> GetLayerVersionResponse {
        GetLayerVersionResponse {
            content: Some(LayerVersionContentOutput {
                location: Some(self.location(call, &version.archive)),
                code_sha256: Some(version.archive.sha256_base64()),
                code_size: Some(i64::try_from(version.archive.bytes).unwrap_or(i64::MAX)),
                ..LayerVersionContentOutput::default()
            }),
            layer_arn: Some(layer.arn()),
            layer_version_arn: Some(layer.arn_of(number)),
            description: Some(version.description.clone()),
            created_date: Some(view::modified(version.created_ms)),
            version: Some(i64::try_from(number).unwrap_or(i64::MAX)),
            compatible_runtimes: runtimes(version),
            license_info: version.licence.clone(),
            compatible_architectures: architectures(version),
        }
    }
}
