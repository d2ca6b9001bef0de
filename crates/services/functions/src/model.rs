//! Working types: what a function is while it is in memory. Neither wire shapes nor records; decisions on them are pure and
//! lie in the rooms below.

pub mod alias;
pub mod event_invoke;
pub mod layer;
pub mod mapping;
pub mod package;
pub mod permission;
pub mod provision;
pub mod settings;
pub mod tags;
pub mod url;

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

pub use alias::Alias;
pub use event_invoke::EventInvoke;
pub use permission::{Policy, Statement};
pub use provision::Provision;
pub use settings::Settings;
pub use url::UrlConfig;

/// A function: what is its own and not one version's.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Which creation this is: a function that is deleted and made again is another one under the same name.
    pub id: Uuid,
    /// The version that can be changed.
    pub latest: Version,
    /// The number that the next published version gets. Numbers are never given twice, not even after deletion.
    pub version_next: u64,
    /// By key.
    pub tags: BTreeMap<String, String>,
    /// The most invocations at a time, if the function has a number of its own.
    pub concurrency_reserved: Option<u32>,
    /// What becomes of loops.
    pub recursion: Recursion,
}

/// One version: code and settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// What it runs.
    pub code: Code,
    /// How it runs.
    pub settings: Settings,
    /// Counts the changes of code and settings of `$LATEST`; a published version keeps the count that it was made at.
    pub content: u64,
    /// AWS's `RevisionId`: a new one with every change, also of the version's resource policy.
    pub revision: Uuid,
    /// When code or settings last changed, in milliseconds since the epoch.
    pub modified_ms: i64,
    /// When managed runtimes are renewed.
    pub runtime_update: RuntimeUpdate,
}

/// What a version is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// `PackageType` Zip.
    Zip(Archive),
    /// `PackageType` Zip, of a folder of this machine that people edit.
    Live(Live),
    /// `PackageType` Image.
    Image(Pinned),
}

/// A folder of this machine, and what was in it when it was last looked at. Versions are of what was in it, and not of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The folder, with all links on the way to it resolved.
    pub folder: Arc<str>,
    /// What was in it.
    pub archive: Archive,
}

/// A zip archive that is in the node's blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The SHA-256 of the archive: the blob's name.
    pub sha256: [u8; 32],
    /// The archive's length.
    pub bytes: u64,
}

/// A container image as it was when the function was made or updated. Whatever becomes of its tag, this is what runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// `ImageUri`, as the caller wrote it.
    pub uri: String,
    /// What it was.
    pub container: Arc<compute::Container>,
}

/// What becomes of a function that ends up calling itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recursion {
    /// Nothing is done, beyond the hop limit that every call has.
    Allow,
    /// AWS's default.
    #[default]
    Terminate,
}

/// When a managed runtime is renewed. An owned cloud renews its interpreters with the machine; the setting is kept for tools
/// that manage it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuntimeUpdate {
    /// AWS's default.
    #[default]
    Auto,
    /// Whenever the function is updated.
    FunctionUpdate,
}

impl Function {
    /// Takes code and settings as the new `$LATEST`. True if that changed anything.
    pub fn update(&mut self, code: Code, settings: Settings, now_ms: i64, revision: Uuid) -> bool {
        let latest = &mut self.latest;
        let changed = latest.code != code || latest.settings != settings;
        if changed {
            latest.content += 1;
            latest.code = code;
            latest.settings = settings;
        }
        latest.modified_ms = now_ms;
        latest.revision = revision;
        changed
    }

    /// Freezes `$LATEST` as the next version.
    pub fn publish(&mut self, description: Option<String>, now_ms: i64, revision: Uuid) -> (u64, Version) {
        let number = self.version_next;
        self.version_next += 1;
        let mut version = Version { revision, modified_ms: now_ms, ..self.latest.clone() };
        if let Code::Live(live) = version.code {
            version.code = Code::Zip(live.archive);
        }
        if let Some(description) = description {
            version.settings.description = description;
        }
        (number, version)
    }
}

impl Code {
    /// `CodeSha256` as AWS writes it: in base64 of an archive, in hexadecimal digits of an image.
    pub fn sha256(&self) -> String {
        match self {
            Self::Zip(archive) | Self::Live(Live { archive, .. }) => archive.sha256_base64(),
            Self::Image(pinned) => pinned.container.digest.to_string(),
        }
    }

    /// `CodeSize`: as on AWS, an image has none.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Zip(archive) | Self::Live(Live { archive, .. }) => archive.bytes,
            Self::Image(_) => 0,
        }
    }

    /// What compute calls it.
    pub fn id(&self) -> compute::CodeId {
        match self {
            Self::Zip(archive) | Self::Live(Live { archive, .. }) => archive.id(),
            Self::Image(pinned) => pinned.container.digest.clone(),
        }
    }

    /// The archive, if it is one.
    pub fn archive(&self) -> Option<&Archive> {
        match self {
            Self::Zip(archive) | Self::Live(Live { archive, .. }) => Some(archive),
            Self::Image(_) => None,
        }
    }

    /// The folder that it follows, if it does.
    pub fn folder(&self) -> Option<&Arc<str>> {
        match self {
            Self::Live(live) => Some(&live.folder),
            Self::Zip(_) | Self::Image(_) => None,
        }
    }

    /// The image, if it is one.
    pub fn image(&self) -> Option<&Pinned> {
        match self {
            Self::Zip(_) | Self::Live(_) => None,
            Self::Image(pinned) => Some(pinned),
        }
    }
}

impl Archive {
    /// The hash as AWS writes it.
    pub fn sha256_base64(&self) -> String {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(self.sha256)
    }

    /// What compute calls it.
    pub fn id(&self) -> compute::CodeId {
        compute::CodeId::from_hex(&self.sha256_hex()).expect("a SHA-256 in hexadecimal digits is a code id")
    }

    /// The hash in hexadecimal digits: its key in the code store.
    pub fn sha256_hex(&self) -> String {
        hex::encode(self.sha256)
    }
}

impl Pinned {
    /// `ResolvedImageUri`: the same image by its digest.
    pub fn resolved(&self) -> String {
        let Self { container, .. } = self;
        match container.source.contains('@') {
            true => container.source.clone(),
            false => format!("{}@sha256:{}", container.source, container.digest),
        }
    }

    /// The image with what `ImageConfig` says in the place of its own words.
    pub fn configured(&self, settings: &Settings) -> compute::Container {
        let config = &settings.image_config;
        let mut container = (*self.container).clone();
        if let Some(entry_point) = &config.entry_point {
            container.entrypoint.clone_from(entry_point);
        }
        if let Some(command) = &config.command {
            container.command.clone_from(command);
        }
        if let Some(directory) = &config.working_directory {
            container.directory = Some(directory.clone());
        }
        container
    }
}

impl Version {
    /// Every archive that must be kept for it.
    pub fn archives(&self) -> impl Iterator<Item = &Archive> {
        self.code.archive().into_iter().chain(self.settings.layers.iter().filter_map(|layer| layer.archive.as_ref()))
    }

    /// The environment: what the image says, and what the function says over that.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let image = self.code.image().map(|pinned| pinned.container.environment.clone()).unwrap_or_default();
        image.into_iter().chain(self.settings.environment.clone()).collect()
    }

    /// Whether it is a web server, which takes requests as they are.
    pub fn is_server(&self) -> bool {
        match self.code.image() {
            Some(pinned) => pinned.container.adapted || ::compute::is_server("provided", &self.environment()),
            None => self.settings.is_server(),
        }
    }
}
