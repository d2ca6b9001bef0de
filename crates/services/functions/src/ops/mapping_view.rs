//! Event source mappings between wire and model: what callers send as changes, what is shown to them.

use contract::Fault;
use jiff::Timestamp;
use uuid::Uuid;
use wire::lambda::{
    CreateEventSourceMappingRequest, DestinationConfig, EventSourceMappingConfiguration,
    EventSourceMappingLoggingConfig, EventSourceMappingMetricsConfig, Filter, FilterCriteria, FunctionResponseType,
    OnFailure, ScalingConfig, UpdateEventSourceMappingRequest,
};

use super::view::unsigned;
use crate::faults;
use crate::mappings::Doing;
use crate::model::mapping::{Mapping, MappingChange, StreamChange, StreamSettings, result_of};
use crate::name::Scope;

/// When a mapping is shown.
pub(super) enum Moment {
    /// It was just made.
    Created,
    /// It was just changed; whether it was enabled before.
    Updated {
        /// Before the change.
        was_enabled: bool,
    },
    /// It was just deleted.
    Deleted,
    /// Somebody looks.
    Looked(Doing),
}

/// A mapping as it is shown.
pub(super) fn shown(scope: &Scope, mapping: &Mapping, moment: Moment) -> EventSourceMappingConfiguration {
    let settings = &mapping.settings;
    let filters = settings.filters.iter().map(|pattern| Filter { pattern: Some(pattern.clone()) }).collect::<Vec<_>>();
    let result = match &moment {
        Moment::Looked(doing) => Some(result_of(&doing.progress)),
        Moment::Created | Moment::Updated { .. } | Moment::Deleted => None,
    };
    let shown = EventSourceMappingConfiguration {
        uuid: Some(mapping.id.to_string()),
        event_source_mapping_arn: Some(mapping.arn(scope)),
        event_source_arn: Some(mapping.source.to_string()),
        function_arn: Some(scope.arn_of(&mapping.function)),
        batch_size: i32::try_from(settings.batch_size).ok(),
        maximum_batching_window_in_seconds: i32::try_from(settings.window_s).ok(),
        filter_criteria: (!filters.is_empty()).then_some(FilterCriteria { filters: Some(filters) }),
        function_response_types: Some(match settings.reports_failures {
            true => vec![FunctionResponseType::from("ReportBatchItemFailures")],
            false => Vec::new(),
        }),
        scaling_config: settings
            .concurrency_max
            .map(|most| ScalingConfig { maximum_concurrency: i32::try_from(most).ok() }),
        metrics_config: settings.metrics.as_ref().map(|metrics| EventSourceMappingMetricsConfig {
            metrics: Some(metrics.iter().map(|metric| metric.as_str().into()).collect()),
        }),
        logging_config: settings
            .log_level
            .as_ref()
            .map(|level| EventSourceMappingLoggingConfig { system_log_level: Some(level.as_str().into()) }),
        last_modified: Timestamp::from_millisecond(mapping.modified_ms).ok(),
        last_processing_result: result,
        state: Some(state(mapping, &moment).to_owned()),
        state_transition_reason: Some("USER_INITIATED".to_owned()),
        ..EventSourceMappingConfiguration::default()
    };
    match &settings.stream {
        Some(stream) => with_stream(shown, stream),
        None => shown,
    }
}

fn with_stream(shown: EventSourceMappingConfiguration, stream: &StreamSettings) -> EventSourceMappingConfiguration {
    // Minus one is how AWS says "for ever".
    let bounded = |most: Option<u32>| most.map_or(Some(-1), |most| i32::try_from(most).ok());
    EventSourceMappingConfiguration {
        starting_position: Some(stream.start.name().into()),
        parallelization_factor: i32::try_from(stream.lanes).ok(),
        destination_config: Some(DestinationConfig {
            on_success: None,
            on_failure: Some(OnFailure { destination: stream.on_failure.clone() }),
        }),
        maximum_record_age_in_seconds: bounded(stream.age_max_s),
        bisect_batch_on_function_error: Some(stream.bisects),
        maximum_retry_attempts: bounded(stream.retries_max),
        tumbling_window_in_seconds: i32::try_from(stream.tumbling_s).ok(),
        ..shown
    }
}

