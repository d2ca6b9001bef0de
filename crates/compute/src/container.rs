//! Container images as functions' code: pinned by their digest, unpacked once into folders that all instances share, and never written.
//!
//! What a function keeps of an image is a [`Container`]: what it was when it was pinned, and how it wants to be run. Its layers are in a
//! folder of their own (`oci::Layers`), content-addressed, on the disk for good, and laid together into one folder that is its
//! instances' root. Nothing is made before the first image is asked for.
//!
//! Images are hostile: what is in them was checked while it was unpacked, and nothing here follows a link of theirs ([`inside`]).

mod error;
mod inside;
mod program;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::{Clock, Random};
use oci::{Credentials, Digest, Kept, Layers, LoadOptions, Reference, Source};

pub use error::ContainerError;
pub(crate) use inside::{extensions, extensions_of_image, is_file};
pub(crate) use program::{PATH, command, directory};

use crate::CodeId;

/// The most bytes of an image's own words on how to run it: they are kept beside each function, and every guest is told them.
const WORDS_BYTES_MAX: usize = 16 << 10;
/// What the names of images begin with that lie in a bucket.
const IN_A_BUCKET: &str = "s3://";
/// Images that were asked for in this time are not swept: their function may not be recorded yet.
const SWEEP_AGE: Duration = Duration::from_secs(900);
/// Where images have the Lambda Web Adapter, if they have it.
const ADAPTER: &str = "/opt/extensions/lambda-adapter";

/// A container image, as it was when it was pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// What it is, for ever: the SHA-256 of its manifest, or of its configuration where it came from an archive without manifests.
    pub digest: CodeId,
    /// Where the same image is to be had again: by its digest in a registry, or the path or the place in a bucket that it came from.
    pub source: String,
    /// Its layers by the SHA-256 of their content, the lowest first.
    pub layers: Vec<CodeId>,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// More arguments; or the program and its arguments, where there is no entry point.
    pub command: Vec<String>,
    /// Its environment, each name once.
    pub environment: Vec<(String, String)>,
    /// The working directory.
    pub directory: Option<String>,
    /// Whether it brings the Lambda Web Adapter, which says that it is a web server. What the adapter does is built in.
    pub adapted: bool,
}

/// Which images may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of registries elsewhere.
    Elsewhere,
    /// Those of this machine too: its files and its own registries. For callers who may read all that the node may.
    Everywhere,
}

/// All images of a node.
#[derive(Debug)]
pub(crate) struct Containers {
    dir: PathBuf,
    clock: Clock,
    random: Random,
    /// Who asks registries: what `docker login` and its like wrote down for the node's user.
    logins: Option<PathBuf>,
    layers: Mutex<Option<Layers>>,
    /// By the image's layers.
    ready: Mutex<HashMap<Vec<CodeId>, Ready>>,
}

/// An archive of images that comes piece by piece, out of a bucket. Dropped, it is gone.
#[derive(Debug)]
pub struct ImageArchive {
    containers: Arc<Containers>,
    text: String,
    receiving: oci::Receiving,
}

impl ImageArchive {
    /// Takes the next bytes.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), ContainerError> {
        self.receiving.write(piece).await.map_err(|error| ContainerError::of(&self.text, error))
    }

    /// Pins the image in it, or the one of that name: it can be run when this returns, and the archive is gone.
    pub async fn pin(self, image: Option<&str>) -> Result<Container, ContainerError> {
        let Self { containers, text, receiving } = self;
        let received = receiving.finish().await.map_err(|error| ContainerError::of(&text, error))?;
        let pinned = containers.pin_source(&text, received.source(image)).await;
        pinned.map_err(|error| error.about(&received.path().display().to_string(), &text))
    }
}

/// An image's files, in one folder. While it is held they stay.
#[derive(Debug)]
pub(crate) struct Unpacked {
    pub(crate) path: PathBuf,
    _root: oci::Root,
}

#[derive(Debug)]
struct Ready {
    unpacked: Arc<Unpacked>,
    since: Instant,
}

impl Containers {
    /// Below `dir`, which is made when it is needed.
    pub(crate) fn new(dir: PathBuf, clock: Clock, random: Random) -> Self {
        let home = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let folder = home("DOCKER_CONFIG").or_else(|| home("HOME").map(|home| home.join(".docker")));
        let logins = folder.map(|folder| folder.join("config.json"));
        Self { dir, clock, random, logins, layers: Mutex::default(), ready: Mutex::default() }
    }

    /// Finds an image, and unpacks it if it is not here: it can be run when this returns.
    pub(crate) async fn pin(self: &Arc<Self>, text: &str, reach: Reach) -> Result<Container, ContainerError> {
        self.pin_source(text, source_of(text, reach)?).await
    }

