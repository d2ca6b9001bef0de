//! `freehold completions SHELL`: the script that lets a shell complete our commands.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::problem::{Exit, Problem};
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  freehold completions bash > ~/.local/share/bash-completion/completions/freehold
  freehold completions zsh  > ~/.zfunc/_freehold
  freehold completions fish > ~/.config/fish/completions/freehold.fish

Exit codes: 0 printed, 2 the command line is wrong.";

/// Print a completion script for your shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The shell to complete in
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(args: &Args, session: &Session) -> Result<Exit, Problem> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "freehold", &mut script);
    session.screen.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
