//! `DescribePipe`. `StateReason` tells what went wrong last, if anything.

use contract::{Arn, Call, Document, Effect, Fault, Handle};
use mapping::Progress;
use wire::pipes::{DescribePipe, DescribePipeRequest, DescribePipeResponse};

use super::{current, resource, time, wanted};
use crate::model::Scope;
use crate::table::Seen;
use crate::{Pipes, faults};

impl Handle<DescribePipe> for Pipes {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &DescribePipeRequest) -> Arn {
        resource(call, &input.name)
    }

    async fn handle(&self, call: &Call, input: DescribePipeRequest) -> Result<DescribePipeResponse, Fault> {
        let scope = Scope::of(call);
        let seen = self.table.get(&scope, &input.name).ok_or_else(|| faults::missing(&input.name))?;
        let pipe = &seen.pipe;
        Ok(DescribePipeResponse {
            arn: Some(scope.arn(&pipe.name).to_string()),
            name: Some(pipe.name.clone()),
            description: (!pipe.description.is_empty()).then(|| pipe.description.clone()),
            desired_state: Some(wanted(pipe).into()),
            current_state: Some(current(&seen).into()),
            state_reason: Some(reason(&seen)),
            source: Some(pipe.source.clone()),
            source_parameters: shape(&pipe.source_parameters)?,
            enrichment: (!pipe.enrichment.is_empty()).then(|| pipe.enrichment.clone()),
            enrichment_parameters: shape(&pipe.enrichment_parameters)?,
            target: Some(pipe.target.clone()),
            target_parameters: shape(&pipe.target_parameters)?,
            role_arn: Some(pipe.role.clone()),
            tags: Some(pipe.tags.clone()),
            creation_time: time(pipe.created_ms),
            last_modified_time: time(pipe.modified_ms),
            log_configuration: None,
            kms_key_identifier: None,
        })
    }
}

/// Why it is in its state, or what went wrong last.
pub(super) fn reason(seen: &Seen) -> String {
    match &seen.progress {
        Progress::Untouched | Progress::Fine => "USER_INITIATED".to_owned(),
        // AWS's bound.
        Progress::Problem(why) => why.chars().take(512).collect(),
    }
}

/// Kept parameters as they were sent; none if there were none.
fn shape<T: wire::StaticShape>(document: &Document) -> Result<Option<T>, Fault> {
    if document.as_object().is_none_or(serde_json::Map::is_empty) {
        return Ok(None);
    }
    match wire::document::read(document.clone()) {
        Ok((shape, _)) => Ok(Some(shape)),
        Err(why) => {
            tracing::error!(?why, "a pipe's parameters cannot be read as they were kept");
            Err(Fault::internal())
        }
    }
}