    /// Begins to take in an archive that lies elsewhere, and is called so.
    pub(crate) async fn receive(self: &Arc<Self>, text: &str) -> Result<ImageArchive, ContainerError> {
        let this = Arc::clone(self);
        let of = |error| ContainerError::of(text, error);
        let receiving = blocking(move || this.layers()).await.map_err(of)?.receive().await.map_err(of)?;
        Ok(ImageArchive { containers: Arc::clone(self), text: text.to_owned(), receiving })
    }

    async fn pin_source(self: &Arc<Self>, text: &str, source: Source) -> Result<Container, ContainerError> {
        let image = self.load(&source).await.map_err(|error| ContainerError::of(text, error))?;
        let words = words_of(&image.config);
        if words > WORDS_BYTES_MAX {
            return Err(ContainerError::Words { bytes: words, limit: WORDS_BYTES_MAX });
        }
        let pinned = match &source {
            Source::Registry(reference) => reference.pinned(&image.digest).to_string(),
            Source::Local { .. } => text.to_owned(),
        };
        let layers: Vec<CodeId> = image.root.layers().iter().map(code_id).collect();
        let unpacked = self.lay(layers.clone(), image.root).await.map_err(|error| ContainerError::of(text, error))?;
        inside::check_entries(&unpacked.path)?;
        let mut environment: Vec<(String, String)> = Vec::new();
        for (name, value) in image.config.env {
            environment.retain(|(other, _)| *other != name);
            environment.push((name, value));
        }
        Ok(Container {
            digest: code_id(&image.digest),
            source: pinned,
            layers,
            entrypoint: image.config.entrypoint,
            command: image.config.cmd,
            environment,
            directory: image.config.workdir.filter(|path| !path.is_empty()),
            adapted: is_file(&unpacked.path, Path::new(ADAPTER)),
        })
    }

    /// Makes a pinned image ready again: from the layers that are here, else from where it came from.
    pub(crate) async fn ready(self: &Arc<Self>, container: &Container) -> Result<(), ContainerError> {
        if self.find(container).is_some() {
            return Ok(());
        }
        let of = |error| ContainerError::of(&container.source, error);
        let digests: Vec<Digest> = container.layers.iter().map(digest).collect();
        let this = Arc::clone(self);
        let here = blocking(move || this.layers()?.root(&digests)).await;
        let root = match here {
            Ok(root) => root,
            Err(oci::Error::LayersMissing { .. }) if container.source.starts_with(IN_A_BUCKET) => {
                return Err(ContainerError::Gone { source_uri: container.source.clone() });
            }
            Err(oci::Error::LayersMissing { .. }) => {
                let source: Source = container.source.parse().map_err(of)?;
                let image = self.load(&source).await.map_err(of)?;
                if !image.root.layers().iter().map(code_id).eq(container.layers.iter().cloned()) {
                    return Err(ContainerError::Changed {
                        source_uri: container.source.clone(),
                        wanted: container.digest.clone(),
                    });
                }
                image.root
            }
            Err(other) => return Err(of(other)),
        };
        self.lay(container.layers.clone(), root).await.map_err(of)?;
        Ok(())
    }

    /// An image's files, if it is ready.
    pub(crate) fn find(&self, container: &Container) -> Option<Arc<Unpacked>> {
        self.lock().get(&container.layers).map(|ready| Arc::clone(&ready.unpacked))
    }

    /// Removes all that is neither of a wanted image, given by their layers, nor new, nor of an instance that lives. Blocks.
    pub(crate) fn retain(&self, wanted: &[Vec<CodeId>]) -> Result<(), oci::Error> {
        if !self.dir.exists() {
            return Ok(());
        }
        self.lock().retain(|layers, ready| ready.since.elapsed() < SWEEP_AGE || wanted.contains(layers));
        let wanted: Vec<Vec<Digest>> = wanted.iter().map(|layers| layers.iter().map(digest).collect()).collect();
        let swept = self.layers()?.retain(wanted.iter().map(Vec::as_slice))?;
        if swept != oci::Swept::default() {
            tracing::info!(layers = swept.layers, roots = swept.flat, "container images were swept");
        }
        Ok(())
    }

    async fn load(self: &Arc<Self>, source: &Source) -> Result<oci::Image, oci::Error> {
        let this = Arc::clone(self);
        let reference = match source {
            Source::Registry(reference) => Some(reference.clone()),
            Source::Local { .. } => None,
        };
        let (layers, credentials) = blocking(move || {
            Ok((this.layers()?, reference.map(|reference| this.login(&reference)).transpose()?.flatten()))
        })
        .await?;
        oci::load(source, &layers, &LoadOptions { credentials, ..LoadOptions::default() }).await
    }

    /// Lays an image's layers together, once.
    async fn lay(&self, layers: Vec<CodeId>, root: oci::Root) -> Result<Arc<Unpacked>, oci::Error> {
        let unpacked = Arc::new(Unpacked { path: root.flat().await?, _root: root });
        self.lock().insert(layers, Ready { unpacked: Arc::clone(&unpacked), since: Instant::now() });
        Ok(unpacked)
    }

