//! Telling compute how many instances of each version are to be kept ready.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Active, Runner};
use crate::Functions;
use crate::name::{FunctionName, Scope};

/// The versions of which compute was told to keep instances. Those are told again when nothing of them is wanted any more, although the
/// table may know them no longer.
pub(crate) type Provided = HashMap<(Scope, FunctionName), Vec<Arc<Runner>>>;

impl Functions {
    /// Tells it of one function. One at a time, and by what the table says then: the last one to tell has seen the last commit.
    pub(super) async fn provide(&self, scope: &Scope, name: &FunctionName) {
        let mut provided = self.provided.lock().await;
        let place = (scope.clone(), name.clone());
        let before = provided.remove(&place).unwrap_or_default();
        let mut now = Vec::new();
        if let Some(active) = self.table.get(scope, name.as_str()) {
            for (number, provision) in &active.provisions {
                let Some(runner) = active.versions.get(number) else { continue };
                self.keep_ready(runner, provision.wanted).await;
                now.push(Arc::clone(runner));
            }
        }
        for runner in before.iter().filter(|before| now.iter().all(|now| !Arc::ptr_eq(before, now))) {
            if let Some(image) = runner.image.get() {
                self.compute.provision(image, 0);
            }
        }
        if !now.is_empty() {
            provided.insert(place, now);
        }
    }

    async fn keep_ready(&self, runner: &Runner, wanted: u32) {
        match self.image(runner).await {
            Ok(image) if self.compute.provisioned(image).wanted == wanted => {}
            Ok(image) => self.compute.provision(image, wanted),
            Err(fault) => {
                tracing::warn!(function = %runner.settings.arn, version = %runner.version, %fault, "nothing can be provisioned");
            }
        }
    }

    /// The same for all functions: after a start, and when too much happened at once.
    pub(crate) async fn provide_all(&self) {
        for active in self.table.all() {
            self.provide(&active.scope, &active.name).await;
        }
    }

    /// What has come of what is provisioned of a version.
    pub(crate) fn provisioned(&self, active: &Active, version: u64) -> compute::Provisioned {
        let image = active.versions.get(&version).and_then(|runner| runner.image.get());
        image.map(|image| self.compute.provisioned(image)).unwrap_or_default()
    }
}
