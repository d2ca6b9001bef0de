//! What every command is handed: the screen, the clock, and the way to the node.

use std::path::Path;

use base::Clock;

use crate::cli::Shared;
use crate::client::Client;
use crate::credentials::{Credentials, Source};
use crate::endpoint::Endpoint;
use crate::problem::Problem;
use crate::screen::Screen;

/// Where a node keeps its data if nobody says otherwise.
const DATA_DEFAULT: &str = ".freehold";

/// One run of the program.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Where output goes.
    pub(crate) screen: Screen,
    /// What time it is.
    pub(crate) clock: Clock,
    region: String,
    shared: Shared,
}

impl Session {
    /// From the options that all commands share.
    pub(crate) fn new(shared: Shared) -> Self {
        let region = shared.region(environment);
        Self { screen: Screen::detect(shared.color), clock: Clock::system(), region, shared }
    }

    /// The node's data folder.
    pub(crate) fn data(&self) -> &Path {
        self.shared.data.as_deref().unwrap_or(Path::new(DATA_DEFAULT))
    }

    /// A folder that was named, and that is none: then its keys would be looked for in vain.
    pub(crate) fn check_data(&self) -> Result<(), Problem> {
        match &self.shared.data {
            Some(data) if !data.is_dir() => Err(Problem::usage(format!("There is no data folder {}.", data.display()))
                .advise("--data (or FREEHOLD_DATA) names the folder that a node keeps its data in, and its root key.")),
            Some(_) | None => Ok(()),
        }
    }

    /// The region that is meant.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Where the node is.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, Problem> {
        Endpoint::find(self.shared.endpoint.as_ref(), environment).map_err(Problem::usage)
    }

    /// Who we are.
    pub(crate) fn credentials(&self) -> Result<Credentials, Problem> {
        let found = Credentials::find(self.data(), environment)?;
        match found.source {
            Source::Placeholder => self.check_data().map(|()| found),
            Source::Environment | Source::DataFolder(_) => Ok(found),
        }
    }

    /// The way to a node that is known.
    pub(crate) fn client_of(&self, endpoint: Endpoint, credentials: Credentials) -> Client {
        Client::new(endpoint, credentials, self.region().to_owned(), self.clock.clone())
    }

    /// The way to the node.
    pub(crate) fn client(&self) -> Result<Client, Problem> {
        Ok(self.client_of(self.endpoint()?, self.credentials()?))
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
