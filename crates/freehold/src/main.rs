//! Freehold's program: the node (`freehold up`) and the command line that talks to it. `main` only starts and stops.

mod application;
mod cli;
mod client;
mod commands;
mod credentials;
mod endpoint;
mod failures;
mod function;
mod function_error;
mod lookup;
mod omit;
mod package;
mod payload;
mod problem;
mod schedule;
mod screen;
mod session;
mod since;
mod tail;
mod telemetry;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::problem::{Exit, Problem};
use crate::session::Session;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before any thread exists: the sandbox starts this very program as its helper.
    sandbox::init_main_if_asked();
    let cli = Cli::read().unwrap_or_else(|error| error.exit());
    let session = Session::new(cli.shared.clone());
    let exit = match run(&cli, &session) {
        Ok(exit) => exit,
        Err(problem) => {
            let text = problem.render(&session.screen.err);
            if !text.is_empty() {
                session.screen.say(text.trim_end());
            }
            problem.exit()
        }
    };
    exit.into()
}

fn run(cli: &Cli, session: &Session) -> Result<Exit, Problem> {
    telemetry::start(&cli.shared, session)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::new(format!("This process cannot start its threads: {error}.")))?;
    let exit = runtime.block_on(dispatch(&cli.command, session));
    // What still runs (a read from a terminal, say) is not worth waiting for: every command waits for its own work.
    runtime.shutdown_background();
    exit
}

async fn dispatch(command: &Command, session: &Session) -> Result<Exit, Problem> {
    match command {
        Command::Up(args) => commands::up::run(args, session).await,
        Command::Deploy(args) => commands::deploy::run(args, session).await,
        Command::Invoke(args) => commands::invoke::run(args, session).await,
        Command::Logs(args) => commands::logs::run(args, session).await,
        Command::Fire(args) => commands::fire::run(args, session).await,
        Command::Ls(args) => commands::ls::run(args, session).await,
        Command::Top(args) => commands::top::run(args, session).await,
        Command::Tables(args) => commands::tables::run(args, session).await,
        Command::Deliveries(args) => commands::deliveries::run(args, session).await,
        Command::Rm(args) => commands::rm::run(args, session).await,
        Command::Doctor(args) => commands::doctor::run(args, session).await,
        Command::Env(args) => commands::env::run(args, session),
        Command::Completions(args) => commands::completions::run(args, session),
        Command::Version => version(session),
    }
}

fn version(session: &Session) -> Result<Exit, Problem> {
    session.screen.print(concat!("freehold ", env!("CARGO_PKG_VERSION"), "\n"))?;
    Ok(Exit::Done)
}
