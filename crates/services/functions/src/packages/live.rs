//! Code that is a folder of this machine (`S3Bucket=hot-reload`, `S3Key=/PATH`): a call runs what is in it, whatever was edited since.
//!
//! Only folders under those that the node was started with (`freehold up --hot-reload DIR`): to name one makes its files readable to
//! whoever may make functions, and in open mode that is any program of this machine, guests among them.
//!
//! Folders are looked at when they are called for, and not watched: so the next call has what was saved, however soon it comes. What is
//! seen is packed as `freehold deploy` packs it, and becomes an update of the function's code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bundle::archive::{self, Look};
use bytes::Bytes;
use contract::Fault;
use tokio::sync::Mutex;

use super::Taken;
use crate::active::Active;
use crate::invoke::invoked_arn;
use crate::model::{Archive, Code, Live, package};
use crate::name::Qualifier;
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

/// The bucket that means a folder, if the key is an absolute path.
const BUCKET: &str = "hot-reload";
/// Files as young as this may be written again without a trace: clocks of file systems tick.
const SETTLED_MS: i64 = 1_000;

/// Whether bucket and key mean a folder of this machine. A key of an ordinary bucket of that name does not begin with a slash.
pub(super) fn means(bucket: Option<&str>, key: Option<&str>) -> bool {
    bucket == Some(BUCKET) && key.is_some_and(|key| key.starts_with('/'))
}

/// How folders looked, and the digest of what was packed of them then.
type Seen = BTreeMap<Arc<str>, (Look, [u8; 32])>;

/// The folders that may be named, and how those that are looked like when they were packed.
#[derive(Debug)]
pub(crate) struct Folders {
    open: Vec<PathBuf>,
    /// Held while somebody looks and packs, so that one does it for all.
    seen: Mutex<Seen>,
}

impl Folders {
    pub(crate) fn new(open: Vec<PathBuf>) -> Self {
        Self { open, seen: Mutex::default() }
    }

    /// The folder that a key means, with links resolved: none of them leads out of what is open.
    fn find(&self, key: &str) -> Result<Arc<str>, Fault> {
        if self.open.is_empty() {
            return Err(faults::invalid(
                "This node reads no folders as code. Start it with: freehold up --hot-reload DIR, and name a folder in DIR.",
            ));
        }
        let unreadable = |why: std::io::Error| faults::invalid(format!("The folder {key} cannot be read: {why}."));
        let found = Path::new(key).canonicalize().map_err(unreadable)?;
        let is_open = |open: &PathBuf| open.canonicalize().is_ok_and(|open| found.starts_with(open));
        if !self.open.iter().any(is_open) {
            let open: Vec<String> = self.open.iter().map(|open| open.display().to_string()).collect();
            let open = open.join(", ");
            return Err(faults::invalid(format!("The folder {key} is in none that may be read as code: {open}.")));
        }
        if !found.is_dir() {
            return Err(faults::invalid(format!("{key} is no folder.")));
        }
        let text = found.to_str().ok_or_else(|| faults::invalid(format!("The path of {key} is not in UTF-8.")))?;
        Ok(text.into())
    }
}

impl Functions {
    /// Takes in what is in a folder.
    pub(super) async fn take_folder(&self, key: &str) -> Result<Taken, Fault> {
        let folder = self.live.find(key)?;
        let mut seen = self.live.seen.lock().await;
        let look = look(&folder).await?;
        let taken = self.take_packed(&folder, pack(&folder).await?).await?;
        self.remember(&mut seen, &folder, look, &taken);
        Ok(taken)
    }

