//! What lies on disk. Written by this program's version; older versions are brought up by `migrate` when there are any.
//! Fields are never reused for another meaning.

mod policy;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::{BlobId, Error, Record};
use uuid::Uuid;

use crate::model::alias::{Routing, Target};
use crate::model::settings::{Architecture, ImageConfig, Layer, LogFormat, LogLevel, Logging, SnapStart, Tracing};
use crate::model::url::{AuthType, Cors, InvokeMode};
use crate::model::{self, Archive, Code, Live, Pinned, Recursion, RuntimeUpdate};
pub(crate) use policy::Policy;

macro_rules! record {
    ($type:ty, $kind:literal) => {
        impl Record for $type {
            const KIND: &'static str = $kind;
            const VERSION: u16 = 1;
        }
    };
}

record!(Function, "lambda-function");
record!(Version, "lambda-version");
record!(Alias, "lambda-alias");
record!(Url, "lambda-url");
record!(EventInvoke, "lambda-event-invoke");
record!(Provision, "lambda-provision");

/// A function and its `$LATEST`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Function {
    id: Uuid,
    latest: Version,
    version_next: u64,
    tags: BTreeMap<String, String>,
    concurrency_reserved: Option<u32>,
    recursion: RecursionWord,
}

/// One version.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    code: BlobId,
    code_bytes: u64,
    content: u64,
    revision: Uuid,
    modified_ms: i64,
    runtime_update: RuntimeUpdateWord,
    runtime: String,
    role: String,
    handler: String,
    description: String,
    timeout_s: u32,
    memory_mb: u32,
    tmp_mb: u32,
    environment: BTreeMap<String, String>,
    architecture: ArchitectureWord,
    tracing: TracingWord,
    snap_start: SnapStartWord,
    log_group: String,
    log_format: LogFormatWord,
    log_level_application: Option<String>,
    log_level_system: Option<String>,
    /// Left out where there are none, as it was before there could be any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    layers: Vec<LayerFields>,
    /// Left out where the code is an archive; `code` and `code_bytes` are the image's digest and nothing then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<ImageFields>,
    /// The folder that the code follows, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead_letter: Option<String>,
}

/// A layer: by its ARN alone where what it brings is built in.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum LayerFields {
    BuiltIn(String),
    Archive { arn: String, archive: BlobId, bytes: u64 },
}

/// A container image, and what was said over its own words.
#[derive(Debug, Serialize, Deserialize)]
struct ImageFields {
    uri: String,
    source: String,
    /// Hexadecimal digits.
    layers: Vec<String>,
    entrypoint: Vec<String>,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    directory: Option<String>,
    adapted: bool,
    entry_point_instead: Option<Vec<String>>,
    command_instead: Option<Vec<String>>,
    directory_instead: Option<String>,
}

/// An alias.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Alias {
    /// None is `$LATEST`.
    version: Option<u64>,
    second: Option<Second>,
    description: String,
    revision: Uuid,
}

#[derive(Debug, Serialize, Deserialize)]
struct Second {
    version: u64,
    weight: f64,
}

/// A function URL.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Url {
    id: String,
    auth: AuthWord,
    cors: Option<CorsFields>,
    mode: ModeWord,
    created_ms: i64,
    modified_ms: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct CorsFields {
    allow_credentials: Option<bool>,
    allow_headers: Option<Vec<String>>,
    allow_methods: Option<Vec<String>>,
    allow_origins: Option<Vec<String>>,
    expose_headers: Option<Vec<String>>,
    max_age_s: Option<u32>,
}

/// What becomes of asynchronous invocations.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EventInvoke {
    retries_max: Option<u32>,
    age_max_s: Option<u32>,
    on_success: Option<String>,
    on_failure: Option<String>,
    modified_ms: i64,
}

impl From<&model::EventInvoke> for EventInvoke {
    fn from(config: &model::EventInvoke) -> Self {
        let model::EventInvoke { retries_max, age_max_s, on_success, on_failure, modified_ms } = config.clone();
        Self { retries_max, age_max_s, on_success, on_failure, modified_ms }
    }
}

impl From<EventInvoke> for model::EventInvoke {
    fn from(record: EventInvoke) -> Self {
        let EventInvoke { retries_max, age_max_s, on_success, on_failure, modified_ms } = record;
        Self { retries_max, age_max_s, on_success, on_failure, modified_ms }
    }
}

/// What is provisioned.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Provision {
    wanted: u32,
    modified_ms: i64,
}

impl From<&model::Provision> for Provision {
    fn from(provision: &model::Provision) -> Self {
        let model::Provision { wanted, modified_ms } = *provision;
        Self { wanted, modified_ms }
    }
}

impl From<Provision> for model::Provision {
    fn from(record: Provision) -> Self {
        let Provision { wanted, modified_ms } = record;
        Self { wanted, modified_ms }
    }
}

