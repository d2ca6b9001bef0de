//! How functions are shown: models as wire shapes.

use contract::{Call, Fault};
use jiff::Timestamp;
use jiff::fmt::strtime;
use wire::lambda::{
    AliasConfiguration, AliasRoutingConfiguration, Cors, DeadLetterConfig, DestinationConfig, EnvironmentResponse,
    EphemeralStorage, FunctionConfiguration, FunctionEventInvokeConfig, FunctionUrlAuthType, FunctionUrlConfig,
    ImageConfig, ImageConfigResponse, InvokeMode as WireInvokeMode, LastUpdateStatus, Layer, LoggingConfig, OnFailure,
    OnSuccess, PackageType, RuntimeVersionConfig, SnapStartOptimizationStatus, SnapStartResponse, State,
    TracingConfigResponse,
};

use crate::model::settings::{self, LogFormat, Logging, SnapStart, Tracing};
use crate::model::url::{AuthType, InvokeMode, address};
use crate::model::{Alias, Code, EventInvoke, UrlConfig, Version};
use crate::name::{FunctionName, Qualifier, Reference, Scope};

/// A version as it was asked for.
pub(crate) struct Shown<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) name: &'a FunctionName,
    /// What the ARN ends in; none shows the function's own.
    pub(crate) qualifier: Option<&'a Qualifier>,
    /// None is `$LATEST`.
    pub(crate) number: Option<u64>,
    pub(crate) version: &'a Version,
}

impl Shown<'_> {
    /// `FunctionConfiguration` as most operations answer it.
    ///
    /// The state is `Active` and the update `Successful` from the first answer on, where AWS begins with `Pending` and
    /// `InProgress`: code is unpacked and checked inside the call, before anything is stored, so there is nothing left to
    /// wait for, a second call never meets an update that is still going on, and waiters return at their first look.
    pub(crate) fn configuration(&self) -> FunctionConfiguration {
        FunctionConfiguration {
            state: Some(State::Active),
            last_update_status: Some(LastUpdateStatus::Successful),
            runtime_version_config: self.version.code.archive().map(|_| RuntimeVersionConfig {
                runtime_version_arn: Some(runtime_version_arn(self.scope, &self.version.settings.runtime)),
                error: None,
            }),
            ..self.listed()
        }
    }

    /// The same as lists show it: without state and runtime version.
    pub(crate) fn listed(&self) -> FunctionConfiguration {
        let Version { code, settings, revision, modified_ms, content: _, runtime_update: _ } = self.version;
        let arn = match self.qualifier {
            Some(qualifier) => self.scope.arn_qualified(self.name, qualifier),
            None => self.scope.arn(self.name),
        };
        FunctionConfiguration {
            function_name: Some(self.name.to_string()),
            function_arn: Some(arn),
            runtime: code.archive().map(|_| settings.runtime.as_str().into()),
            role: Some(settings.role.clone()),
            handler: code.archive().map(|_| settings.handler.clone()),
            code_size: Some(i64::try_from(code.bytes()).unwrap_or(i64::MAX)),
            description: Some(settings.description.clone()),
            timeout: Some(signed(settings.timeout_s)),
            memory_size: Some(signed(settings.memory_mb)),
            last_modified: Some(modified(*modified_ms)),
            code_sha256: Some(code.sha256()),
            version: Some(version_text(self.number)),
            environment: (!settings.environment.is_empty())
                .then(|| EnvironmentResponse { variables: Some(settings.environment.clone()), error: None }),
            tracing_config: Some(TracingConfigResponse {
                mode: Some(
                    match settings.tracing {
                        Tracing::PassThrough => "PassThrough",
                        Tracing::Active => "Active",
                    }
                    .into(),
                ),
            }),
            revision_id: Some(revision.to_string()),
            package_type: Some(match code {
                Code::Zip(_) | Code::Live(_) => PackageType::Zip,
                Code::Image(_) => PackageType::Image,
            }),
            image_config_response: image_config(&settings.image_config),
            architectures: Some(vec![settings.architecture.name().into()]),
            ephemeral_storage: Some(EphemeralStorage { size: signed(settings.tmp_mb) }),
            snap_start: Some(self.snap_start()),
            dead_letter_config: settings.dead_letter.clone().map(|arn| DeadLetterConfig { target_arn: Some(arn) }),
            layers: (!settings.layers.is_empty()).then(|| settings.layers.iter().map(layer).collect()),
            logging_config: Some(self::logging(&settings.logging)),
            ..FunctionConfiguration::default()
        }
    }

    fn snap_start(&self) -> SnapStartResponse {
        let (apply_on, on) = match self.version.settings.snap_start {
            SnapStart::None => ("None", false),
            SnapStart::PublishedVersions => ("PublishedVersions", self.number.is_some()),
        };
        let status = if on { SnapStartOptimizationStatus::On } else { SnapStartOptimizationStatus::Off };
        SnapStartResponse { apply_on: Some(apply_on.into()), optimization_status: Some(status) }
    }
}

/// A layer that is built in has no size.
fn layer(layer: &settings::Layer) -> Layer {
    let bytes = layer.archive.as_ref().map_or(0, |archive| archive.bytes);
    let code_size = Some(i64::try_from(bytes).unwrap_or(i64::MAX));
    Layer { arn: Some(layer.arn.clone()), code_size, ..Layer::default() }
}

