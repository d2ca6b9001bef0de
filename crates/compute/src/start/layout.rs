//! Where an instance's code, layers and bootstrap are, on the host and as its guest sees them.

use std::path::PathBuf;
use std::sync::Arc;

use sandbox::Mount;

use crate::code::CodeId;
use crate::container::{self, Unpacked};
use crate::guest::http;
use crate::image::{Image, Settings};
use crate::instance::Instance;
use crate::invocation::RunFault;
use crate::languages::Family;
use crate::platform::Said;
use crate::shared::Shared;

/// Where guests find their code and their bootstrap.
pub(super) const TASK_ROOT: &str = "/var/task";
pub(super) const RUNTIME_DIR: &str = "/var/runtime";
/// Where they find their layers.
pub(super) const LAYERS: &str = "/opt";
/// What a package that brings its own program calls it.
pub(super) const BOOTSTRAP: &str = "bootstrap";

/// Where things are, as the guest sees them.
pub(super) struct Layout {
    /// On the host: the package, or the root of a container image.
    pub(super) code: PathBuf,
    /// What keeps the root of a container image there.
    pub(super) root: Option<Arc<Unpacked>>,
    /// On the host: what comes to lie at `/opt`, if there are layers.
    pub(super) layers: Option<PathBuf>,
    pub(super) runtime: PathBuf,
    pub(super) task_root: PathBuf,
    pub(super) runtime_dir: PathBuf,
}

impl Layout {
    /// Where an image's code is; a fault if it is not there.
    pub(super) fn found(shared: &Shared, image: &Image) -> Result<Self, RunFault> {
        let missing = |code: &CodeId| RunFault::CodeMissing { code: code.to_string() };
        let path = |code: &CodeId| shared.codes.path(code).ok_or_else(|| missing(code));
        let root = image.container.as_ref().map(|container| shared.containers.find(container));
        let root = root.map(|root| root.ok_or_else(|| missing(&image.code))).transpose()?;
        let code = match &root {
            Some(root) => root.path.clone(),
            None => path(&image.code)?,
        };
        let layers = CodeId::of_layers(&image.layers).as_ref().map(path).transpose()?;
        let layout = Self::of(shared, image.resolved.family, code);
        Ok(Self { root, layers, ..layout })
    }

    /// The same before there is anybody's code. Of a container image that is not ready there is none.
    pub(super) fn ahead(shared: &Shared, settings: &Settings, family: Family) -> Self {
        let root = settings.container.as_ref().and_then(|container| shared.containers.find(container));
        let code = root.as_ref().map(|root| root.path.clone()).unwrap_or_default();
        Self { root, ..Self::of(shared, family, code) }
    }

    fn of(shared: &Shared, family: Family, code: PathBuf) -> Self {
        let runtime = shared.bootstraps.folder(family);
        let (task_root, runtime_dir) = if shared.host.has_own_root() {
            (PathBuf::from(TASK_ROOT), PathBuf::from(RUNTIME_DIR))
        } else {
            (code.clone(), runtime.clone())
        };
        Self { code, root: None, layers: None, runtime, task_root, runtime_dir }
    }

    /// What `provided` runs, as the guest sees it: its own, else a layer's.
    pub(super) fn bootstrap(&self) -> Option<PathBuf> {
        let layers = self.layers.as_ref().map(|layers| (layers, PathBuf::from(LAYERS)));
        let places = [Some((&self.code, self.task_root.clone())), layers].into_iter().flatten();
        let mut found = places.filter(|(place, _)| http::is_executable(&place.join(BOOTSTRAP)));
        found.next().map(|(_, seen)| seen.join(BOOTSTRAP))
    }

    /// Says which external extensions are not run: none is.
    pub(super) fn tell_extensions(&self, instance: &mut Instance) {
        let names = match (&self.root, &self.layers) {
            (Some(root), _) => container::extensions_of_image(&root.path),
            (None, Some(layers)) => container::extensions(layers, "/extensions"),
            (None, None) => Vec::new(),
        };
        for name in names {
            let why = "external extensions are not run here";
            instance.output.say(&Said::Extension { name: &name, why });
        }
    }

    /// What comes into a guest's view when it becomes somebody's. A container image brings all that it has.
    pub(super) fn code_mounts(&self) -> Vec<Mount> {
        if self.root.is_some() {
            return Vec::new();
        }
        let code = Mount { source: self.code.clone(), target: PathBuf::from(TASK_ROOT) };
        let layers = self.layers.clone().map(|source| Mount { source, target: PathBuf::from(LAYERS) });
        [code].into_iter().chain(layers).collect()
    }
}