    /// The function as it is to be run: where it follows a folder that has changed, with what is in it now.
    pub(crate) async fn renewed(
        &self,
        active: &Arc<Active>,
        qualifier: Option<&Qualifier>,
    ) -> Result<Arc<Active>, Fault> {
        let follows = |active: &Active| match active.runner(qualifier, || 0).map(|runner| runner.code.clone()) {
            Some(Code::Live(live)) => Some(live),
            Some(Code::Zip(_) | Code::Image(_)) | None => None,
        };
        if follows(active).is_none() {
            return Ok(Arc::clone(active));
        }
        let mut seen = self.live.seen.lock().await;
        // Whoever looked before may have updated it.
        let gone = || faults::function_not_found(invoked_arn(active, qualifier));
        let now = self.table.get(&active.scope, active.name.as_str()).ok_or_else(gone)?;
        let Some(live) = follows(&now) else { return Ok(now) };
        // The node may have been started again, with other folders.
        let folder = self.live.find(&live.folder)?;
        let look = look(&folder).await?;
        if seen.get(&folder).is_some_and(|(before, sha256)| *before == look && *sha256 == live.archive.sha256) {
            return Ok(now);
        }
        let package = pack(&folder).await?;
        if *::store::BlobId::of(&package).sha256() == live.archive.sha256 {
            seen.insert(folder, (look, live.archive.sha256));
            return Ok(now);
        }
        let taken = self.take_packed(&folder, package).await?;
        self.replace(&now, &taken).await?;
        self.remember(&mut seen, &folder, look, &taken);
        self.table.get(&active.scope, active.name.as_str()).ok_or_else(gone)
    }

    /// Gives `$LATEST` this code, unless somebody gave it other code than its folder's meanwhile.
    async fn replace(&self, active: &Active, taken: &Taken) -> Result<(), Fault> {
        let place = &Place::new(&active.scope, &active.name);
        let Some(now) = place.function(&self.store.snapshot()).await.map_err(Refusal::from)? else { return Ok(()) };
        self.compile_what_is_there(&taken.code, &now.latest.settings).await?;
        self.check_size(&taken.code, &now.latest.settings).await?;
        let more = taken.code.bytes().saturating_sub(now.latest.code.bytes());
        package::check_storage(self.table.scope(&active.scope).code_bytes(), more)?;
        let committed = self
            .store
            .transact(|tx| async move {
                let Some(mut function) = place.function(&tx).await? else { return Ok(()) };
                if function.latest.code.folder() != taken.code.folder() {
                    return Ok::<_, Refusal>(());
                }
                let (before, settings) = (function.latest.clone(), function.latest.settings.clone());
                function.update(taken.code.clone(), settings, self.now_ms(), self.random.uuid());
                Ok(place.put_function(&tx, &self.blobs, Some(&before), &function).await?)
            })
            .await;
        self.settle(&active.scope, &active.name, committed).await
    }

    async fn take_packed(&self, folder: &Arc<str>, package: Bytes) -> Result<Taken, Fault> {
        self.unpack(package.clone()).await?;
        let stored = self.blobs.put(package).await.map_err(Refusal::from)?;
        let archive = Archive { sha256: *stored.id.sha256(), bytes: stored.len };
        Ok(Taken { code: Code::Live(Live { folder: Arc::clone(folder), archive }), _stored: Some(stored) })
    }

    fn remember(&self, seen: &mut Seen, folder: &Arc<str>, look: Look, taken: &Taken) {
        match taken.code.archive() {
            Some(archive) if look.youngest_ms < self.now_ms() - SETTLED_MS => {
                seen.insert(Arc::clone(folder), (look, archive.sha256));
            }
            // It is packed again at the next call, and found to be the same.
            Some(_) | None => drop(seen.remove(folder)),
        }
    }
}

async fn look(folder: &Arc<str>) -> Result<Look, Fault> {
    let path = PathBuf::from(folder.as_ref());
    blocking(move || archive::look(&path)).await
}

async fn pack(folder: &Arc<str>) -> Result<Bytes, Fault> {
    let path = PathBuf::from(folder.as_ref());
    blocking(move || archive::pack(&path)).await.map(Bytes::from)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, bundle::Error> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| faults::invalid(error.to_string())),
        Err(error) => {
            tracing::error!(%error, "looking at a folder failed");
            Err(Fault::internal())
        }
    }
}
