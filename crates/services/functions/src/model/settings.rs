//! How a function runs, and which settings can be.

use std::collections::BTreeMap;

pub use ::compute::{LogFormat, LogLevel};
use contract::Fault;

use crate::faults;
use crate::model::Archive;
use crate::model::event_invoke::check_dead_letter;
use crate::name::FunctionName;

/// Everything about a version that is not its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `nodejs24.x`, `python3.13`, `provided.al2023`; empty for images, as the handler is.
    pub runtime: String,
    /// The role whose credentials the function gets.
    pub role: String,
    /// `index.handler`.
    pub handler: String,
    /// Free text, perhaps empty.
    pub description: String,
    /// How long one invocation may take.
    pub timeout_s: u32,
    /// In MB of 2²⁰ bytes.
    pub memory_mb: u32,
    /// The size of `/tmp`, in MB of 2²⁰ bytes.
    pub tmp_mb: u32,
    /// The user's variables.
    pub environment: BTreeMap<String, String>,
    /// `x86_64` or `arm64`.
    pub architecture: Architecture,
    /// Whether traces are sampled here.
    pub tracing: Tracing,
    /// Kept for the tools that set it: instances start fast enough without snapshots.
    pub snap_start: SnapStart,
    /// Where the log goes, and how.
    pub logging: Logging,
    /// What lies at `/opt`, later ones over earlier ones.
    pub layers: Vec<Layer>,
    /// What counts instead of the image's own words.
    pub image_config: ImageConfig,
    /// Where asynchronous events go that are given up.
    pub dead_letter: Option<String>,
}

/// A layer's version, as a function has it: it stays the function's when the layer's version is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// With its version.
    pub arn: String,
    /// What it is; none for those that need not be here, because what they bring is built in ([`Settings::is_built_in`]).
    pub archive: Option<Archive>,
}

/// `ImageConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// Instead of `ENTRYPOINT`.
    pub entry_point: Option<Vec<String>>,
    /// Instead of `CMD`.
    pub command: Option<Vec<String>>,
    /// Instead of `WORKDIR`.
    pub working_directory: Option<String>,
}

/// The machine that the code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// 64-bit Intel and AMD.
    X86_64,
    /// 64-bit ARM.
    Arm64,
}

/// `TracingConfig`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tracing {
    /// Sample what the caller sampled.
    #[default]
    PassThrough,
    /// Sample here too.
    Active,
}

/// `SnapStart`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SnapStart {
    /// No snapshots.
    #[default]
    None,
    /// Of published versions.
    PublishedVersions,
}

/// `LoggingConfig`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// The log group.
    pub group: String,
    /// Text, or JSON with its levels.
    pub format: LogFormat,
}

impl Architecture {
    /// This machine's.
    pub fn of_machine() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::X86_64 }
    }

    /// As AWS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

impl ImageConfig {
    /// The most words of a list: AWS's limit.
    pub const WORDS_MAX: usize = 1500;
    /// The most bytes of all words together: they are kept beside the function, and each guest is told them.
    pub const BYTES_MAX: usize = 8192;

