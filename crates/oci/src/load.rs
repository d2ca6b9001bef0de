//! From a source to an image: find out what it is made of, fetch and unpack the layers that are not here, several at a time.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;

use base::ByteSize;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::credentials::Credentials;
use crate::error::free_bytes;
use crate::layer::{self, Budget, Place, Work};
use crate::layers::{Layers, Scratch};
use crate::manifest::{Configuration, Descriptor};
use crate::progress::{Progress, Stage, Watcher};
use crate::registry::{Patience, Registry};
use crate::{Digest, Error, Image, Platform, Source, local, registry};

/// Layers of one image that are fetched or unpacked at a time.
const AT_A_TIME: usize = 4;
/// After so many bytes whoever watches is told.
const TOLD_EVERY: u64 = 1 << 20;

/// How to load.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// What the image must be for: this machine, unless said otherwise.
    pub platform: Platform,
    /// Who asks the registry.
    pub credentials: Option<Credentials>,
    /// A file of certificates (PEM) by which a registry is trusted, beside the system's.
    pub trust: Option<PathBuf>,
    /// How long to wait for a registry, and how often to try again.
    pub patience: Patience,
    /// Who is told how far it is.
    pub watcher: Watcher,
}

/// An image that was found, and not fetched yet.
pub(crate) struct Found {
    /// What people call it.
    pub(crate) name: String,
    pub(crate) digest: Digest,
    pub(crate) configuration: Configuration,
    /// Its layers' bytes, the lowest first.
    pub(crate) layers: Vec<Blob>,
    /// What must live until they are unpacked.
    pub(crate) scratch: Option<Arc<Scratch>>,
}

/// A layer's packed bytes.
#[derive(Clone)]
pub(crate) struct Blob {
    /// What they should be, where that is said.
    pub(crate) digest: Option<Digest>,
    pub(crate) size: u64,
    pub(crate) at: At,
}

/// Where a layer's bytes are.
#[derive(Clone)]
pub(crate) enum At {
    Here(Place),
    Registry(Arc<Registry>),
}

/// One layer's way.
struct Job {
    layer: Digest,
    blob: Blob,
    number: usize,
    of: usize,
    layers: Layers,
    budget: Arc<Budget>,
    watcher: Watcher,
    _scratch: Option<Arc<Scratch>>,
}

/// Loads an image: when this returns, all its layers are unpacked and on the disk, and stay for as long as the image is held.
///
/// May be dropped at any time: what came so far is kept, and the next load goes on from there.
pub async fn load(source: &Source, layers: &Layers, options: &LoadOptions) -> Result<Image, Error> {
    let found = match source {
        Source::Registry(reference) => registry::find(reference, layers, options).await?,
        Source::Local { path, image } => {
            let (path, image, platform, layers) =
                (path.clone(), image.clone(), options.platform.clone(), layers.clone());
            blocking(move || local::find(&path, image.as_deref(), &platform, &layers)).await?
        }
    };
    check_shape(&found, layers, options)?;
    let configuration = found.configuration;
    let root = layers.hold(&configuration.layers);
    let of = found.layers.len();
    let budget = Arc::new(Budget::new(layers.limits().image_bytes.bytes()));
    let jobs = configuration.layers.iter().zip(found.layers).enumerate().map(|(index, (layer, blob))| Job {
        layer: layer.clone(),
        blob,
        number: index + 1,
        of,
        layers: layers.clone(),
        budget: Arc::clone(&budget),
        watcher: options.watcher.clone(),
        _scratch: found.scratch.clone(),
    });
    let jobs: Vec<Job> = jobs.collect();
    check_room(&jobs, layers)?;
    stream::iter(jobs).map(Job::run).buffer_unordered(AT_A_TIME).try_collect::<()>().await?;
    Ok(Image { digest: found.digest, platform: configuration.platform, config: configuration.config, root })
}

/// What documents must agree on.
fn check_shape(found: &Found, layers: &Layers, options: &LoadOptions) -> Result<(), Error> {
    let (blobs, listed) = (found.layers.len(), found.configuration.layers.len());
    if options.platform.fit(&found.configuration.platform).is_none() {
        return Err(Error::WrongPlatform {
            image: found.name.clone(),
            wanted: options.platform.clone(),
            found: vec![found.configuration.platform.clone()],
        });
    }
    if blobs != listed {
        let why = format!("it lists {listed} layers, and the manifest {blobs}");
        return Err(Error::Document { what: format!("the configuration of {}", found.name), why });
    }
    if blobs > layers.limits().layers {
        return Err(Error::TooMuch { what: "layers", limit: layers.limits().layers as u64 });
    }
    if blobs == 0 {
        return Err(Error::Document { what: found.name.clone(), why: "it has no layers".to_owned() });
    }
    Ok(())
}

