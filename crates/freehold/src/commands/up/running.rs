//! The node in this process: started, asked what it is, stopped. What a node says at the start is put into words for people
//! here.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use node::{Auth, BindError, Config, Data, Node, StartError};

use crate::credentials::{Credentials, Source};
use crate::endpoint::Endpoint;
use crate::problem::Problem;
use crate::session::Session;

/// How long running calls may take to end once we are asked to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node that runs.
pub(super) struct Running {
    node: Node,
    /// Where it listens.
    pub(super) endpoint: Endpoint,
    /// Where it serves functions only.
    pub(super) public: Option<Endpoint>,
    /// What it takes from us.
    pub(super) credentials: Credentials,
    is_in_memory: bool,
}

impl Running {
    /// Starts a node; when this returns, it answers.
    pub(super) async fn start(config: Config, session: &Session) -> Result<Self, Problem> {
        let data = config.data.clone();
        let is_in_memory = matches!(data, Data::Memory);
        let progress = session.screen.progress("starting…");
        let started = Node::start(config).await;
        progress.finish_and_clear();
        let node = started.map_err(|error| not_started(&error))?;
        let credentials = match node.auth() {
            Auth::Open => Credentials::placeholder(),
            Auth::Iam => {
                let root = node.root_key();
                Credentials {
                    key_id: root.access_key_id.clone(),
                    secret: root.secret_access_key.clone(),
                    token: None,
                    source: match data {
                        Data::Folder { path, .. } => Source::DataFolder(path),
                        // A key that is in no file must be shown, or nobody could ever use it; it ends with the node.
                        Data::Memory => Source::Placeholder,
                    },
                }
            }
        };
        let endpoint = Endpoint::of(node.address());
        let public = node.public_address().map(Endpoint::of);
        Ok(Self { node, endpoint, public, credentials, is_in_memory })
    }

    /// The languages that cannot run here, each with the reason.
    pub(super) fn unusable_languages(&self) -> Vec<(String, String)> {
        // Asking interpreters for their versions blocks for some milliseconds.
        let languages = tokio::task::block_in_place(|| self.node.languages());
        let unusable = languages.into_iter().filter(|language| !language.is_usable());
        unusable.map(|language| (language.name.to_owned(), format!("{} is not installed", language.family))).collect()
    }

    /// What isolation is on.
    pub(super) fn isolation(&self) -> String {
        let report = self.node.isolation();
        let on: Vec<&str> =
            sandbox::Part::ALL.into_iter().filter(|part| report.has(*part)).map(sandbox::Part::name).collect();
        if on.is_empty() { "none: run only code that you trust".to_owned() } else { on.join(", ") }
    }

    /// What of it is not.
    pub(super) fn missing(&self) -> Option<String> {
        let report = self.node.isolation();
        let missing: Vec<&str> = report.missing().map(|(part, _)| part.name()).collect();
        (!missing.is_empty()).then(|| missing.join(", "))
    }

    /// Says each time that the node was reset (`POST /_reset`): then nothing is deployed any more. A node that keeps its data never is.
    pub(super) async fn resets(&self) -> Result<BoxStream<'static, ()>, Problem> {
        if !self.is_in_memory {
            return Ok(stream::pending().boxed());
        }
        let emptied = self.node.stacks().watch_emptied().await;
        let emptied = emptied.map_err(|error| Problem::new(format!("Resets cannot be watched for: {error}.")))?;
        let resets = stream::unfold(emptied, |mut emptied| async move {
            // It ends with the node's store.
            emptied.next().await.ok()?;
            Some(((), emptied))
        });
        Ok(resets.chain(stream::pending()).boxed())
    }

    /// Lets running calls end; false if some had not when patience ended.
    pub(super) async fn stop(self) -> bool {
        self.node.shut_down(PATIENCE).await
    }
}

/// What the node says names the remedy already, but for the disk.
fn not_started(error: &StartError) -> Problem {
    let text = error.to_string();
    let mut letters = text.chars();
    let capital = letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>());
    let problem = Problem::new(format!("{}.", capital.unwrap_or_default().trim_end_matches('.')));
    if is_disk_full(error) {
        return problem.advise("Make room on the disk, or put the data elsewhere with --data DIR. Nothing was lost.");
    }
    match error {
        StartError::Compute(_) => problem.advise("See what is missing, and how to get it, with: freehold doctor"),
        StartError::Bind(BindError::Taken(address)) => problem.advise(format!(
            "No node was started. If a node listens there already, it takes more than one application:\n\
             freehold deploy DIR --endpoint {}",
            Endpoint::of(*address)
        )),
        StartError::Open(_)
        | StartError::Bind(_)
        | StartError::Store(_)
        | StartError::Read(_)
        | StartError::RootKey(_)
        | StartError::Stacks(_)
        | StartError::Events(_)
        | StartError::Queues(_)
        | StartError::Topics(_)
        | StartError::Tables(_)
        | StartError::Mail(_)
        | StartError::Bucket(_)
        | StartError::BlobsElsewhere(_)
        | StartError::Folder { .. } => problem.advise("No node was started."),
    }
}

fn is_disk_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::StorageFull) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_with_its_remedy() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let problem = not_started(&StartError::Folder { path: ".freehold".into(), source: full });
        assert!(problem.to_string().starts_with("The folder .freehold cannot be made"), "{problem}");
        assert!(problem.to_string().contains("Make room"), "{problem}");
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let problem = not_started(&StartError::Folder { path: ".freehold".into(), source: denied });
        assert!(problem.to_string().ends_with("No node was started."), "{problem}");
        let taken = StartError::Bind(BindError::Taken("0.0.0.0:4566".parse().unwrap()));
        let text = not_started(&taken).to_string();
        assert!(text.contains("--listen") && text.ends_with("freehold deploy DIR --endpoint http://127.0.0.1:4566"));
    }
}
