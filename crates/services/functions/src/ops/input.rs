//! What callers send, as settings: defaults, the members that this node cannot honour, and the checks of the rest.

use std::collections::BTreeMap;

use contract::Fault;
use wire::lambda::{
    Architecture as WireArchitecture, Cors as WireCors, CreateFunctionRequest, DeadLetterConfig,
    ImageConfig as WireImageConfig, LoggingConfig, UpdateFunctionConfigurationRequest,
};

use super::view::unsigned;
use crate::faults;
use crate::model::settings::{Architecture, ImageConfig, Layer, LogFormat, LogLevel, Logging, SnapStart, Tracing};
use crate::model::url::{AuthType, Cors, InvokeMode};
use crate::model::{Code, Settings, Version};
use crate::name::FunctionName;
use crate::packages::Source;

/// The settings of a new function.
pub(crate) fn settings(
    name: &FunctionName,
    input: &CreateFunctionRequest,
    layers: Option<Vec<Layer>>,
) -> Result<Settings, Fault> {
    let (runtime, handler) = match (package_of(input), &input.runtime, &input.handler) {
        (Package::Zip, Some(runtime), Some(handler)) => (runtime.as_str().to_owned(), handler.clone()),
        (Package::Zip, ..) => {
            return Err(faults::invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            ));
        }
        (Package::Image, None, None) if input.layers.iter().flatten().next().is_none() => Default::default(),
        (Package::Image, ..) => return Err(not_of_images()),
    };
    let mut settings = Settings {
        runtime,
        role: input.role.clone(),
        handler,
        description: input.description.clone().unwrap_or_default(),
        timeout_s: Settings::TIMEOUT_S_DEFAULT,
        memory_mb: Settings::MEMORY_MB_DEFAULT,
        tmp_mb: Settings::TMP_MB_DEFAULT,
        environment: BTreeMap::new(),
        architecture: Architecture::of_machine(),
        tracing: Tracing::PassThrough,
        snap_start: SnapStart::None,
        logging: Logging::default_of(name),
        layers: Vec::new(),
        image_config: ImageConfig::default(),
        dead_letter: None,
    };
    if let Some(architectures) = &input.architectures {
        settings.architecture = architecture(architectures)?;
    }
    let members = Members {
        description: None,
        timeout: input.timeout,
        memory_size: input.memory_size,
        ephemeral_storage: input.ephemeral_storage.as_ref().map(|storage| storage.size),
        environment: input.environment.as_ref().map(|environment| environment.variables.clone().unwrap_or_default()),
        tracing: input.tracing_config.as_ref().and_then(|tracing| tracing.mode.as_ref()).map(|mode| mode.as_str()),
        snap_start: input.snap_start.as_ref().and_then(|snap| snap.apply_on.as_ref()).map(|apply| apply.as_str()),
        logging: input.logging_config.as_ref(),
        layers,
        image_config: input.image_config.as_ref(),
        dead_letter: input.dead_letter_config.as_ref(),
    };
    members.apply(name, &mut settings)?;
    check(&settings, package_of(input))?;
    Ok(settings)
}

/// How a function is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Package {
    Zip,
    Image,
}

impl Package {
    /// Of what there is.
    pub(crate) fn of(code: &Code) -> Self {
        match code {
            Code::Zip(_) | Code::Live(_) => Self::Zip,
            Code::Image(_) => Self::Image,
        }
    }
}

/// What the caller says that it is.
pub(crate) fn package_of(input: &CreateFunctionRequest) -> Package {
    match input.package_type.as_ref().is_some_and(|kind| kind.as_str() == "Image") {
        true => Package::Image,
        false => Package::Zip,
    }
}

/// Refuses code of the other kind than the package's.
pub(crate) fn check_source(package: Package, source: &Source) -> Result<(), Fault> {
    let archive = source.zip.is_some() || source.bucket.is_some() || source.key.is_some();
    match package {
        Package::Image if source.image.is_none() && archive => {
            Err(faults::invalid("Please provide ImageUri when updating a function with packageType Image."))
        }
        Package::Zip if source.image.is_some() => {
            Err(faults::invalid("Please don't provide ImageUri when updating a function with packageType Zip."))
        }
        Package::Image | Package::Zip => Ok(()),
    }
}

fn not_of_images() -> Fault {
    faults::invalid("Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.")
}

/// Checks settings for how the function is packed.
pub(crate) fn check(settings: &Settings, package: Package) -> Result<(), Fault> {
    match package {
        Package::Image => settings.check_as_image(),
        Package::Zip if settings.image_config != ImageConfig::default() => {
            Err(faults::invalid("Please don't provide ImageConfig when the intended function PackageType is Zip."))
        }
        Package::Zip => settings.check(),
    }
}

