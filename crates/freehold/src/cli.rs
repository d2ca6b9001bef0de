//! What can be typed: the list of commands, and the options that all of them share. Each command's own options and examples
//! stand in its file under `commands/`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};

use crate::commands::{completions, deliveries, deploy, doctor, env, fire, invoke, logs, ls, rm, tables, top, up};
use crate::endpoint::Endpoint;
use crate::screen::ColourChoice;

/// The region if nobody names one.
const REGION_DEFAULT: &str = "us-east-1";

const TOUR: &str = "\
A minute's tour:
  freehold up examples/hello       start a node here and deploy an application
  freehold invoke hello-node '{\"name\": \"Ada\"}'
  freehold logs -f hello-node      follow what the function prints
  freehold ls                      what is deployed, and where it answers
  eval \"$(freehold env)\"           let AWS's own tools talk to the node

Exit codes: 0 done, 1 failed (or the function did), 2 the command line is wrong.";

/// A serverless cloud that you own: functions, their addresses and their logs, in one program.
///
/// A node (`freehold up`) serves functions and speaks AWS's protocols, so that AWS's SDKs, command line and deploy tools
/// work with it unchanged. All other commands talk to a node that runs.
#[derive(Debug, Parser)]
#[command(name = "freehold", version, after_help = TOUR, arg_required_else_help = true)]
#[command(disable_help_subcommand = true, max_term_width = 110)]
pub(crate) struct Cli {
    /// What all commands share.
    #[command(flatten)]
    pub(crate) shared: Shared,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// What this process was started with, or what is wrong with it.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        Self::read_from(std::env::args_os().collect())
    }

    /// A usage line names each option that has a value, also one that an environment variable gave, as if it had to be typed. So what is
    /// wrong with the line is told as if there were no such variables; what is wrong with them is told as it is.
    fn read_from(line: Vec<OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(&line).map_err(|error| {
            let deaf = |arg: clap::Arg| arg.env(Resettable::Reset);
            let command = Self::command().mut_args(deaf).mut_subcommands(|command| command.mut_args(deaf));
            command.try_get_matches_from(line).err().unwrap_or(error)
        })
    }
}

/// What there is to do, in the order in which one meets it.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a node here, and deploy applications to it
    Up(up::Args),
    /// Deploy an application, or a single function, to the running node
    Deploy(deploy::Args),
    /// Call a function and print its answer
    Invoke(invoke::Args),
    /// Fire a schedule now
    Fire(fire::Args),
    /// Show what functions print
    Logs(logs::Args),
    /// List what is deployed
    Ls(ls::Args),
    /// Watch what functions do
    Top(top::Args),
    /// Show tables and what lies in them
    Tables(tables::Args),
    /// Show what is on its way between services and what failed, and send it again
    Deliveries(deliveries::Args),
    /// Delete applications or functions
    Rm(rm::Args),
    /// Check what this machine has and lacks
    Doctor(doctor::Args),
    /// Print the settings that AWS's own tools need
    Env(env::Args),
    /// Print a completion script for your shell
    Completions(completions::Args),
    /// Print the version
    Version,
}

/// Options of every command.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Shared {
    /// Where the node is [default: AWS_ENDPOINT_URL, or http://127.0.0.1:4566]
    #[arg(long, global = true, value_name = "URL", env = "FREEHOLD_ENDPOINT", hide_env_values = true)]
    pub(crate) endpoint: Option<Endpoint>,

    /// The region that is meant [default: AWS_DEFAULT_REGION, or us-east-1]
    #[arg(long, global = true, value_name = "REGION", env = "AWS_REGION", hide_env_values = true, value_parser = region)]
    pub(crate) region: Option<String>,

    /// The folder that the node keeps its data in [default: .freehold]
    #[arg(long, global = true, value_name = "DIR", env = "FREEHOLD_DATA", hide_env_values = true, value_hint = ValueHint::DirPath)]
    pub(crate) data: Option<PathBuf>,

    /// Whether to use colours: auto (on a terminal, unless NO_COLOR is set), always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub(crate) color: ColourChoice,

    /// What this process logs to standard error: a level, or such as `warn,dispatch=debug`
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "RUST_LOG",
        hide_env_values = true,
        default_value = "warn"
    )]
    pub(crate) log_level: String,

    /// How it logs
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Short lines for people
    #[default]
    Text,
    /// One JSON document a line
    Json,
}

impl Shared {
    /// Said on the command line (or by AWS_REGION, which clap reads), by the name that boto3 and the first AWS command line
    /// read, or the default.
    pub(crate) fn region(&self, environment: impl Fn(&str) -> Option<String>) -> String {
        let boto = || environment("AWS_DEFAULT_REGION").and_then(|name| region(&name).ok());
        self.region.clone().or_else(boto).unwrap_or_else(|| REGION_DEFAULT.to_owned())
    }
}