fn state(mapping: &Mapping, moment: &Moment) -> &'static str {
    match (moment, mapping.enabled) {
        (Moment::Created, _) => "Creating",
        (Moment::Deleted, _) => "Deleting",
        (Moment::Updated { was_enabled: false }, true) => "Enabling",
        (Moment::Updated { was_enabled: true }, false) => "Disabling",
        (Moment::Updated { .. }, _) => "Updating",
        (Moment::Looked(_), true) => "Enabled",
        (Moment::Looked(doing), false) => match doing.leaving {
            true => "Disabling",
            false => "Disabled",
        },
    }
}

/// The id that a caller names.
pub(super) fn id(text: &str) -> Result<Uuid, Fault> {
    Uuid::parse_str(text).map_err(|_| faults::nothing_there())
}

/// The members that creating and updating have in common.
macro_rules! common {
    ($input:expr) => {
        MappingChange {
            batch_size: $input.batch_size.map(|size| unsigned("batchSize", size)).transpose()?,
            window_s: $input
                .maximum_batching_window_in_seconds
                .map(|seconds| unsigned("maximumBatchingWindowInSeconds", seconds))
                .transpose()?,
            filters: $input.filter_criteria.as_ref().map(patterns),
            reports_failures: $input.function_response_types.as_ref().map(|types| !types.is_empty()),
            concurrency_max: match &$input.scaling_config {
                None => None,
                Some(scaling) => Some(
                    scaling
                        .maximum_concurrency
                        .map(|most| unsigned("scalingConfig.maximumConcurrency", most))
                        .transpose()?,
                ),
            },
            metrics: $input
                .metrics_config
                .as_ref()
                .map(|config| config.metrics.iter().flatten().map(|metric| metric.as_str().to_owned()).collect()),
            log_level: $input
                .logging_config
                .as_ref()
                .map(|config| config.system_log_level.as_ref().map(|level| level.as_str().to_owned())),
            stream: StreamChange {
                lanes: $input
                    .parallelization_factor
                    .map(|lanes| unsigned("parallelizationFactor", lanes))
                    .transpose()?,
                bisects: $input.bisect_batch_on_function_error,
                retries_max: $input.maximum_retry_attempts.map(|most| u32::try_from(most).ok()),
                age_max_s: $input.maximum_record_age_in_seconds.map(|most| u32::try_from(most).ok()),
                tumbling_s: $input
                    .tumbling_window_in_seconds
                    .map(|seconds| unsigned("tumblingWindowInSeconds", seconds))
                    .transpose()?,
                on_failure: $input.destination_config.as_ref().map(on_failure),
            },
        }
    };
}

/// What creating asks for.
pub(super) fn changes(input: &CreateEventSourceMappingRequest) -> Result<MappingChange, Fault> {
    Ok(common!(input))
}

/// What updating asks for.
pub(super) fn updates(input: &UpdateEventSourceMappingRequest) -> Result<MappingChange, Fault> {
    Ok(common!(input))
}

fn on_failure(config: &DestinationConfig) -> Option<String> {
    config.on_failure.as_ref()?.destination.clone().filter(|destination| !destination.is_empty())
}

fn patterns(criteria: &FilterCriteria) -> Vec<String> {
    criteria.filters.iter().flatten().map(|filter| filter.pattern.clone().unwrap_or_default()).collect()
}

/// Refuses members that belong to streams and brokers, which a queue has no use for, and those that this node does not serve.
macro_rules! refuse {
    ($input:expr, $($member:ident => $name:literal),+ $(,)?) => {
        $(if $input.$member.is_some() {
            return Err(faults::invalid(concat!("Unsupported ", $name, " parameter for given event source mapping type.")));
        })+
    };
}

