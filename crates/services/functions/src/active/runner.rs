//! One version of a function, and what compute made of it.

use std::sync::{Arc, OnceLock};

use compute::{Compute, Image};
use contract::Fault;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::model::{Archive, Code, Live, Settings, Version};
use crate::name::{FunctionName, Scope};
use crate::store::Refusal;
use crate::{Functions, RoleSession, faults};

/// One version, with the image that compute made of it as soon as it was needed.
pub(crate) struct Runner {
    /// None is `$LATEST`.
    pub(crate) number: Option<u64>,
    /// `X-Amz-Executed-Version`.
    pub(crate) version: String,
    /// With the function's id, what makes two runners the same.
    pub(super) content: u64,
    pub(crate) code: Code,
    /// The archives of its layers.
    pub(super) layers: Vec<Archive>,
    pub(crate) settings: compute::Settings,
    /// What it may do is what this role may.
    pub(crate) role: Arc<str>,
    pub(super) dead_letter: Option<String>,
    pub(super) image: OnceCell<Arc<Image>>,
    compute: Compute,
    /// Set as soon as it is known.
    takes_requests: OnceLock<bool>,
}

impl Runner {
    /// Whether it takes requests as they are. Those that come before that is known are told as events.
    pub(super) fn takes_requests(&self) -> bool {
        if let Some(known) = self.takes_requests.get() {
            return *known;
        }
        match self.compute.takes_requests(&self.settings) {
            Some(found) => *self.takes_requests.get_or_init(|| found),
            None => false,
        }
    }
}

impl Functions {
    pub(super) fn runner(
        &self,
        scope: &Scope,
        name: &FunctionName,
        (id, sequence): (Uuid, u64),
        number: Option<u64>,
        version: &Version,
    ) -> Runner {
        let Version { code, settings, content, .. } = version;
        let Settings { role, memory_mb, tmp_mb, timeout_s, logging, layers, dead_letter, .. } = settings;
        let environment = version.environment();
        let (language, handler) = settings.program();
        let session = RoleSession { account: scope.account, role: role.clone(), session: name.to_string() };
        let issue = Arc::clone(&self.credentials);
        let version_layers = layers.iter().filter_map(|layer| layer.archive.clone()).collect();
        let version = crate::ops::version_text(number);
        let settings = compute::Settings {
            function: name.to_string(),
            arn: scope.arn(name),
            version: version.clone(),
            revision: format!("{id}:{content}"),
            sequence,
            code: code.id(),
            container: code.image().map(|pinned| Arc::new(pinned.configured(settings))),
            layers: layers.iter().filter_map(|layer| Some(layer.archive.as_ref()?.id())).collect(),
            language: language.to_owned(),
            handler: handler.to_owned(),
            environment,
            memory_mb: *memory_mb,
            tmp_mb: *tmp_mb,
            timeout: std::time::Duration::from_secs(u64::from(*timeout_s)),
            // Counted here, over all versions of the function: an image knows only itself.
            concurrency_reserved: None,
            log_group: logging.group.clone(),
            log_format: logging.format,
            region: scope.region.to_string(),
            credentials: Arc::new(move || issue(session.clone())),
        };
        Runner {
            number,
            version,
            content: *content,
            code: code.clone(),
            layers: version_layers,
            settings,
            role: role.as_str().into(),
            dead_letter: dead_letter.clone(),
            image: OnceCell::new(),
            compute: self.compute.clone(),
            takes_requests: OnceLock::new(),
        }
    }

    /// The version's image, made on first use; code that is no longer unpacked is unpacked again from its blob.
    pub(crate) async fn image<'a>(&self, runner: &'a Runner) -> Result<&'a Arc<Image>, Fault> {
        runner
            .image
            .get_or_try_init(|| async {
                self.unpack_again(runner).await?;
                let (compute, settings) = (self.compute.clone(), runner.settings.clone());
                // Looking for an interpreter blocks when it is the first time.
                let image = tokio::task::spawn_blocking(move || compute.image(settings)).await;
                match image {
                    Ok(Ok(image)) => Ok(image),
                    Ok(Err(error)) => Err(faults::invalid(error.to_string())),
                    Err(error) => {
                        tracing::error!(function = %runner.settings.arn, %error, "a function cannot be made ready");
                        Err(Fault::internal())
                    }
                }
            })
            .await
    }

    /// Unpacks a version's code, if it is not on this node.
    pub(crate) async fn unpack_again(&self, runner: &Runner) -> Result<(), Fault> {
        let compute::Settings { code: id, layers, .. } = &runner.settings;
        self.unpack_layers_again(&runner.layers, layers).await?;
        let archive = match &runner.code {
            Code::Zip(archive) | Code::Live(Live { archive, .. }) => archive,
            Code::Image(pinned) => return self.prepare_image(pinned).await,
        };
        if self.compute.has_code(id) {
            return Ok(());
        }
        let package = self.kept(archive.sha256.into()).await.map_err(Refusal::from)?;
        self.unpack(package).await?;
        let compute::Settings { code, language, handler, .. } = &runner.settings;
        if let Err(error) = self.compute.compile(code, language, handler).await {
            // What is wrong with it is told to whoever calls it.
            tracing::warn!(function = %runner.settings.arn, %error, "a function's code cannot be compiled");
        }
        Ok(())
    }
}
