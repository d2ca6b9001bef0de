//! Event source mappings between wire and model: what callers send as changes, what is shown to them.

use contract::Fault;
use jiff::Timestamp;
use uuid::Uuid;
use wire::lambda::{
    CreateEventSourceMappingRequest, EventSourceMappingConfiguration, EventSourceMappingLoggingConfig,
    EventSourceMappingMetricsConfig, Filter, FilterCriteria, FunctionResponseType, ScalingConfig,
    UpdateEventSourceMappingRequest,
};

use super::view::unsigned;
use crate::faults;
use crate::mappings::Doing;
use crate::model::mapping::{Mapping, MappingChange, result_of};
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
    EventSourceMappingConfiguration {
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