    fn check(&self) -> Result<(), Fault> {
        let words = || self.entry_point.iter().chain(&self.command).flatten().chain(&self.working_directory);
        let bytes: usize = words().map(|word| word.len() + 1).sum();
        let too_many =
            [&self.entry_point, &self.command].into_iter().flatten().any(|list| list.len() > Self::WORDS_MAX);
        if too_many || bytes > Self::BYTES_MAX {
            return Err(faults::invalid(format!(
                "ImageConfig has {bytes} bytes of words, and there may be {} in lists of at most {}.",
                Self::BYTES_MAX,
                Self::WORDS_MAX
            )));
        }
        if words().any(|word| word.contains('\0')) {
            return Err(faults::invalid("ImageConfig contains a zero byte."));
        }
        match &self.working_directory {
            Some(path) if !path.starts_with('/') => {
                Err(faults::invalid("ImageConfig.WorkingDirectory must be an absolute path."))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Logging {
    /// Text, into the group of the function's name.
    pub fn default_of(name: &FunctionName) -> Self {
        Self { group: Self::group_of(name), format: LogFormat::Text }
    }

    /// `/aws/lambda/NAME`.
    pub fn group_of(name: &FunctionName) -> String {
        format!("/aws/lambda/{name}")
    }

    /// What levels are where none are said.
    pub const LEVEL_DEFAULT: LogLevel = LogLevel::Info;

    /// A format with the levels that were said beside it.
    pub fn format_of(
        is_json: bool,
        application: Option<LogLevel>,
        system: Option<LogLevel>,
    ) -> Result<LogFormat, Fault> {
        match (is_json, application, system) {
            (true, application, system) => Ok(LogFormat::Json {
                application: application.unwrap_or(Self::LEVEL_DEFAULT),
                system: system.unwrap_or(Self::LEVEL_DEFAULT),
            }),
            (false, None, None) => Ok(LogFormat::Text),
            (false, _, _) => Err(faults::invalid(
                "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel from your request or change \
                 the LogFormat to \"Json\" and try again.",
            )),
        }
    }
}

impl Settings {
    /// Seconds, where none are given.
    pub const TIMEOUT_S_DEFAULT: u32 = 3;
    /// The longest time-out.
    pub const TIMEOUT_S_MAX: u32 = 900;
    /// MB, where none are given.
    pub const MEMORY_MB_DEFAULT: u32 = 128;
    /// The most memory.
    pub const MEMORY_MB_MAX: u32 = 10_240;
    /// MB of `/tmp`, where none are given.
    pub const TMP_MB_DEFAULT: u32 = 512;
    /// The most memory that `/tmp` may have.
    pub const TMP_MB_MAX: u32 = 10_240;
    /// The most bytes of environment, counted as the JSON object that they are on the wire.
    pub const ENVIRONMENT_BYTES_MAX: usize = 4096;
    /// The longest role: IAM's own limit. Session tokens carry it, and environments carry them.
    pub const ROLE_BYTES_MAX: usize = 2048;

    /// The most layers, as on AWS.
    pub const LAYERS_MAX: usize = 5;

    /// Whether a layer may be named although there are none here: the Lambda Web Adapter's, published by whomever.
    pub fn is_built_in(layer: &str) -> bool {
        let Some((account, layer)) = layer.split_once(":layer:") else { return false };
        let (name, version) = layer.split_once(':').unwrap_or((layer, ""));
        account.starts_with("arn:aws")
            && ["LambdaAdapterLayerX86", "LambdaAdapterLayerArm64"].contains(&name)
            && version.parse::<u32>().is_ok()
    }

    /// The language and the handler that compute is asked for. An executable beside the Lambda Web Adapter's layer is a web server.
    pub fn program(&self) -> (&str, &str) {
        let is_adapted = self.layers.iter().any(|layer| Self::is_built_in(&layer.arn));
        match is_adapted && self.runtime.starts_with("provided") {
            true => ("http", "bootstrap"),
            false => (&self.runtime, &self.handler),
        }
    }

    /// Whether it is a web server, which takes requests as they are.
    pub fn is_server(&self) -> bool {
        ::compute::is_server(self.program().0, &self.environment)
    }

    /// Checks what the model's constraints do not say.
    pub fn check(&self) -> Result<(), Fault> {
        check_handler(&self.handler)?;
        self.check_architecture(self.runtime.starts_with("provided").then_some("bootstrap"))?;
        self.check_common()
    }

    /// The same of a function that is a container image, which has neither runtime nor handler.
    pub fn check_as_image(&self) -> Result<(), Fault> {
        self.check_architecture(Some("container image"))?;
        self.image_config.check()?;
        self.check_common()
    }

    fn check_common(&self) -> Result<(), Fault> {
        within("timeout", self.timeout_s, 1, Self::TIMEOUT_S_MAX)?;
        within("memorySize", self.memory_mb, Self::MEMORY_MB_DEFAULT, Self::MEMORY_MB_MAX)?;
        within("ephemeralStorage.size", self.tmp_mb, Self::TMP_MB_DEFAULT, Self::TMP_MB_MAX)?;
        check_role(&self.role)?;
        check_watchdog(&self.runtime, &self.environment)?;
        check_environment(&self.environment)?;
        ::compute::network_of(&self.environment).map_err(|unknown| faults::invalid(format!("{unknown}.")))?;
        ::compute::reuse_of(&self.environment).map_err(|unknown| faults::invalid(format!("{unknown}.")))?;
        check_layers(&self.layers)?;
        self.dead_letter.as_deref().map_or(Ok(()), check_dead_letter)
    }

    /// Interpreted code runs on either machine, so an `arm64` setting that came along with a template is kept and harmless.
    /// What is compiled for another machine can only fail, and later, so it is refused here.
    fn check_architecture(&self, compiled: Option<&str>) -> Result<(), Fault> {
        let machine = Architecture::of_machine();
        if let Some(compiled) = compiled.filter(|_| self.architecture != machine) {
            return Err(faults::invalid(format!(
                "This machine is {}, so a {} {compiled} cannot run on it; build it for {0} and say so in Architectures.",
                machine.name(),
                self.architecture.name()
            )));
        }
        Ok(())
    }
}

fn within(member: &str, value: u32, least: u32, most: u32) -> Result<(), Fault> {
    let wrong = |relation: &str, limit| {
        Err(faults::validation(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must have \
             value {relation} than or equal to {limit}"
        )))
    };
    match value {
        value if value < least => wrong("greater", least),
        value if value > most => wrong("less", most),
        _ => Ok(()),
    }
}

/// What is too long is not repeated in the message.
fn check_role(role: &str) -> Result<(), Fault> {
    match role.len() {
        0..=Settings::ROLE_BYTES_MAX => Ok(()),
        bytes => Err(faults::validation(format!(
            "1 validation error detected: Value of {bytes} bytes at 'role' failed to satisfy constraint: Member must have \
             length less than or equal to {}",
            Settings::ROLE_BYTES_MAX
        ))),
    }
}

fn check_handler(handler: &str) -> Result<(), Fault> {
    if handler.is_empty() || handler.len() > 128 || handler.contains(char::is_whitespace) {
        return Err(faults::validation(format!(
            "1 validation error detected: Value '{handler}' at 'handler' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [^\\s]+"
        )));
    }
    Ok(())
}

fn check_layers(layers: &[Layer]) -> Result<(), Fault> {
    match layers.len() {
        0..=Settings::LAYERS_MAX => Ok(()),
        _ => Err(faults::invalid(format!("Cannot reference more than {} layers.", Settings::LAYERS_MAX))),
    }
}

/// Variables that the platform itself sets.
const RESERVED: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

fn check_environment(environment: &BTreeMap<String, String>) -> Result<(), Fault> {
    let reserved: Vec<&str> = environment.keys().map(String::as_str).filter(|key| RESERVED.contains(key)).collect();
    if !reserved.is_empty() {
        return Err(faults::invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have provided \
             contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let measured = serde_json::to_string(environment).expect("text always is JSON");
    if measured.len() > Settings::ENVIRONMENT_BYTES_MAX {
        // AWS repeats all of it; a request may carry megabytes, so here it is as much as would have been taken.
        let shown = &measured[..measured.floor_char_boundary(Settings::ENVIRONMENT_BYTES_MAX)];
        return Err(faults::invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have provided \
             exceeded the 4KB limit. String measured: {shown}"
        )));
    }
    if let Some((key, _)) = environment.iter().find(|(_, value)| value.contains('\0')) {
        return Err(faults::invalid(format!("The value of the environment variable {key} contains a zero byte.")));
    }
    Ok(())
}

/// What was made for OpenFaaS's watchdog runs if it is a server; elsewise the watchdog itself would have to start it for each call.
fn check_watchdog(runtime: &str, environment: &BTreeMap<String, String>) -> Result<(), Fault> {
    let mode = environment.get("mode").map(String::as_str);
    match environment.get("fprocess") {
        Some(_) if runtime == "http" && mode != Some("http") => Err(faults::invalid(
            "The variable fprocess is for OpenFaaS's watchdog, which is not here: a function of the runtime http is the server itself. \
             Name its program as the handler, and where it listens in upstream_url, with mode=http; a program that reads one request \
             and prints one answer can be a bootstrap of provided.al2023.",
        )),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Settings that pass every check.
    pub(crate) fn good() -> Settings {
        let name = FunctionName::parse("greet").expect("it is well-formed");
        Settings {
            runtime: "nodejs22.x".into(),
            role: "arn:aws:iam::000000000000:role/any".into(),
            handler: "index.handler".into(),
            description: String::new(),
            timeout_s: Settings::TIMEOUT_S_DEFAULT,
            memory_mb: Settings::MEMORY_MB_DEFAULT,
            tmp_mb: Settings::TMP_MB_DEFAULT,
            environment: BTreeMap::new(),
            architecture: Architecture::of_machine(),
            tracing: Tracing::PassThrough,
            snap_start: SnapStart::None,
            logging: Logging::default_of(&name),
            layers: Vec::new(),
            image_config: ImageConfig::default(),
            dead_letter: None,
        }
    }

    #[test]
    fn the_web_adapters_layer_is_built_in() {
        for (layer, expected) in [
            ("arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:25", true),
            ("arn:aws-cn:lambda:cn-north-1:041581134020:layer:LambdaAdapterLayerArm64:25", true),
            ("arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86", false),
            ("arn:aws:lambda:us-east-1:753240598075:layer:Other:25", false),
            ("LambdaAdapterLayerX86:25", false),
        ] {
            assert_eq!(Settings::is_built_in(layer), expected, "{layer}");
        }
        let built_in = |arn: &str| Layer { arn: arn.to_owned(), archive: None };
        let adapter = vec![built_in("arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:25")];
        let mut settings = Settings { layers: adapter, ..good() };
        assert_eq!((settings.program(), settings.is_server()), (("nodejs22.x", "index.handler"), false));
        settings.environment.insert("AWS_LAMBDA_EXEC_WRAPPER".into(), "/opt/bootstrap".into());
        assert!(settings.is_server());
        settings.runtime = "provided.al2023".into();
        settings.environment.clear();
        assert_eq!((settings.program(), settings.is_server()), (("http", "bootstrap"), true));
        check(|s| s.layers = vec![built_in(""); 6], Some("Cannot reference more than 5 layers."));
    }

    fn check(change: impl FnOnce(&mut Settings), expected: Option<&str>) {
        let mut settings = good();
        change(&mut settings);
        let message = settings.check().err().map(|fault| fault.message);
        match (message.as_deref(), expected) {
            (None, None) => {}
            (Some(message), Some(expected)) => assert!(message.contains(expected), "{message} has no {expected}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn limits_hold_at_both_ends() {
        check(|_| {}, None);
        check(|s| s.timeout_s = 900, None);
        check(
            |s| s.timeout_s = 901,
            Some(
                "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have \
                 value less than or equal to 900",
            ),
        );
        check(|s| s.timeout_s = 0, Some("at 'timeout' failed to satisfy constraint: Member must have value greater"));
        check(|s| s.memory_mb = 10_240, None);
        check(|s| s.memory_mb = 10_241, Some("Value '10241' at 'memorySize'"));
        check(|s| s.memory_mb = 127, Some("greater than or equal to 128"));
        check(|s| s.tmp_mb = 511, Some("'ephemeralStorage.size'"));
        check(|s| s.role = format!("arn:aws:iam::000000000000:role/{}", "r".repeat(2017)), None);
        check(
            |s| s.role = format!("arn:aws:iam::000000000000:role/{}", "r".repeat(2018)),
            Some(
                "Value of 2049 bytes at 'role' failed to satisfy constraint: Member must have length less than or equal",
            ),
        );
        check(|s| s.handler = "a b".into(), Some("at 'handler'"));
        check(|s| s.handler = String::new(), Some("at 'handler'"));
    }

    #[test]
    fn levels_are_for_json() {
        use LogLevel::{Debug, Info, Warn};
        for (is_json, application, system, expected) in [
            (false, None, None, Ok(LogFormat::Text)),
            (true, None, None, Ok(LogFormat::Json { application: Info, system: Info })),
            (true, Some(Debug), Some(Warn), Ok(LogFormat::Json { application: Debug, system: Warn })),
            (false, Some(Debug), None, Err("InvalidParameterValueException")),
            (false, None, Some(Info), Err("InvalidParameterValueException")),
        ] {
            let found = Logging::format_of(is_json, application, system);
            assert_eq!(found.map_err(|fault| fault.code), expected.map_err(Into::into), "{application:?} {system:?}");
        }
    }

    #[test]
    fn an_environment_is_bounded_and_leaves_the_platforms_names_alone() {
        // {"KEY":"…"} is ten bytes more than the value.
        check(|s| drop(s.environment.insert("KEY".into(), "x".repeat(4096 - 10))), None);
        check(|s| drop(s.environment.insert("KEY".into(), "x".repeat(4096 - 9))), Some("exceeded the 4KB limit"));
        check(
            |s| drop(s.environment.insert("AWS_REGION".into(), "x".into())),
            Some("Reserved keys used in this request: AWS_REGION"),
        );
        check(|s| drop(s.environment.insert("KEY".into(), "a\0b".into())), Some("zero byte"));
        check(|s| drop(s.environment.insert("FREEHOLD_NETWORK".into(), "platform".into())), None);
        check(
            |s| drop(s.environment.insert("FREEHOLD_NETWORK".into(), "some".into())),
            Some("FREEHOLD_NETWORK is \"some\", and can be full, platform or none."),
        );
        check(|s| drop(s.environment.insert("FREEHOLD_REUSE".into(), "1000000".into())), None);
        for word in ["0", "many", "", "1000001", "-1"] {
            let refusal = format!("FREEHOLD_REUSE is {word:?}, and can be a number from 1 to 1000000.");
            check(|s| drop(s.environment.insert("FREEHOLD_REUSE".into(), word.into())), Some(&refusal));
        }
        let mut large = good();
        large.environment.insert("KEY".into(), "€".repeat(1 << 20));
        let message = large.check().expect_err("it is too large").message;
        assert!(message.len() < 2 * Settings::ENVIRONMENT_BYTES_MAX, "{} bytes", message.len());
    }

    #[test]
    fn what_is_made_for_a_watchdog_must_be_a_server() {
        for (runtime, variables, refused) in [
            ("http", &[("fprocess", "node index.js"), ("mode", "http")][..], false),
            ("http", &[("fprocess", "cat")], true),
            ("http", &[("fprocess", "cat"), ("mode", "streaming")], true),
            ("nodejs22.x", &[("fprocess", "cat")], false),
        ] {
            let environment = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let change = |s: &mut Settings| (s.runtime, s.environment) = (runtime.into(), environment);
            check(change, refused.then_some("fprocess is for OpenFaaS's watchdog"));
        }
    }

    #[test]
    fn only_machine_code_is_bound_to_the_machine() {
        let other = match Architecture::of_machine() {
            Architecture::X86_64 => Architecture::Arm64,
            Architecture::Arm64 => Architecture::X86_64,
        };
        check(|s| s.architecture = other, None);
        check(
            |s| {
                s.runtime = "provided.al2023".into();
                s.architecture = other;
            },
            Some("bootstrap cannot run on it"),
        );
    }
}