/// An enum of the model as a word on disk: named on both sides, so that renaming a variant cannot change what is stored.
macro_rules! words {
    ($($record:ident is $model:ty { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        #[derive(Clone, Copy, Debug, Serialize, Deserialize)]
        enum $record {
            $(#[serde(rename = $word)] $variant,)*
        }

        impl From<$model> for $record {
            fn from(model: $model) -> Self {
                match model {
                    $(<$model>::$variant => Self::$variant,)*
                }
            }
        }

        impl From<$record> for $model {
            fn from(record: $record) -> Self {
                match record {
                    $($record::$variant => Self::$variant,)*
                }
            }
        }
    )*};
}

words! {
    RecursionWord is Recursion { Allow = "allow", Terminate = "terminate" }
    RuntimeUpdateWord is RuntimeUpdate { Auto = "auto", FunctionUpdate = "function-update" }
    ArchitectureWord is Architecture { X86_64 = "x86_64", Arm64 = "arm64" }
    TracingWord is Tracing { PassThrough = "pass-through", Active = "active" }
    SnapStartWord is SnapStart { None = "none", PublishedVersions = "published-versions" }
    AuthWord is AuthType { None = "none", AwsIam = "aws-iam" }
    ModeWord is InvokeMode { Buffered = "buffered", ResponseStream = "response-stream" }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LogFormatWord {
    Text,
    Json,
}

impl From<&model::Function> for Function {
    fn from(function: &model::Function) -> Self {
        Self {
            id: function.id,
            latest: Version::from(&function.latest),
            version_next: function.version_next,
            tags: function.tags.clone(),
            concurrency_reserved: function.concurrency_reserved,
            recursion: function.recursion.into(),
        }
    }
}

impl TryFrom<Function> for model::Function {
    type Error = Error;

    fn try_from(record: Function) -> Result<Self, Error> {
        if record.version_next == 0 {
            return Err(Error::Record { kind: Function::KIND, why: "versions begin at 1".into() });
        }
        Ok(Self {
            id: record.id,
            latest: record.latest.try_into()?,
            version_next: record.version_next,
            tags: record.tags,
            concurrency_reserved: record.concurrency_reserved,
            recursion: record.recursion.into(),
        })
    }
}

impl From<&model::Version> for Version {
    fn from(version: &model::Version) -> Self {
        let settings = version.settings.clone();
        let name = |level: LogLevel| Some(level.name().to_owned());
        let (log_format, log_level_application, log_level_system) = match settings.logging.format {
            LogFormat::Text => (LogFormatWord::Text, None, None),
            LogFormat::Json { application, system } => (LogFormatWord::Json, name(application), name(system)),
        };
        Self {
            code: BlobId::from(match &version.code {
                Code::Zip(archive) | Code::Live(Live { archive, .. }) => archive.sha256,
                Code::Image(pinned) => sha256(&pinned.container.digest),
            }),
            code_bytes: version.code.bytes(),
            folder: version.code.folder().map(|folder| folder.to_string()),
            image: version.code.image().map(|pinned| ImageFields::new(pinned, &version.settings.image_config)),
            content: version.content,
            revision: version.revision,
            modified_ms: version.modified_ms,
            runtime_update: version.runtime_update.into(),
            runtime: settings.runtime,
            role: settings.role,
            handler: settings.handler,
            description: settings.description,
            timeout_s: settings.timeout_s,
            memory_mb: settings.memory_mb,
            tmp_mb: settings.tmp_mb,
            environment: settings.environment,
            architecture: settings.architecture.into(),
            tracing: settings.tracing.into(),
            snap_start: settings.snap_start.into(),
            log_group: settings.logging.group,
            log_format,
            log_level_application,
            log_level_system,
            layers: settings.layers.into_iter().map(LayerFields::from).collect(),
            dead_letter: settings.dead_letter,
        }
    }
}

impl TryFrom<Version> for model::Version {
    type Error = Error;

    fn try_from(record: Version) -> Result<Self, Error> {
        if record.timeout_s == 0 || record.memory_mb == 0 {
            return Err(Error::Record { kind: Version::KIND, why: "it has no time or no memory".into() });
        }
        // A level that this binary does not know is the default: logs are worth less than functions that run.
        let level = |name: Option<String>| name.as_deref().and_then(LogLevel::parse).unwrap_or(Logging::LEVEL_DEFAULT);
        let format = match record.log_format {
            LogFormatWord::Text => LogFormat::Text,
            LogFormatWord::Json => LogFormat::Json {
                application: level(record.log_level_application),
                system: level(record.log_level_system),
            },
        };
        let logging = Logging { group: record.log_group, format };
        let settings = model::Settings {
            runtime: record.runtime,
            role: record.role,
            handler: record.handler,
            description: record.description,
            timeout_s: record.timeout_s,
            memory_mb: record.memory_mb,
            tmp_mb: record.tmp_mb,
            environment: record.environment,
            architecture: record.architecture.into(),
            tracing: record.tracing.into(),
            snap_start: record.snap_start.into(),
            logging,
            layers: record.layers.into_iter().map(Layer::from).collect(),
            image_config: record.image.as_ref().map(ImageFields::config).unwrap_or_default(),
            dead_letter: record.dead_letter,
        };
        let sha256 = *record.code.sha256();
        Ok(Self {
            code: match (record.image, record.folder) {
                (None, None) => Code::Zip(Archive { sha256, bytes: record.code_bytes }),
                (None, Some(folder)) => {
                    Code::Live(Live { folder: folder.into(), archive: Archive { sha256, bytes: record.code_bytes } })
                }
                (Some(image), _) => Code::Image(image.pinned(sha256)?),
            },
            settings,
            content: record.content,
            revision: record.revision,
            modified_ms: record.modified_ms,
            runtime_update: record.runtime_update.into(),
        })
    }
}

impl From<Layer> for LayerFields {
    fn from(layer: Layer) -> Self {
        match layer.archive {
            None => Self::BuiltIn(layer.arn),
            Some(archive) => Self::Archive { arn: layer.arn, archive: archive.sha256.into(), bytes: archive.bytes },
        }
    }
}

impl From<LayerFields> for Layer {
    fn from(record: LayerFields) -> Self {
        match record {
            LayerFields::BuiltIn(arn) => Self { arn, archive: None },
            LayerFields::Archive { arn, archive, bytes } => {
                Self { arn, archive: Some(Archive { sha256: *archive.sha256(), bytes }) }
            }
        }
    }
}

impl ImageFields {
    fn new(pinned: &Pinned, config: &ImageConfig) -> Self {
        let container = (*pinned.container).clone();
        Self {
            uri: pinned.uri.clone(),
            source: container.source,
            layers: container.layers.iter().map(ToString::to_string).collect(),
            entrypoint: container.entrypoint,
            command: container.command,
            environment: container.environment,
            directory: container.directory,
            adapted: container.adapted,
            entry_point_instead: config.entry_point.clone(),
            command_instead: config.command.clone(),
            directory_instead: config.working_directory.clone(),
        }
    }

    fn config(&self) -> ImageConfig {
        ImageConfig {
            entry_point: self.entry_point_instead.clone(),
            command: self.command_instead.clone(),
            working_directory: self.directory_instead.clone(),
        }
    }

    fn pinned(self, digest: [u8; 32]) -> Result<Pinned, Error> {
        let id = |text: &str| {
            let wrong = || Error::Record { kind: Version::KIND, why: "a digest has 64 hexadecimal digits".into() };
            compute::CodeId::from_hex(text).ok_or_else(wrong)
        };
        let container = compute::Container {
            digest: id(&hex::encode(digest))?,
            source: self.source,
            layers: self.layers.iter().map(|layer| id(layer)).collect::<Result<_, _>>()?,
            entrypoint: self.entrypoint,
            command: self.command,
            environment: self.environment,
            directory: self.directory,
            adapted: self.adapted,
        };
        Ok(Pinned { uri: self.uri, container: Arc::new(container) })
    }
}

fn sha256(id: &compute::CodeId) -> [u8; 32] {
    let mut bytes = [0; 32];
    hex::decode_to_slice(id.as_str(), &mut bytes).expect("a code id has 64 hexadecimal digits");
    bytes
}

impl From<&model::Alias> for Alias {
    fn from(alias: &model::Alias) -> Self {
        Self {
            version: match alias.target {
                Target::Latest => None,
                Target::Version(number) => Some(number),
            },
            second: alias.routing.map(|routing| Second { version: routing.version, weight: routing.weight }),
            description: alias.description.clone(),
            revision: alias.revision,
        }
    }
}

impl From<Alias> for model::Alias {
    fn from(record: Alias) -> Self {
        Self {
            target: record.version.map_or(Target::Latest, Target::Version),
            routing: record.second.map(|second| Routing { version: second.version, weight: second.weight }),
            description: record.description,
            revision: record.revision,
        }
    }
}

impl From<&model::UrlConfig> for Url {
    fn from(url: &model::UrlConfig) -> Self {
        Self {
            id: url.id.clone(),
            auth: url.auth.into(),
            cors: url.cors.clone().map(|cors| CorsFields {
                allow_credentials: cors.allow_credentials,
                allow_headers: cors.allow_headers,
                allow_methods: cors.allow_methods,
                allow_origins: cors.allow_origins,
                expose_headers: cors.expose_headers,
                max_age_s: cors.max_age_s,
            }),
            mode: url.mode.into(),
            created_ms: url.created_ms,
            modified_ms: url.modified_ms,
        }
    }
}

impl From<Url> for model::UrlConfig {
    fn from(record: Url) -> Self {
        Self {
            id: record.id,
            auth: record.auth.into(),
            cors: record.cors.map(|cors| Cors {
                allow_credentials: cors.allow_credentials,
                allow_headers: cors.allow_headers,
                allow_methods: cors.allow_methods,
                allow_origins: cors.allow_origins,
                expose_headers: cors.expose_headers,
                max_age_s: cors.max_age_s,
            }),
            mode: record.mode.into(),
            created_ms: record.created_ms,
            modified_ms: record.modified_ms,
        }
    }
}
