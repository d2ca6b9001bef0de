//! `CreateEventSourceMapping`: from now on a queue's messages, or a table's changes, become invocations.
//!
//! Queues and streams of tables are served. Streams of Kinesis come with that service, and other sources are refused by name.
//!
//! Where `LATEST` is, is settled before the answer: whatever is written after it is read.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle, Principal};
use mapping::readers;
use mapping::stream::Checkpoint;
use serde_json::Value;
use wire::lambda::{
    CreateEventSourceMapping, CreateEventSourceMappingRequest, EventSourceMappingConfiguration, EventSourcePosition,
};

use super::lookup;
use super::mapping_view::{Moment, changes, refuse_brokers, refuse_streams, shown};
use crate::mappings::ask_queue;
use crate::model::mapping::{Mapping, MappingSettings, Start, StreamSettings, id_of};
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
        let plain = match is_stream(&source) {
            true => {
                let start = start(&input, &source)?;
                refuse_brokers(&input)?;
                MappingSettings::of_stream(StreamSettings::new(self.random.uuid(), start))
            }
            false => {
                refuse_streams(&input)?;
                MappingSettings::default()
            }
        };
        let settings = plain.with(changes(&input)?);
        settings.check(&source)?;
        let tags = input.tags.clone().unwrap_or_default();
        tags::check(&tags)?;
        let function = Reference::parse(scope, &input.function_name)?;
        let found = lookup::find(&self.store.snapshot(), scope, &function).await.map_err(|_| missing_function())?;
        let role = found.version.settings.role.clone();
        self.check_source(call, &source, &function, &role, found.version.settings.timeout_s).await?;
        let mapping = &Mapping {
            id: id_of(scope, &source, &function),
            source,
            function,
            enabled: input.enabled.unwrap_or(true),
            settings,
            tags,
            modified_ms: self.now_ms(),
        };
        let checkpoints = &self.beginnings(call, mapping, &role).await?;
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
                for (reader, shard, checkpoint) in checkpoints {
                    checkpoint.save(&tx, reader, shard).await?;
                }
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

/// The queue or stream that is named.
fn source(input: &CreateEventSourceMappingRequest) -> Result<Arn, Fault> {
    let Some(text) = &input.event_source_arn else {
        return Err(faults::invalid("Unrecognized event source, must be kafka or specify an EventSourceArn."));
    };
    let arn = Arn::parse(text).ok_or_else(|| faults::invalid("Unrecognized event source."))?;
    match arn.service.as_str() {
        "sqs" => Ok(arn),
        "dynamodb" if arn.resource.contains("/stream/") => Ok(arn),
        "kinesis" => Err(faults::invalid(
            "Freehold has event source mappings of queues and of tables' streams. Streams of kinesis come with that service.",
        )),
        _ => Err(faults::invalid("Unrecognized event source.")),
    }
}

fn is_stream(source: &Arn) -> bool {
    source.service == "dynamodb"
}

/// Where a stream is to be read from.
fn start(input: &CreateEventSourceMappingRequest, source: &Arn) -> Result<Start, Fault> {
    match &input.starting_position {
        Some(EventSourcePosition::TrimHorizon) => Ok(Start::TrimHorizon),
        Some(EventSourcePosition::Latest) => Ok(Start::Latest),
        None => Err(faults::invalid(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.",
        )),
        Some(EventSourcePosition::AtTimestamp | EventSourcePosition::Other(_)) => {
            Err(faults::invalid(format!("Unsupported starting position for arn type: {source}")))
        }
    }
}

/// Of a source and a function there is one mapping.
pub(super) fn refuse_twin(scope: &Scope, mapping: &Mapping, others: &[Mapping]) -> Result<(), Fault> {
    let same = |other: &&Mapping| other.source == mapping.source && other.function == mapping.function;
    match others.iter().find(same) {
        None => Ok(()),
        Some(twin) if is_stream(&mapping.source) => Err(faults::conflict(format!(
            "The event source arn (\" {} \") and function (\" {} \") provided mapping already exists. Please update or delete the \
             existing mapping with UUID {}",
            mapping.source,
            scope.arn_of(&mapping.function),
            twin.id
        ))),
        Some(twin) => Err(faults::conflict(format!(
            "An event source mapping with SQS arn (\" {} \") and function (\" {} \") already exists. Please update or delete the \
             existing mapping with UUID {}",
            mapping.source,
            scope.arn_of(&mapping.function),
            twin.id
        ))),
    }
}

/// Why a stream cannot be read, as the mapping's maker is told.
fn unreadable(stream: &Arn, fault: Fault) -> Fault {
    match fault.code.as_str() {
        "ResourceNotFoundException" => faults::invalid(format!("Stream not found: {stream}")),
        "AccessDeniedException" => faults::invalid(format!(
            "Cannot access stream {stream}. Please ensure the role can perform the GetRecords, GetShardIterator, DescribeStream, and \
             ListStreams Actions on your stream in IAM."
        )),
        _ => fault,
    }
}

impl Functions {
    /// Refuses a source that is not there, or that the function's role may not read.
    pub(super) async fn check_source(
        &self,
        call: &Call,
        source: &Arn,
        function: &Reference,
        role: &str,
        timeout_s: u32,
    ) -> Result<(), Fault> {
        if !is_stream(source) {
            return self.check_queue(call, source, function, role, timeout_s).await;
        }
        let (tools, asked) = self.asking(call, function, role)?;
        readers::check(&*tools.caller, &asked, source).await.map_err(|fault| unreadable(source, fault))
    }

    /// Whose checkpoints a mapping begins with, and for which shards: none where it begins with the oldest record.
    async fn beginnings(
        &self,
        call: &Call,
        mapping: &Mapping,
        role: &str,
    ) -> Result<Vec<(String, String, Checkpoint)>, Fault> {
        let Some(stream) = mapping.settings.stream.as_ref().filter(|stream| stream.start == Start::Latest) else {
            return Ok(Vec::new());
        };
        let (tools, asked) = self.asking(call, &mapping.function, role)?;
        let latest = readers::latest(&*tools.caller, &asked, &mapping.source).await;
        let latest: BTreeMap<_, _> = latest.map_err(|fault| unreadable(&mapping.source, fault))?;
        let reader = stream.reader.to_string();
        Ok(latest.into_iter().map(|(shard, checkpoint)| (reader.clone(), shard, checkpoint)).collect())
    }

    /// The way to a source, and the call of the function's role.
    fn asking(&self, call: &Call, function: &Reference, role: &str) -> Result<(&mapping::Tools, Call), Fault> {
        let tools = self.mappings.tools().ok_or_else(|| Fault::from(Refusal::from(::store::Error::Closed)))?;
        let principal = Principal::Role { role: role.into(), session: function.name.as_str().into() };
        Ok((tools, call.inner(&self.random, principal, "mapping")))
    }

    /// Refuses a queue that is not there, that the function's role may not receive from, or that would show messages to others while
    /// the function still works.
    async fn check_queue(
        &self,
        call: &Call,
        queue: &Arn,
        function: &Reference,
        role: &str,
        timeout_s: u32,
    ) -> Result<(), Fault> {
        let (tools, asked) = self.asking(call, function, role)?;
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
