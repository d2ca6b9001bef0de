//! `freehold up`: a node in this process.

mod banner;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ValueEnum, ValueHint};

use crate::problem::{Exit, Problem};
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  freehold up                       what was deployed before is there again
  freehold up examples/hello        deploy this, watch it, redeploy what is saved
  freehold up . --memory            keep nothing: for tests
  freehold up --listen 0.0.0.0:4566 --auth iam --sandbox required
  freehold up --listen 127.0.0.1:0  any free port; the address is printed

Without a PATH nothing is deployed: an application that was deployed once stays until `freehold rm`.
Ctrl-C (or SIGTERM) lets running calls end, then stops; a second Ctrl-C stops at once.";

/// Start a node here, and deploy applications to it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Folders to deploy and to watch; see `freehold deploy --help` for what may be in them
    #[arg(value_name = "PATH", value_hint = ValueHint::DirPath)]
    paths: Vec<PathBuf>,

    /// Where to listen for AWS's tools, function URLs and the other commands
    #[arg(long, value_name = "ADDR", default_value_t = crate::endpoint::LISTEN_DEFAULT)]
    listen: SocketAddr,

    /// A second address that serves nothing but functions
    #[arg(long, value_name = "ADDR")]
    public: Option<SocketAddr>,

    /// Keep everything in memory, and nothing when it stops
    #[arg(long)]
    memory: bool,

    /// Who may call: anybody (open), or only who signs with a known key (iam) [default: open on a loopback address, iam on
    /// any other]
    #[arg(long, value_name = "MODE")]
    auth: Option<Auth>,

    /// How much isolation functions get: all that this machine gives, all or no start, or none
    #[arg(long, value_name = "MODE", default_value = "auto")]
    sandbox: Sandbox,

    /// Do not redeploy what is saved
    #[arg(long)]
    no_watch: bool,

    /// A further name under which the node may be reached; may be given several times
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
}

/// `--auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Auth {
    /// Any credentials are accepted
    Open,
    /// Every call is signed and authorised
    Iam,
}

/// `--sandbox`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sandbox {
    /// What the machine gives; what is missing is named
    Auto,
    /// All of it, or the node does not start
    Required,
    /// None: for trusted code only
    Off,
}

/// Runs until it is stopped.
pub(crate) async fn run(_args: &Args, _session: &Session) -> Result<Exit, Problem> {
    Ok(Exit::Done)
}