/// A region's name goes into host names and signatures: letters, digits and hyphens.
fn region(text: &str) -> Result<String, String> {
    let good = !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    good.then(|| text.to_owned()).ok_or_else(|| "write it as AWS does, such as us-east-1".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    fn parse(line: &str) -> Result<Cli, ErrorKind> {
        Cli::try_parse_from(line.split(' ')).map_err(|error| error.kind())
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn command_lines_are_understood_or_refused() {
        let check = |line: &str, expected: Result<(), ErrorKind>| {
            assert_eq!(parse(line).map(drop), expected, "{line}");
        };
        check("freehold up", Ok(()));
        check("freehold up examples/hello other --listen 127.0.0.1:0 --memory --no-watch", Ok(()));
        check("freehold up --listen nonsense", Err(ErrorKind::ValueValidation));
        check("freehold up --port 4567", Err(ErrorKind::ValueValidation));
        check("freehold up --auth maybe", Err(ErrorKind::InvalidValue));
        check("freehold deploy", Err(ErrorKind::MissingRequiredArgument));
        check("freehold deploy . --param A=1 --param B=x=y --name shop", Ok(()));
        check("freehold deploy . --param A", Err(ErrorKind::ValueValidation));
        check("freehold invoke", Err(ErrorKind::MissingRequiredArgument));
        check("freehold invoke greet {} --log --json", Ok(()));
        check("freehold invoke greet {} -f a.json", Err(ErrorKind::ArgumentConflict));
        check("freehold logs -f greet --since 10m --filter ERROR", Ok(()));
        check("freehold logs --since yesterday", Err(ErrorKind::ValueValidation));
        check("freehold ls functions --json", Ok(()));
        check("freehold ls pods", Err(ErrorKind::InvalidValue));
        check("freehold ls schedules", Ok(()));
        check("freehold fire nightly --group reports", Ok(()));
        check("freehold fire", Err(ErrorKind::MissingRequiredArgument));
        check("freehold top --interval 5", Ok(()));
        check("freehold top --interval 0", Err(ErrorKind::ValueValidation));
        check("freehold deliveries", Ok(()));
        check("freehold deliveries redrive", Err(ErrorKind::MissingRequiredArgument));
        check("freehold deliveries redrive rule/a --all", Err(ErrorKind::ArgumentConflict));
        check("freehold deliveries redrive --all", Ok(()));
        check("freehold tables", Ok(()));
        check("freehold tables list --json", Ok(()));
        check("freehold tables peek", Err(ErrorKind::MissingRequiredArgument));
        check("freehold tables peek orders --limit 0", Err(ErrorKind::ValueValidation));
        check("freehold tables query orders", Err(ErrorKind::MissingRequiredArgument));
        check("freehold tables query orders ada -7 --reverse", Ok(()));
        check("freehold tables query orders ada --from -1 --to 5 --index by-state", Ok(()));
        check("freehold tables query orders ada --begins a --to 5", Err(ErrorKind::ArgumentConflict));
        check("freehold rm", Err(ErrorKind::MissingRequiredArgument));
        check("freehold rm a b --yes", Ok(()));
        check("freehold doctor --json --endpoint http://localhost:1", Ok(()));
        check("freehold --endpoint nonsense:// ls", Err(ErrorKind::ValueValidation));
        check("freehold ls --region Mars!", Err(ErrorKind::ValueValidation));
        check("freehold env --shell fish", Ok(()));
        check("freehold completions bash", Ok(()));
        check("freehold completions csh", Err(ErrorKind::InvalidValue));
        check("freehold version", Ok(()));
        check("freehold launch", Err(ErrorKind::InvalidSubcommand));
        check("freehold", Err(ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand));
    }

    #[test]
    fn the_region_is_found_where_aws_tools_find_it() {
        let check = |line: &str, default: Option<&str>, expected: &str| {
            let shared = parse(line).expect("the line is good").shared;
            // What the test's own environment says is not the question.
            let shared = Shared { region: shared.region.filter(|_| line.contains("--region")), ..shared };
            let environment = |name: &str| default.filter(|_| name == "AWS_DEFAULT_REGION").map(ToOwned::to_owned);
            assert_eq!(shared.region(environment), expected, "{line}, {default:?}");
        };
        check("freehold ls", None, "us-east-1");
        check("freehold ls", Some("eu-west-1"), "eu-west-1");
        check("freehold ls", Some("Mars!"), "us-east-1");
        check("freehold ls --region eu-north-1", Some("eu-west-1"), "eu-north-1");
    }

    #[test]
    fn every_command_is_explained_with_an_example() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no explanation");
            if name == "version" {
                continue;
            }
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(examples.contains(&format!("freehold {name}")), "{name} has no example");
            assert!(examples.contains("\nExit codes: 0 "), "{name} does not tell its exit codes");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{name} does not explain {}", argument.get_id());
            }
        }
    }
}
