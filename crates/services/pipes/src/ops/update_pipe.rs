//! `UpdatePipe`: what is named is replaced, the rest stays; the source cannot be another. What is in hand is finished as it was begun.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::pipes::{UpdatePipe, UpdatePipeRequest, UpdatePipeResponse};

use super::create_pipe::{check_target, refuse_unserved};
use super::{resource, time, wanted};
use crate::Pipes;
use crate::model::{Scope, merged};

impl Handle<UpdatePipe> for Pipes {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdatePipeRequest) -> Arn {
        resource(call, &input.name)
    }

    async fn handle(&self, call: &Call, input: UpdatePipeRequest) -> Result<UpdatePipeResponse, Fault> {
        let scope = &Scope::of(call);
        refuse_unserved(input.log_configuration.as_ref(), input.kms_key_identifier.as_deref())?;
        if let Some(target) = &input.target {
            check_target(target)?;
        }
        let now_ms = self.now_ms();
        let source = input.source_parameters.as_ref().map(|given| wire::document::write(given));
        let enrichment = input.enrichment_parameters.as_ref().map(|given| wire::document::write(given));
        let target = input.target_parameters.as_ref().map(|given| wire::document::write(given));
        let pipe = self
            .change(scope, &input.name, |pipe| {
                if let Some(description) = &input.description {
                    pipe.description.clone_from(description);
                }
                if let Some(state) = &input.desired_state {
                    pipe.running = state.as_str() == "RUNNING";
                }
                if let Some(arn) = &input.enrichment {
                    pipe.enrichment.clone_from(arn);
                }
                if let Some(arn) = &input.target {
                    pipe.target.clone_from(arn);
                }
                pipe.source_parameters = merged(&pipe.source_parameters, source.clone());
                pipe.enrichment_parameters = merged(&pipe.enrichment_parameters, enrichment.clone());
                pipe.target_parameters = merged(&pipe.target_parameters, target.clone());
                pipe.role.clone_from(&input.role_arn);
                pipe.modified_ms = now_ms;
                Ok(())
            })
            .await?;
        Ok(UpdatePipeResponse {
            arn: Some(scope.arn(&pipe.name).to_string()),
            desired_state: Some(wanted(&pipe).into()),
            current_state: Some("UPDATING".into()),
            creation_time: time(pipe.created_ms),
            last_modified_time: time(pipe.modified_ms),
            name: Some(pipe.name),
        })
    }
}
