//! `freehold deploy DIR`: an application or a single function goes to the node that runs. What is deployed already is changed
//! by difference; what is the same stays untouched.

use std::path::{Path, PathBuf};

use clap::ValueHint;
use indicatif::ProgressBar;

use crate::application::{self, Outcome};
use crate::client::Client;
use crate::function::{self, Function};
use crate::package::{Options, Package};
use crate::problem::{Exit, Problem};
use crate::screen::Look;
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
  bootstrap (executable)        anything that speaks the Lambda Runtime API
  app.wasm                      WebAssembly: a WASI-HTTP component, or a WASI command
  server.js, server.py,         a web server that listens on $PORT
  Procfile, package.json        the same, started by the line `web:`, or by its start script

Exit codes: 0 it is as the folder says, 1 it could not be made so, 2 the command line is wrong.";

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

/// Deploys, and prints where it can be reached.
pub(crate) async fn run(args: &Args, session: &Session) -> Result<Exit, Problem> {
    let client = session.client()?;
    let options = Options {
        name: args.name.clone(),
        parameters: args.parameters.iter().cloned().collect(),
        unusable: Vec::new(),
    };
    let start = session.clock.elapsed();
    let progress = session.screen.progress(format!("reading {}…", args.folder.display()));
    let outcome = deploy(&client, &args.folder, options, &progress).await;
    progress.finish_and_clear();
    let outcome = outcome?;
    let functions = function::describe(&client, outcome.application.functions()).await?;
    let screen = &session.screen;
    outcome.warnings.iter().for_each(|warning| screen.say(&format!("{} {warning}", screen.err.wary("!"))));
    let name = &outcome.application.name;
    let took = (session.clock.elapsed() - start).as_millis();
    screen.say(&if outcome.changed {
        format!("{} {name} deployed in {took} ms", screen.err.good("✓"))
    } else {
        format!("{} {name} is unchanged", screen.err.good("✓"))
    });
    let text = if args.json {
        let mut document = outcome.application.document();
        document["changed"] = outcome.changed.into();
        document["functions"] = functions.iter().map(Function::document).collect();
        format!("{document:#}\n")
    } else {
        text(&outcome, &functions, &screen.out)
    };
    screen.print(&text)?;
    Ok(Exit::Done)
}

async fn deploy(client: &Client, folder: &Path, options: Options, progress: &ProgressBar) -> Result<Outcome, Problem> {
    let package = Package::read(folder, &options).await?;
    application::deploy(client, &package, progress).await
}

/// Functions with their addresses, and the template's outputs.
fn text(outcome: &Outcome, functions: &[Function], look: &Look) -> String {
    let reach = |function: &Function| match &function.url {
        Some(url) => look.link(url),
        None => look.faint(&format!("freehold invoke {}", function.name)),
    };
    let functions = functions.iter().map(|function| (function.name.clone(), reach(function)));
    // A template's outputs are what its author wants told; without a template there is nothing but the address again.
    let outputs = if outcome.has_template { outcome.application.outputs.as_slice() } else { &[] };
    let outputs = outputs.iter().map(|(name, value)| (name.clone(), look.clean(value)));
    let rows: Vec<(String, String)> = functions.chain(outputs).collect();
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    rows.iter().map(|(name, value)| format!("  {name:<width$}  {value}\n")).collect()
}