    /// What the node's user says to a registry. Blocks.
    fn login(&self, reference: &Reference) -> Result<Option<Credentials>, oci::Error> {
        let Some(file) = &self.logins else { return Ok(None) };
        match Credentials::in_file(file, reference)? {
            Kept::Here(credentials) => Ok(Some(credentials)),
            Kept::Nowhere => Ok(None),
            Kept::InHelper(helper) => {
                tracing::warn!(
                    registry = reference.registry(),
                    helper,
                    "a registry's credentials are kept by a program that is not asked; write them into the file itself"
                );
                Ok(None)
            }
        }
    }

    /// The folder of layers. Blocks.
    fn layers(&self) -> Result<Layers, oci::Error> {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layers) = &*layers {
            return Ok(layers.clone());
        }
        let options =
            oci::Options { clock: self.clock.clone(), random: self.random.clone(), ..oci::Options::default() };
        Ok(layers.insert(Layers::open(&self.dir, options)?).clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Vec<CodeId>, Ready>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a text names, if it may be named.
pub(crate) fn source_of(text: &str, reach: Reach) -> Result<Source, ContainerError> {
    let source: Source = text.parse().map_err(|error| ContainerError::of(text, error))?;
    check_reach(text, &source, reach)?;
    match &source {
        Source::Local { path, .. } if !path.is_absolute() => {
            let reason = "the path of an image on this machine begins with '/'".to_owned();
            Err(ContainerError::NotValid { source_uri: text.chars().take(300).collect(), reason })
        }
        Source::Local { .. } | Source::Registry(_) => Ok(source),
    }
}

/// Refuses images of this machine to whom they are not for. A name that leads to this machine although it does not say so is not
/// known here.
fn check_reach(text: &str, source: &Source, reach: Reach) -> Result<(), ContainerError> {
    let is_own = match source {
        Source::Local { .. } => true,
        Source::Registry(reference) => is_of_this_machine(reference.registry()),
    };
    match reach {
        Reach::Elsewhere if is_own => {
            Err(ContainerError::OfThisMachine { source_uri: text.chars().take(300).collect() })
        }
        Reach::Elsewhere | Reach::Everywhere => Ok(()),
    }
}

/// Whether a registry's `HOST:PORT` says that it is this machine, or next to it without a name.
fn is_of_this_machine(registry: &str) -> bool {
    use std::net::IpAddr;
    let port = registry.rfind(':').filter(|at| registry[at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
    let host = port.map_or(registry, |at| &registry[..at]);
    let number = host.trim_start_matches('[').trim_end_matches(']');
    let is_near = match number.parse::<IpAddr>() {
        Ok(IpAddr::V4(four)) => four.is_loopback() || four.is_link_local() || four.is_unspecified(),
        Ok(IpAddr::V6(six)) => {
            six.is_loopback() || six.is_unspecified() || six.is_unicast_link_local() || six.to_ipv4_mapped().is_some()
        }
        Err(_) => false,
    };
    is_near || host == "localhost" || host.ends_with(".localhost")
}

fn words_of(config: &oci::Config) -> usize {
    let environment = config.env.iter().map(|(name, value)| name.len() + value.len() + 2);
    let words = config.entrypoint.iter().chain(&config.cmd).chain(&config.workdir).map(|word| word.len() + 1);
    environment.chain(words).sum()
}

fn code_id(digest: &Digest) -> CodeId {
    let text = digest.to_string();
    let (_, hex) = text.split_once(':').expect("a digest has a name and a value");
    CodeId::from_hex(hex).expect("the value of a SHA-256 digest has 64 hexadecimal digits")
}

fn digest(id: &CodeId) -> Digest {
    format!("sha256:{id}").parse().expect("64 hexadecimal digits are a SHA-256")
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, oci::Error> + Send + 'static,
) -> Result<T, oci::Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(oci::Error::Disk { doing: "looking at layers".to_owned(), source: error.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_this_machine_are_for_whom_may_read_it() {
        for (text, own) in [
            ("/images/app.tar", true),
            ("file:/images/app", true),
            ("./app", true),
            ("localhost:5000/app", true),
            ("registry.localhost/app", true),
            ("127.0.0.2:80/app", true),
            ("[::1]:5000/app", true),
            ("[::ffff:127.0.0.1]:5000/app", true),
            ("169.254.169.254/app", true),
            ("0.0.0.0:1/app", true),
            ("app", false),
            ("python:3.13", false),
            ("10.0.0.1:5000/app", false),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1", false),
        ] {
            let source: Source = text.parse().unwrap();
            assert_eq!(check_reach(text, &source, Reach::Elsewhere).is_err(), own, "{text}");
            assert!(check_reach(text, &source, Reach::Everywhere).is_ok(), "{text}");
        }
    }

    #[test]
    fn digests_are_kept_without_their_kind() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let id = CodeId::from_hex(hex).unwrap();
        assert_eq!(code_id(&digest(&id)), id);
        assert_eq!(code_id(&Digest::of(b"")).as_str(), hex);
    }
}
