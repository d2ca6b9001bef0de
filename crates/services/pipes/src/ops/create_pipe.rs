//! `CreatePipe`: it flows when it is answered. Where `LATEST` of a stream is, is settled before: whatever is written after it is read.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use delivery::Acting;
use delivery::target::{self, Options};
use mapping::readers;
use mapping::stream::Checkpoint;
use wire::pipes::{CreatePipe, CreatePipeRequest, CreatePipeResponse, PipeLogConfigurationParameters};

use super::{Refusal, resource, time, wanted};
use crate::model::source::Source;
use crate::model::{Pipe, Scope, none};
use crate::{Pipes, faults, store};

impl Handle<CreatePipe> for Pipes {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreatePipeRequest) -> Arn {
        resource(call, &input.name)
    }

    async fn handle(&self, call: &Call, input: CreatePipeRequest) -> Result<CreatePipeResponse, Fault> {
        let scope = &Scope::of(call);
        refuse_unserved(input.log_configuration.as_ref(), input.kms_key_identifier.as_deref())?;
        let now_ms = self.now_ms();
        let pipe = &Pipe {
            name: input.name,
            description: input.description.unwrap_or_default(),
            running: input.desired_state.is_none_or(|state| state.as_str() == "RUNNING"),
            source: input.source,
            source_parameters: input.source_parameters.map_or_else(none, |given| wire::document::write(&given)),
            enrichment: input.enrichment.unwrap_or_default(),
            enrichment_parameters: input.enrichment_parameters.map_or_else(none, |given| wire::document::write(&given)),
            target: input.target,
            target_parameters: input.target_parameters.map_or_else(none, |given| wire::document::write(&given)),
            role: input.role_arn,
            reader: call.id.to_string(),
            tags: input.tags.unwrap_or_default(),
            created_ms: now_ms,
            modified_ms: now_ms,
        };
        let course = pipe.course()?;
        check_target(&pipe.target)?;
        let beginnings = &self.beginnings(call, pipe, &course.source).await?;
        let _one_at_a_time = self.changing.lock().await;
        self.store
            .transact(|tx| async move {
                if store::get(&tx, scope, &pipe.name).await?.is_some() {
                    return Err(Refusal::from(faults::exists(&pipe.name)));
                }
                store::put(&tx, scope, pipe);
                for (shard, checkpoint) in beginnings {
                    checkpoint.save(&tx, &pipe.reader, shard).await?;
                }
                Ok(())
            })
            .await
            .map_err(|refusal| refusal.0)?;
        self.table.settle(scope, &pipe.name, Some(pipe.clone()), self.tools.get());
        Ok(CreatePipeResponse {
            arn: Some(scope.arn(&pipe.name).to_string()),
            name: Some(pipe.name.clone()),
            desired_state: Some(wanted(pipe).into()),
            current_state: Some("CREATING".into()),
            creation_time: time(pipe.created_ms),
            last_modified_time: time(pipe.modified_ms),
        })
    }
}

impl Pipes {
    /// The checkpoints that a pipe from a stream begins with: none where it begins with the oldest record. Refuses a stream that is not
    /// there, or that the role may not read.
    async fn beginnings(
        &self,
        call: &Call,
        pipe: &Pipe,
        source: &Source,
    ) -> Result<BTreeMap<String, Checkpoint>, Fault> {
        let Source::Stream(stream) = source else { return Ok(BTreeMap::new()) };
        let tools = self.tools.get().ok_or_else(|| faults::of_store(::store::Error::Closed))?;
        let acting = Acting::Role { role: pipe.role.as_str().into(), session: pipe.name.as_str().into() };
        let asked = call.inner(&tools.random, acting.principal(), "mapping");
        let found = match stream.is_from_now {
            true => readers::latest(&*tools.caller, &asked, &stream.arn).await,
            false => readers::check(&*tools.caller, &asked, &stream.arn).await.map(|()| BTreeMap::new()),
        };
        found.map_err(|fault| match fault.code.as_str() {
            "ResourceNotFoundException" | "AccessDeniedException" => {
                faults::invalid(format!("The stream {} cannot be read: {}", stream.arn, fault.message))
            }
            _ => fault,
        })
    }
}

/// Refuses what nothing could be brought to.
pub(super) fn check_target(arn: &str) -> Result<(), Fault> {
    let acting = Acting::Role { role: "".into(), session: "".into() };
    target::of_arn(arn, Options::new("{}", acting, 0)).map(drop).map_err(|error| faults::invalid(error.to_string()))
}

/// Refuses what would otherwise be dropped in silence.
pub(super) fn refuse_unserved(log: Option<&PipeLogConfigurationParameters>, key: Option<&str>) -> Result<(), Fault> {
    if log.is_some_and(|log| log.level.as_str() != "OFF") {
        return Err(faults::invalid(
            "Freehold does not keep pipes' own logs: leave LogConfiguration out. DescribePipe's StateReason tells what went wrong last.",
        ));
    }
    if key.is_some_and(|key| !key.is_empty()) {
        return Err(faults::invalid("Freehold does not serve KmsKeyIdentifier of pipes: leave it out."));
    }
    Ok(())
}