/// The settings after an update: what is not named stays.
pub(crate) fn updated(
    name: &FunctionName,
    before: &Version,
    input: &UpdateFunctionConfigurationRequest,
    layers: Option<Vec<Layer>>,
) -> Result<Settings, Fault> {
    let (mut settings, package) = (before.settings.clone(), Package::of(&before.code));
    let is_other = input.runtime.is_some() || input.handler.is_some() || input.layers.iter().flatten().next().is_some();
    if package == Package::Image && is_other {
        return Err(not_of_images());
    }
    if let Some(runtime) = &input.runtime {
        settings.runtime = runtime.as_str().to_owned();
    }
    if let Some(role) = &input.role {
        settings.role.clone_from(role);
    }
    if let Some(handler) = &input.handler {
        settings.handler.clone_from(handler);
    }
    let members = Members {
        description: input.description.as_ref(),
        timeout: input.timeout,
        memory_size: input.memory_size,
        ephemeral_storage: input.ephemeral_storage.as_ref().map(|storage| storage.size),
        environment: input.environment.as_ref().map(|environment| environment.variables.clone().unwrap_or_default()),
        tracing: input.tracing_config.as_ref().and_then(|tracing| tracing.mode.as_ref()).map(|mode| mode.as_str()),
        snap_start: input.snap_start.as_ref().and_then(|snap| snap.apply_on.as_ref()).map(|apply| apply.as_str()),
        logging: input.logging_config.as_ref(),
        layers,
        image_config: input.image_config.as_ref(),
        dead_letter: input.dead_letter_config.as_ref(),
    };
    members.apply(name, &mut settings)?;
    check(&settings, package)?;
    Ok(settings)
}

/// The members that creating and updating have in common; absent ones change nothing.
struct Members<'a> {
    description: Option<&'a String>,
    timeout: Option<i32>,
    memory_size: Option<i32>,
    ephemeral_storage: Option<i32>,
    environment: Option<BTreeMap<String, String>>,
    tracing: Option<&'a str>,
    snap_start: Option<&'a str>,
    logging: Option<&'a LoggingConfig>,
    layers: Option<Vec<Layer>>,
    image_config: Option<&'a WireImageConfig>,
    dead_letter: Option<&'a DeadLetterConfig>,
}

impl Members<'_> {
    fn apply(self, name: &FunctionName, settings: &mut Settings) -> Result<(), Fault> {
        if let Some(description) = self.description {
            settings.description.clone_from(description);
        }
        if let Some(seconds) = self.timeout {
            settings.timeout_s = unsigned("timeout", seconds)?;
        }
        if let Some(megabytes) = self.memory_size {
            settings.memory_mb = unsigned("memorySize", megabytes)?;
        }
        if let Some(megabytes) = self.ephemeral_storage {
            settings.tmp_mb = unsigned("ephemeralStorage.size", megabytes)?;
        }
        if let Some(environment) = self.environment {
            settings.environment = environment;
        }
        if let Some(mode) = self.tracing {
            settings.tracing = if mode == "Active" { Tracing::Active } else { Tracing::PassThrough };
        }
        if let Some(apply_on) = self.snap_start {
            settings.snap_start =
                if apply_on == "PublishedVersions" { SnapStart::PublishedVersions } else { SnapStart::None };
        }
        if let Some(logging) = self.logging {
            settings.logging = self::logging(name, logging, settings.logging.format)?;
        }
        if let Some(layers) = self.layers {
            settings.layers = layers;
        }
        if let Some(config) = self.image_config {
            // Empty lists and texts take back what was said, as an empty configuration does.
            settings.image_config = ImageConfig {
                entry_point: config.entry_point.clone().filter(|words| !words.is_empty()),
                command: config.command.clone().filter(|words| !words.is_empty()),
                working_directory: config.working_directory.clone().filter(|path| !path.is_empty()),
            };
        }
        if let Some(dead_letter) = self.dead_letter {
            // An empty one takes it away.
            settings.dead_letter = dead_letter.target_arn.clone().filter(|arn| !arn.is_empty());
        }
        Ok(())
    }
}

/// `LoggingConfig`: what it does not say has its default, but for the format, which stays what it was. The model's constraints have let
/// no other words through.
fn logging(name: &FunctionName, input: &LoggingConfig, before: LogFormat) -> Result<Logging, Fault> {
    let is_json = match &input.log_format {
        Some(format) => format.as_str() == "JSON",
        None => before != LogFormat::Text,
    };
    let application = input.application_log_level.as_ref().and_then(|level| LogLevel::parse(level.as_str()));
    let system = input.system_log_level.as_ref().and_then(|level| LogLevel::parse(level.as_str()));
    Ok(Logging {
        group: input.log_group.clone().unwrap_or_else(|| Logging::group_of(name)),
        format: Logging::format_of(is_json, application, system)?,
    })
}