/// What creating refuses for queues.
pub(super) fn refuse_streams(input: &CreateEventSourceMappingRequest) -> Result<(), Fault> {
    refuse!(input,
        starting_position => "StartingPosition",
        starting_position_timestamp => "StartingPositionTimestamp",
        topics => "Topics",
        queues => "Queues",
        self_managed_event_source => "SelfManagedEventSource",
        parallelization_factor => "ParallelizationFactor",
        destination_config => "DestinationConfig",
        maximum_record_age_in_seconds => "MaximumRecordAgeInSeconds",
        maximum_retry_attempts => "MaximumRetryAttempts",
        bisect_batch_on_function_error => "BisectBatchOnFunctionError",
        tumbling_window_in_seconds => "TumblingWindowInSeconds",
        source_access_configurations => "SourceAccessConfigurations",
        amazon_managed_kafka_event_source_config => "AmazonManagedKafkaEventSourceConfig",
        self_managed_kafka_event_source_config => "SelfManagedKafkaEventSourceConfig",
        document_db_event_source_config => "DocumentDBEventSourceConfig",
    );
    refuse_unserved(input.kms_key_arn.as_deref(), input.provisioned_poller_config.is_some())
}

/// What updating refuses for queues.
pub(super) fn refuse_stream_updates(input: &UpdateEventSourceMappingRequest) -> Result<(), Fault> {
    refuse!(input,
        parallelization_factor => "ParallelizationFactor",
        destination_config => "DestinationConfig",
        maximum_record_age_in_seconds => "MaximumRecordAgeInSeconds",
        maximum_retry_attempts => "MaximumRetryAttempts",
        bisect_batch_on_function_error => "BisectBatchOnFunctionError",
        tumbling_window_in_seconds => "TumblingWindowInSeconds",
        source_access_configurations => "SourceAccessConfigurations",
        amazon_managed_kafka_event_source_config => "AmazonManagedKafkaEventSourceConfig",
        self_managed_kafka_event_source_config => "SelfManagedKafkaEventSourceConfig",
        document_db_event_source_config => "DocumentDBEventSourceConfig",
    );
    refuse_unserved(input.kms_key_arn.as_deref(), input.provisioned_poller_config.is_some())
}

/// What creating refuses for streams of tables: what belongs to brokers, and what to queues.
pub(super) fn refuse_brokers(input: &CreateEventSourceMappingRequest) -> Result<(), Fault> {
    refuse!(input,
        starting_position_timestamp => "StartingPositionTimestamp",
        topics => "Topics",
        queues => "Queues",
        self_managed_event_source => "SelfManagedEventSource",
        source_access_configurations => "SourceAccessConfigurations",
        amazon_managed_kafka_event_source_config => "AmazonManagedKafkaEventSourceConfig",
        self_managed_kafka_event_source_config => "SelfManagedKafkaEventSourceConfig",
        document_db_event_source_config => "DocumentDBEventSourceConfig",
    );
    refuse_scaling(input.scaling_config.as_ref())?;
    refuse_unserved(input.kms_key_arn.as_deref(), input.provisioned_poller_config.is_some())
}

/// What updating refuses for streams of tables.
pub(super) fn refuse_broker_updates(input: &UpdateEventSourceMappingRequest) -> Result<(), Fault> {
    refuse!(input,
        source_access_configurations => "SourceAccessConfigurations",
        amazon_managed_kafka_event_source_config => "AmazonManagedKafkaEventSourceConfig",
        self_managed_kafka_event_source_config => "SelfManagedKafkaEventSourceConfig",
        document_db_event_source_config => "DocumentDBEventSourceConfig",
    );
    refuse_scaling(input.scaling_config.as_ref())?;
    refuse_unserved(input.kms_key_arn.as_deref(), input.provisioned_poller_config.is_some())
}

/// A stream's lanes are its only scaling. An empty setting asks for nothing.
fn refuse_scaling(scaling: Option<&ScalingConfig>) -> Result<(), Fault> {
    match scaling.and_then(|scaling| scaling.maximum_concurrency) {
        Some(_) => Err(faults::invalid("Unsupported ScalingConfig parameter for given event source mapping type.")),
        None => Ok(()),
    }
}

fn refuse_unserved(key: Option<&str>, provisioned: bool) -> Result<(), Fault> {
    if key.is_some_and(|key| !key.is_empty()) {
        return Err(faults::invalid(
            "Freehold does not serve KMSKeyArn of event source mappings: leave it out; there are no keys to encrypt filters with.",
        ));
    }
    if provisioned {
        return Err(faults::invalid(
            "Freehold does not serve ProvisionedPollerConfig: leave it out; pollers are there as soon as they are needed. \
             ScalingConfig bounds them.",
        ));
    }
    Ok(())
}