fn logging(logging: &Logging) -> LoggingConfig {
    let group = Some(logging.group.clone());
    match logging.format {
        LogFormat::Text => {
            LoggingConfig { log_format: Some("Text".into()), log_group: group, ..LoggingConfig::default() }
        }
        LogFormat::Json { application, system } => LoggingConfig {
            log_format: Some("JSON".into()),
            application_log_level: Some(application.name().into()),
            system_log_level: Some(system.name().into()),
            log_group: group,
        },
    }
}

/// None if it says nothing.
fn image_config(config: &settings::ImageConfig) -> Option<ImageConfigResponse> {
    let settings::ImageConfig { entry_point, command, working_directory } = config.clone();
    let config = ImageConfig { entry_point, command, working_directory };
    (config != ImageConfig::default()).then_some(ImageConfigResponse { image_config: Some(config), error: None })
}

/// `AliasConfiguration`.
pub(crate) fn alias(scope: &Scope, function: &FunctionName, name: &str, alias: &Alias) -> AliasConfiguration {
    AliasConfiguration {
        alias_arn: Some(scope.arn_qualified(function, &Qualifier::Alias(name.to_owned()))),
        name: Some(name.to_owned()),
        function_version: Some(alias.target.qualifier().to_string()),
        description: Some(alias.description.clone()),
        routing_config: alias.routing.map(|routing| AliasRoutingConfiguration {
            additional_version_weights: Some([(routing.version.to_string(), routing.weight)].into()),
        }),
        revision_id: Some(alias.revision.to_string()),
    }
}

/// `FunctionUrlConfig`, with the address as it is reached from where the caller stands.
pub(crate) fn url(call: &Call, scope: &Scope, reference: &Reference, url: &UrlConfig) -> FunctionUrlConfig {
    let qualifier = reference.qualifier.as_ref();
    FunctionUrlConfig {
        function_url: address(call.base_url(), scope.region.as_str(), &url.id, &reference.name, qualifier),
        function_arn: scope.arn_of(reference),
        creation_time: url_time(url.created_ms),
        last_modified_time: url_time(url.modified_ms),
        cors: url.cors.clone().map(|cors| Cors {
            allow_credentials: cors.allow_credentials,
            allow_headers: cors.allow_headers,
            allow_methods: cors.allow_methods,
            allow_origins: cors.allow_origins,
            expose_headers: cors.expose_headers,
            max_age: cors.max_age_s.map(signed),
        }),
        auth_type: match url.auth {
            AuthType::None => FunctionUrlAuthType::None,
            AuthType::AwsIam => FunctionUrlAuthType::AwsIam,
        },
        invoke_mode: Some(match url.mode {
            InvokeMode::Buffered => WireInvokeMode::Buffered,
            InvokeMode::ResponseStream => WireInvokeMode::ResponseStream,
        }),
    }
}

/// `FunctionEventInvokeConfig`. It belongs to `$LATEST` where no qualifier was named, and says so.
pub(crate) fn event_invoke(scope: &Scope, reference: &Reference, config: &EventInvoke) -> FunctionEventInvokeConfig {
    FunctionEventInvokeConfig {
        last_modified: Some(Timestamp::from_millisecond(config.modified_ms).unwrap_or(Timestamp::UNIX_EPOCH)),
        function_arn: Some(scope.arn_qualified(&reference.name, &reference.or_latest())),
        maximum_retry_attempts: config.retries_max.map(signed),
        maximum_event_age_in_seconds: config.age_max_s.map(signed),
        destination_config: Some(DestinationConfig {
            on_success: Some(OnSuccess { destination: config.on_success.clone() }),
            on_failure: Some(OnFailure { destination: config.on_failure.clone() }),
        }),
    }
}

/// `$LATEST` or the number.
pub(crate) fn version_text(number: Option<u64>) -> String {
    number.map_or(Qualifier::Latest, Qualifier::Version).to_string()
}

/// The version of a managed runtime. Interpreters are the machine's own here, so one ARN stands for each.
pub(crate) fn runtime_version_arn(scope: &Scope, runtime: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, runtime.as_bytes());
    format!("arn:aws:lambda:{}::runtime:{}", scope.region, hex::encode(digest))
}

/// `2026-11-21T02:40:11.000+0000`, as functions have it.
pub(crate) fn modified(ms: i64) -> String {
    time("%Y-%m-%dT%H:%M:%S.%3f+0000", ms)
}

/// `2026-11-21T02:40:11+0000`, as what is provisioned has it.
pub(crate) fn provision_time(ms: i64) -> String {
    time("%Y-%m-%dT%H:%M:%S+0000", ms)
}

/// `2026-11-21T02:40:11.000000Z`, as function URLs have it.
pub(crate) fn url_time(ms: i64) -> String {
    time("%Y-%m-%dT%H:%M:%S.%6fZ", ms)
}

fn time(format: &str, ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    strtime::format(format, time).expect("the formats above are good")
}

/// Our numbers are bounded far below; the wire's are signed.
pub(crate) fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// An unsigned number that the wire carries as a signed one; the model's constraints let no negative one through.
pub(crate) fn unsigned(member: &str, number: i32) -> Result<u32, Fault> {
    u32::try_from(number).map_err(|_| {
        crate::faults::validation(format!(
            "1 validation error detected: Value '{number}' at '{member}' failed to satisfy constraint: Member must have value \
             greater than or equal to 0"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_lambda_writes_them() {
        let ms = 1_795_228_811_007;
        assert_eq!(modified(ms), "2026-11-21T02:40:11.007+0000");
        assert_eq!(provision_time(ms), "2026-11-21T02:40:11+0000");
        assert_eq!(url_time(ms), "2026-11-21T02:40:11.007000Z");
    }
}