/// `Architectures` has exactly one.
pub(crate) fn architecture(architectures: &[WireArchitecture]) -> Result<Architecture, Fault> {
    match architectures {
        [one] if one.as_str() == "arm64" => Ok(Architecture::Arm64),
        [one] if one.as_str() == "x86_64" => Ok(Architecture::X86_64),
        other => Err(faults::validation(format!(
            "1 validation error detected: Value '[{}]' at 'architectures' failed to satisfy constraint: Member must satisfy \
             enum value set: [x86_64, arm64]",
            other.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// A member that this node does not serve, and whether the caller uses it.
pub(crate) struct Unserved {
    pub(crate) member: &'static str,
    pub(crate) used: bool,
    pub(crate) instead: &'static str,
}

/// Refuses what would otherwise be dropped in silence.
pub(crate) fn refuse(unserved: &[Unserved]) -> Result<(), Fault> {
    match unserved.iter().find(|member| member.used) {
        Some(Unserved { member, instead, .. }) => {
            Err(faults::invalid(format!("Freehold does not serve {member} of functions yet: {instead}")))
        }
        None => Ok(()),
    }
}

impl Unserved {
    /// What creating and updating refuse alike.
    pub(crate) fn of_update(input: &UpdateFunctionConfigurationRequest) -> [Self; 5] {
        let vpc = input.vpc_config.as_ref().is_some_and(|vpc| {
            vpc.subnet_ids.as_ref().is_some_and(|ids| !ids.is_empty())
                || vpc.security_group_ids.as_ref().is_some_and(|ids| !ids.is_empty())
        });
        [
            Self {
                member: "VpcConfig",
                used: vpc,
                instead: "leave it out; each function has a network of its own, with a way out to the world.",
            },
            Self {
                member: "KMSKeyArn",
                used: input.kms_key_arn.as_ref().is_some_and(|arn| !arn.is_empty()),
                instead: "leave it out; there are no keys to encrypt the environment with.",
            },
            Self {
                member: "FileSystemConfigs",
                used: input.file_system_configs.as_ref().is_some_and(|configs| !configs.is_empty()),
                instead: "there are no shared file systems.",
            },
            Self {
                member: "CapacityProviderConfig",
                used: input.capacity_provider_config.is_some(),
                instead: "all functions run on this machine.",
            },
            Self {
                member: "DurableConfig",
                used: input.durable_config.is_some(),
                instead: "durable executions are not kept here.",
            },
        ]
    }

    /// What creating refuses.
    pub(crate) fn of_create(input: &CreateFunctionRequest) -> Vec<Self> {
        let common = UpdateFunctionConfigurationRequest {
            vpc_config: input.vpc_config.clone(),
            kms_key_arn: input.kms_key_arn.clone(),
            file_system_configs: input.file_system_configs.clone(),
            capacity_provider_config: input.capacity_provider_config.clone(),
            durable_config: input.durable_config.clone(),
            ..UpdateFunctionConfigurationRequest::default()
        };
        let mut all = vec![
            Self {
                member: "CodeSigningConfigArn",
                used: input.code_signing_config_arn.as_ref().is_some_and(|arn| !arn.is_empty()),
                instead: "packages are not signed here.",
            },
            Self {
                member: "TenancyConfig",
                used: input.tenancy_config.is_some(),
                instead: "make one function for each tenant.",
            },
            Self {
                member: "PublishTo",
                used: input.publish_to.is_some(),
                instead: "publish numbered versions with Publish.",
            },
        ];
        all.extend(Self::of_update(&common));
        all
    }
}

/// `AuthType`; the model's constraints have let nothing else through.
pub(crate) fn auth(auth: &wire::lambda::FunctionUrlAuthType) -> AuthType {
    if auth.as_str() == "NONE" { AuthType::None } else { AuthType::AwsIam }
}

/// `InvokeMode`; the model's constraints have let nothing else through.
pub(crate) fn invoke_mode(mode: &wire::lambda::InvokeMode) -> InvokeMode {
    if mode.as_str() == "RESPONSE_STREAM" { InvokeMode::ResponseStream } else { InvokeMode::Buffered }
}

/// `Cors`, checked.
pub(crate) fn cors(cors: WireCors) -> Result<Cors, Fault> {
    let cors = Cors {
        allow_credentials: cors.allow_credentials,
        allow_headers: cors.allow_headers,
        allow_methods: cors.allow_methods,
        allow_origins: cors.allow_origins,
        expose_headers: cors.expose_headers,
        max_age_s: cors.max_age.map(|seconds| unsigned("cors.maxAge", seconds)).transpose()?,
    };
    cors.check()?;
    Ok(cors)
}
