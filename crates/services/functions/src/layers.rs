//! The layers of functions: found when a function names them, unpacked and laid over each other before anything is stored, so that the
//! first call waits for nothing.

use contract::Fault;

use crate::model::layer::LayerName;
use crate::model::settings::Layer;
use crate::model::{Archive, Code, Settings};
use crate::name::Scope;
use crate::store::Refusal;
use crate::store::layers::LayerPlace;
use crate::{Functions, faults};

impl Functions {
    /// The layers that a caller names, if any are named.
    pub(crate) async fn layers_of(&self, scope: &Scope, arns: Option<&[String]>) -> Result<Option<Vec<Layer>>, Fault> {
        let Some(arns) = arns else { return Ok(None) };
        if arns.len() > Settings::LAYERS_MAX {
            return Err(faults::invalid(format!("Cannot reference more than {} layers.", Settings::LAYERS_MAX)));
        }
        let snapshot = self.store.snapshot();
        let mut layers: Vec<Layer> = Vec::new();
        for arn in arns {
            if Settings::is_built_in(arn) {
                layers.push(Layer { arn: arn.clone(), archive: None });
                continue;
            }
            let missing = || faults::invalid(format!("Layer version {arn} does not exist."));
            let (name, number) = LayerName::parse_version(arn).ok_or_else(|| malformed(arn))?;
            if name.scope != *scope {
                return Err(faults::invalid(format!(
                    "Layer version {arn} does not exist here: this node has the layers of the function's own account and region."
                )));
            }
            let twin = layers.iter().find(|layer| layer.arn.rsplit_once(':').is_some_and(|(arn, _)| arn == name.arn()));
            if let Some(twin) = twin {
                return Err(faults::invalid(format!(
                    "Two different versions of the same layer are not allowed to be referenced in the same function. {} and \
                     {arn} are versions of the same layer.",
                    twin.arn
                )));
            }
            let version = LayerPlace(&name).version(&snapshot, number).await.map_err(Refusal::from)?;
            layers.push(Layer { arn: arn.clone(), archive: Some(version.ok_or_else(missing)?.archive) });
        }
        Ok(Some(layers))
    }

    /// Makes a function's layers ready, and refuses what unpacks to too much together.
    pub(crate) async fn check_size(&self, code: &Code, settings: &Settings) -> Result<(), Fault> {
        let archives: Vec<Archive> = settings.layers.iter().filter_map(|layer| layer.archive.clone()).collect();
        if archives.is_empty() {
            return Ok(());
        }
        let ids: Vec<compute::CodeId> = archives.iter().map(Archive::id).collect();
        self.unpack_layers_again(&archives, &ids).await?;
        let mut bytes = 0u64;
        for id in ids.iter().chain(code.archive().map(Archive::id).as_ref()) {
            let unpacked = self.compute.unpacked_bytes(id).await;
            bytes += unpacked.map_err(|error| crate::model::package::fault_of(&error))?.unwrap_or_default();
        }
        let limit = compute::UNZIPPED_BYTES_MAX;
        match bytes > limit {
            true => Err(faults::invalid(format!(
                "Function code combined with layers exceeds the maximum allowed size of {limit} bytes. The actual size is \
                 {bytes} bytes."
            ))),
            false => Ok(()),
        }
    }
}

fn malformed(arn: &str) -> Fault {
    faults::validation(format!(
        "1 validation error detected: Value '[{}]' at 'layers' failed to satisfy constraint: Member must satisfy constraint: \
         [Member must have length less than or equal to 140, Member must have length greater than or equal to 1, Member must \
         satisfy regular expression pattern: \
         (arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{{12}}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)]",
        arn.chars().take(200).collect::<String>()
    ))
}