/// Refuses before the first byte is fetched what cannot be kept: at least the packed layers must fit.
fn check_room(jobs: &[Job], layers: &Layers) -> Result<(), Error> {
    let mut needs = 0u64;
    for job in jobs {
        match job.blob.at {
            At::Registry(_) if layers.record(&job.layer).is_none() => needs = needs.saturating_add(job.blob.size),
            At::Registry(_) | At::Here(_) => {}
        }
    }
    match free_bytes(layers.dir()) {
        Some(free) if free.bytes() < needs => {
            Err(Error::DiskFull { path: layers.dir().to_owned(), free, needs: Some(ByteSize(needs)) })
        }
        Some(_) | None => Ok(()),
    }
}

impl Job {
    async fn run(self) -> Result<(), Error> {
        let alone = self.layers.gate(self.layer.file_name()).await;
        if let Some(record) = self.layers.record(&self.layer) {
            if !self.budget.take(record.bytes) {
                return Err(self.budget.exceeded());
            }
            self.tell(Stage::Ready, self.blob.size);
            return Ok(());
        }
        match self.blob.at.clone() {
            At::Here(place) => self.unpack(place, None, alone).await,
            At::Registry(registry) => {
                let digest = self.blob.digest.clone().expect("a registry's blobs have digests");
                let download = self.layers.gate(format!("download {digest}")).await;
                let (path, held) = self.layers.hold_download(&digest);
                let told = |done| self.tell(Stage::Download, done);
                registry.download(&digest, self.blob.size, &path, &told).await?;
                let place = Place { path: path.as_path().into(), offset: 0, len: self.blob.size };
                // It is not needed again when the layer is here; if that fails, it need not be fetched again.
                self.unpack(place, Some(path), (alone, download, held)).await
            }
        }
    }

    /// Unpacks the layer, gives it its name, and removes what is spent then. Runs to its end even if nobody waits for it any more, and
    /// only then lets go of what it was handed.
    async fn unpack(self, place: Place, spent: Option<PathBuf>, until_then: impl Send + 'static) -> Result<(), Error> {
        let turn = self.layers.turn_to_unpack().await;
        blocking(move || {
            let _until_then = (turn, until_then);
            let new = Scratch(self.layers.temporary());
            let told = Cell::new(0);
            let progress = |done: u64| {
                if done >= told.get() + TOLD_EVERY {
                    told.set(done);
                    self.tell(Stage::Unpack, done);
                }
            };
            self.tell(Stage::Unpack, 0);
            layer::unpack(&Work {
                place: &place,
                packed: self.blob.digest.as_ref(),
                layer: &self.layer,
                into: &new.0,
                budget: &self.budget,
                limits: self.layers.limits(),
                progress: &progress,
            })?;
            self.layers.publish(&new.0, &self.layer)?;
            drop(spent.map(Scratch));
            self.tell(Stage::Ready, self.blob.size);
            Ok(())
        })
        .await
    }

    fn tell(&self, stage: Stage, done: u64) {
        let (number, of, total) = (self.number, self.of, self.blob.size);
        self.watcher.tell(&Progress { layer: self.layer.clone(), number, of, stage, done, total });
    }
}

/// That a document has the size and the digest that its descriptor says.
pub(crate) fn check(kind: &str, descriptor: &Descriptor, bytes: &[u8]) -> Result<(), Error> {
    let what = || format!("{kind} {}", descriptor.digest);
    let found = bytes.len() as u64;
    if found != descriptor.size {
        return Err(Error::SizeMismatch { what: what(), expected: descriptor.size, found });
    }
    let digest = descriptor.digest.same_of(bytes);
    if digest == descriptor.digest {
        Ok(())
    } else {
        Err(Error::DigestMismatch { what: what(), expected: descriptor.digest.clone(), found: digest })
    }
}

/// Runs work that blocks. A panic in it is the decoder's, on bytes that somebody made for that.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "work on an image broke off; this is a bug");
        Err(Error::Disk { doing: "working on the image".to_owned(), source: error.into() })
    })
}
