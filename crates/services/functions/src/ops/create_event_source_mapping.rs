//! `CreateEventSourceMapping`: from now on a queue's messages become invocations.
//!
//! Queues are served. Streams come with tables and streams, and other sources are refused by name.

use contract::{Arn, Call, Effect, Fault, Handle, Principal};
use serde_json::Value;
use wire::lambda::{CreateEventSourceMapping, CreateEventSourceMappingRequest, EventSourceMappingConfiguration};

use super::lookup;
use super::mapping_view::{Moment, changes, refuse_streams, shown};
use crate::mappings::ask_queue;
use crate::model::mapping::{Mapping, MappingSettings, id_of};
use crate::model::tags;
use crate::name::{Reference, Scope};
use crate::store::{Refusal, mapping as stored};
use crate::{Functions, faults};

impl Handle<CreateEventSourceMapping> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateEventSourceMappingRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(
        &self,
        call: &Call,
        input: CreateEventSourceMappingRequest,
    ) -> Result<EventSourceMappingConfiguration, Fault> {
        let scope = &Scope::of(call);
        let source = source(&input)?;
        refuse_streams(&input)?;
        let settings = MappingSettings::default().with(changes(&input)?);
        settings.check(&source)?;
        let tags = input.tags.clone().unwrap_or_default();
        tags::check(&tags)?;
        let function = Reference::parse(scope, &input.function_name)?;
        let found = lookup::find(&self.store.snapshot(), scope, &function).await.map_err(|_| missing_function())?;
        let role = found.version.settings.role.clone();
        self.check_queue(call, &source, &function, &role, found.version.settings.timeout_s).await?;
        let mapping = &Mapping {
            id: id_of(scope, &source, &function),
            source,
            function,
            enabled: input.enabled.unwrap_or(true),
            settings,
            tags,
            modified_ms: self.now_ms(),
        };
        let _one_at_a_time = self.mappings.changing.lock().await;
        let made = self
            .store
            .transact(|tx| async move {
                let others = stored::of_scope(&tx, scope).await?;
                refuse_twin(scope, mapping, &others)?;
                let mut mapping = mapping.clone();
                if others.iter().any(|other| other.id == mapping.id) {
                    // That one has been given another function since it was made.
                    mapping.id = self.random.uuid();
                }
                stored::put(&tx, scope, &mapping);
                Ok::<_, Refusal>(mapping)
            })
            .await?;
        self.settle_mapping(scope, made.id, Some(made.clone()));
        Ok(shown(scope, &made, Moment::Created))
    }
}

fn missing_function() -> Fault {
    faults::invalid("Function does not exist")
}

/// The queue that is named.
fn source(input: &CreateEventSourceMappingRequest) -> Result<Arn, Fault> {
    let Some(text) = &input.event_source_arn else {
        return Err(faults::invalid("Unrecognized event source, must be kafka or specify an EventSourceArn."));
    };
    let arn = Arn::parse(text).ok_or_else(|| faults::invalid("Unrecognized event source."))?;
    match arn.service.as_str() {
        "sqs" => Ok(arn),
        "kinesis" | "dynamodb" => Err(faults::invalid(format!(
            "Freehold has event source mappings of queues. Streams of {} come with that service.",
            arn.service
        ))),
        _ => Err(faults::invalid("Unrecognized event source.")),
    }
}

/// Of a queue and a function there is one mapping.
pub(super) fn refuse_twin(scope: &Scope, mapping: &Mapping, others: &[Mapping]) -> Result<(), Fault> {
    let same = |other: &&Mapping| other.source == mapping.source && other.function == mapping.function;
    match others.iter().find(same) {
        None => Ok(()),
        Some(twin) => Err(faults::conflict(format!(
            "An event source mapping with SQS arn (\" {} \") and function (\" {} \") already exists. Please update or delete the \
             existing mapping with UUID {}",
            mapping.source,
            scope.arn_of(&mapping.function),
            twin.id
        ))),
    }
}

impl Functions {
    /// Refuses a queue that is not there, that the function's role may not receive from, or that would show messages to others while
    /// the function still works.
    pub(super) async fn check_queue(
        &self,
        call: &Call,
        queue: &Arn,
        function: &Reference,
        role: &str,
        timeout_s: u32,
    ) -> Result<(), Fault> {
        let Some(tools) = self.mappings.tools() else {
            return Err(Refusal::from(::store::Error::Closed).into());
        };
        let principal = Principal::Role { role: role.into(), session: function.name.as_str().into() };
        let asked = call.inner(&self.random, principal, "mapping");
        let answer = match ask_queue(&*tools.caller, &asked, queue, &["VisibilityTimeout"]).await {
            Ok(answer) => answer,
            Err(fault) if fault.code == "QueueDoesNotExist" => {
                return Err(faults::invalid(format!(
                    "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error \
                     Message: {}",
                    fault.message
                )));
            }
            Err(fault) if fault.code == "AccessDeniedException" => {
                return Err(faults::invalid(
                    "The provided execution role does not have permissions to call ReceiveMessage on SQS",
                ));
            }
            Err(fault) => return Err(fault),
        };
        let hidden = answer.pointer("/Attributes/VisibilityTimeout").and_then(Value::as_str);
        let hidden_s: u32 = hidden.and_then(|text| text.parse().ok()).unwrap_or(u32::MAX);
        if hidden_s < timeout_s {
            return Err(faults::invalid(format!(
                "Queue visibility timeout: {hidden_s} seconds is less than Function timeout: {timeout_s} seconds"
            )));
        }
        Ok(())
    }
}
