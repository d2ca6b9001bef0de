//! `freehold env`: the lines that make AWS's own tools talk to our node.

use clap::ValueEnum;
use serde_json::json;

use crate::credentials::Source;
use crate::problem::{Exit, Problem};
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  eval \"$(freehold env)\"                     sh, bash, zsh
  freehold env --shell fish | source
  freehold env --shell powershell | Out-String | Invoke-Expression
  freehold env --json

With a node that checks signatures (--auth iam), run it where the node's data folder is, or name
the folder with --data DIR: the lines then carry the node's root key.

Exit codes: 0 printed, 1 the key cannot be read, 2 the command line is wrong.";

/// Print the settings that AWS's own tools need
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Whose syntax to print in
    #[arg(long, value_name = "SHELL", default_value = "sh")]
    shell: Shell,

    /// Print a JSON object instead
    #[arg(long, conflicts_with = "shell")]
    json: bool,
}

/// Shells that set a variable differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shell {
    /// sh, bash, zsh, ksh
    #[value(aliases = ["bash", "zsh", "ksh", "posix"])]
    Sh,
    /// fish
    Fish,
    /// PowerShell
    #[value(alias = "pwsh")]
    Powershell,
}

impl Shell {
    /// One assignment. Single quotes keep every shell from looking inside.
    fn assign(self, name: &str, value: &str) -> String {
        match self {
            Self::Sh => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:+=".contains(&byte);
                if !value.is_empty() && value.bytes().all(plain) {
                    format!("export {name}={value}")
                } else {
                    format!("export {name}='{}'", value.replace('\'', r"'\''"))
                }
            }
            Self::Fish => format!("set -gx {name} '{}'", value.replace('\\', r"\\").replace('\'', r"\'")),
            Self::Powershell => format!("$Env:{name} = '{}'", value.replace('\'', "''")),
        }
    }
}

/// Prints the settings. Needs no node.
pub(crate) fn run(args: &Args, session: &Session) -> Result<Exit, Problem> {
    let settings = settings(session)?;
    let text = if args.json {
        let object: serde_json::Map<_, _> =
            settings.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        format!("{:#}\n", serde_json::Value::Object(object))
    } else {
        settings.iter().map(|(name, value)| args.shell.assign(name, value) + "\n").collect()
    };
    session.screen.print(&text)?;
    Ok(Exit::Done)
}

/// Names and values, in the order in which they are read best.
fn settings(session: &Session) -> Result<Vec<(&'static str, String)>, Problem> {
    let endpoint = session.endpoint()?.to_string();
    let credentials = session.credentials()?;
    let mut settings = vec![("AWS_ENDPOINT_URL", endpoint)];
    match credentials.source {
        // They are in the shell already, and a secret is not printed without need.
        Source::Environment => {}
        Source::DataFolder(_) | Source::Placeholder => {
            settings.push(("AWS_ACCESS_KEY_ID", credentials.key_id));
            settings.push(("AWS_SECRET_ACCESS_KEY", credentials.secret));
        }
    }
    settings.push(("AWS_REGION", session.region().to_owned()));
    // boto3 and version 1 of the command line know only this name.
    settings.push(("AWS_DEFAULT_REGION", session.region().to_owned()));
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_has_its_own_quotes() {
        let check = |shell: Shell, value: &str, expected: &str| assert_eq!(shell.assign("X", value), expected);
        check(Shell::Sh, "http://127.0.0.1:4566", "export X=http://127.0.0.1:4566");
        check(Shell::Sh, "a b'c$d", r"export X='a b'\''c$d'");
        check(Shell::Sh, "http://[::1]:1", "export X='http://[::1]:1'");
        check(Shell::Sh, "", "export X=''");
        check(Shell::Fish, r"a'b\c", r"set -gx X 'a\'b\\c'");
        check(Shell::Powershell, "a'b", "$Env:X = 'a''b'");
    }
}
