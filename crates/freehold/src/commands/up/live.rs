//! The applications that `up` was given: deployed at the start, and again when they change. What cannot be deployed is told,
//! and what was deployed before goes on running.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base::{Backoff, Random};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::watch::{self, Watch};
use crate::application::{self, Outcome};
use crate::client::Client;
use crate::package::{Options, Package};
use crate::problem::Problem;
use crate::session::Session;

/// How often a folder is tried again after a reset.
const TRIES_MAX: u32 = 5;

/// A folder under watch.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// The application that it is, once that is known.
    name: Option<String>,
    /// What was sent last: the same again is not sent.
    sent: Option<String>,
    /// Whether any of it was ever deployed by this `up`.
    stands: bool,
    /// What it was made from last.
    sources: Vec<PathBuf>,
}

/// All folders of one `up`.
#[derive(Debug)]
pub(super) struct Live<'a> {
    session: &'a Session,
    client: &'a Client,
    options: Options,
    folders: Vec<Folder>,
}

impl<'a> Live<'a> {
    /// Nothing is deployed yet. `options`: what this node cannot run, among others.
    pub(super) fn new(session: &'a Session, client: &'a Client, options: Options, paths: &[PathBuf]) -> Self {
        let folder = |path: &PathBuf| Folder {
            path: path.clone(),
            name: None,
            sent: None,
            stands: false,
            sources: vec![path.clone()],
        };
        let folders = paths.iter().map(folder).collect();
        Self { session, client, options, folders }
    }

    /// Deploys every folder once; the warnings of all, and the problems of those that failed.
    pub(super) async fn deploy_all(&mut self) -> (Vec<String>, Vec<Problem>) {
        let (mut warnings, mut problems) = (Vec::new(), Vec::new());
        for number in 0..self.folders.len() {
            match self.deploy(number).await {
                Ok(Some(outcome)) => warnings.extend(outcome.warnings),
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        (warnings, problems)
    }

    /// Watches all that the applications were made from.
    pub(super) fn cover(&self, watch: &mut Watch) -> Result<(), watch::Error> {
        self.folders.iter().enumerate().try_for_each(|(number, folder)| watch.cover(number, &folder.sources))
    }

    /// Redeploys what changes, and everything after each reset, for ever.
    pub(super) async fn follow(&mut self, watch: &mut Watch, resets: &mut BoxStream<'_, ()>) {
        loop {
            tokio::select! {
                changed = watch.changed(&self.session.clock) => {
                    for number in changed {
                        self.redeploy(number).await;
                    }
                }
                Some(()) = resets.next() => self.begin_again().await,
            }
            // A template may name another folder now.
            if let Err(error) = self.cover(watch) {
                self.session.screen.say(&format!("Some saved files are not noticed: {error}"));
            }
        }
    }

    /// The node was reset: deploys every folder again. While the reset goes on, what is deployed may be taken away again or be in the way;
    /// then this is tried again, and a further word of a reset comes.
    async fn begin_again(&mut self) {
        self.session.screen.say(&self.session.screen.err.faint("The node was reset; deploying again."));
        let random = Random::system();
        for number in 0..self.folders.len() {
            let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
            loop {
                self.folders[number].sent = None;
                match self.deploy(number).await {
                    Err(_) if backoff.tries() < TRIES_MAX => self.session.clock.sleep(backoff.next(&random)).await,
                    ended => {
                        self.tell(number, ended, self.session.clock.elapsed());
                        break;
                    }
                }
            }
        }
    }

    async fn redeploy(&mut self, number: usize) {
        let start = self.session.clock.elapsed();
        let deployed = self.deploy(number).await;
        self.tell(number, deployed, start);
    }

    /// Says what came of a deployment that began at `start`.
    fn tell(&self, number: usize, deployed: Result<Option<Outcome>, Problem>, start: Duration) {
        let screen = &self.session.screen;
        match deployed {
            Ok(Some(outcome)) if outcome.changed => {
                let took = self.session.clock.elapsed() - start;
                outcome.warnings.iter().for_each(|warning| screen.say(&format!("{} {warning}", screen.err.wary("!"))));
                for line in redeployed(&outcome, took) {
                    screen.say(&format!("{} {line}", screen.err.good("↻")));
                }
            }
            Ok(Some(_) | None) => {}
            Err(problem) => {
                screen.say(problem.render(&screen.err).trim_end());
                let next = match self.folders[number].stands {
                    true => "The version before goes on running.",
                    false => "Save the mended file, and it is deployed.",
                };
                screen.say(&screen.err.faint(&format!("  {next}")));
            }
        }
    }

    /// Nothing, if the folder's content is what was sent before.
    async fn deploy(&mut self, number: usize) -> Result<Option<Outcome>, Problem> {
        let package = Package::read(&self.folders[number].path, &self.options).await?;
        self.claim(number, &package.name)?;
        let folder = &mut self.folders[number];
        folder.sources = [std::slice::from_ref(&folder.path), &package.sources].concat();
        let fingerprint = package.fingerprint();
        if self.folders[number].sent.as_ref() == Some(&fingerprint) {
            return Ok(None);
        }
        // Until it is there, nobody knows what is: going back to what was sent before must be sent, too.
        self.folders[number].sent = None;
        let outcome = {
            let progress = self.session.screen.progress(format!("deploying {}…", package.name));
            let outcome = application::deploy(self.client, &package, &progress).await;
            progress.finish_and_clear();
            outcome?
        };
        self.folders[number].sent = Some(fingerprint);
        self.folders[number].stands = true;
        Ok(Some(outcome))
    }

    /// Two folders of one name would replace each other, again and again.
    fn claim(&mut self, number: usize, name: &str) -> Result<(), Problem> {
        let others = self.folders.iter().enumerate().filter(|(other, _)| *other != number);
        if let Some((_, other)) = others.into_iter().find(|(_, other)| other.name.as_deref() == Some(name)) {
            let (one, two) = (other.path.display(), self.folders[number].path.display());
            return Err(Problem::new(format!("{one} and {two} would both be the application '{name}'.")).advise(
                format!("Rename one of the folders, or deploy it by itself: freehold deploy {two} --name OTHER"),
            ));
        }
        self.folders[number].name = Some(name.to_owned());
        Ok(())
    }

    /// The folders, as they were written.
    pub(super) fn shown(&self) -> Vec<String> {
        self.folders.iter().map(|folder| shown(&folder.path)).collect()
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A line for each function that changed; a line for the application, if only other things did.
fn redeployed(outcome: &Outcome, took: Duration) -> Vec<String> {
    let names = match outcome.functions_changed.as_slice() {
        [] => std::slice::from_ref(&outcome.application.name),
        names => names,
    };
    names.iter().map(|name| format!("{name} redeployed in {} ms", took.as_millis())).collect()
}
