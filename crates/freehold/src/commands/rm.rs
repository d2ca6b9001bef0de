//! `freehold rm NAME…`: deletes applications, with everything that they made, or single functions. All names are looked up
//! before the first is deleted, so that a slip in one changes nothing.

use serde_json::json;

use crate::application::{self, Application};
use crate::client::Client;
use crate::lookup;
use crate::problem::{Exit, Problem};
use crate::session::Session;
use base::did_you_mean;

const EXAMPLES: &str = "\
Examples:
  freehold rm greet             one function
  freehold rm hello --yes       an application and all that it made, without a question

Logs are kept; they go when their retention ends. Without a terminal to ask at, nothing is deleted without --yes.

Exit codes: 0 all of it is deleted, 1 something was not (or you said no), 2 the command line is wrong or lacks --yes.";

/// Delete applications or functions
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Applications or functions; where both have a name, the application is meant
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Doomed {
    Application { name: String, resources: usize },
    Function(String),
}

impl Doomed {
    fn describe(&self) -> String {
        match self {
            Self::Application { name, resources } => format!("application {name} ({resources} resources)"),
            Self::Function(name) => format!("function {name}"),
        }
    }
}

/// Looks up, asks, deletes.
pub(crate) async fn run(args: &Args, session: &Session) -> Result<Exit, Problem> {
    let client = session.client()?;
    let (applications, functions) = tokio::try_join!(application::list(&client), lookup::functions(&client))?;
    let functions: Vec<&str> = functions.iter().map(lookup::name_of).collect();
    let doomed: Vec<Doomed> =
        args.names.iter().map(|name| find(name, &applications, &functions)).collect::<Result<_, _>>()?;
    if !args.yes && !agreed(&doomed, session)? {
        session.screen.say("Nothing was deleted.");
        return Ok(Exit::Failed);
    }
    for one in &doomed {
        delete(one, &client, session).await?;
    }
    Ok(Exit::Done)
}

/// Whether a person agrees. Where there is nobody to ask, nobody did.
fn agreed(doomed: &[Doomed], session: &Session) -> Result<bool, Problem> {
    let all: Vec<String> = doomed.iter().map(Doomed::describe).collect();
    let all = all.join(", ");
    if !session.screen.can_ask() {
        return Err(Problem::usage(format!("This would delete {all}, and there is no terminal to ask at."))
            .advise("Nothing was deleted. To delete without a question, say --yes."));
    }
    Ok(session.screen.confirm(&format!("Delete {all}?"))?)
}

async fn delete(doomed: &Doomed, client: &Client, session: &Session) -> Result<(), Problem> {
    match doomed {
        Doomed::Application { name, .. } => {
            let progress = session.screen.progress(format!("deleting {name}…"));
            let deleted = application::delete(client, name, &progress).await;
            progress.finish_and_clear();
            deleted?;
        }
        Doomed::Function(name) => {
            client.call("lambda", "DeleteFunction", &json!({ "FunctionName": name })).await?;
        }
    }
    session.screen.say(&format!("{} deleted {}", session.screen.err.good("✓"), doomed.describe()));
    Ok(())
}

fn find(name: &str, applications: &[Application], functions: &[&str]) -> Result<Doomed, Problem> {
    if let Some(application) = applications.iter().find(|application| application.name == name) {
        return Ok(Doomed::Application { name: name.to_owned(), resources: application.resources.len() });
    }
    if !functions.contains(&name) {
        let names = applications.iter().map(|application| application.name.as_str()).chain(functions.iter().copied());
        let advice = did_you_mean(name, names).unwrap_or_else(|| "See what there is with: freehold ls".to_owned());
        return Err(
            Problem::new(format!("There is no application or function '{name}'; nothing was deleted.")).advise(advice)
        );
    }
    // Deleting it behind its application's back would make the application's next deployment fail.
    match applications.iter().find(|application| application.functions().any(|function| function == name)) {
        Some(owner) => Err(Problem::new(format!(
            "The function '{name}' belongs to the application '{}'; nothing was deleted.",
            owner.name
        ))
        .advise(format!(
            "Take it out of the application's folder or template and deploy again, or delete all of it with: freehold rm {}",
            owner.name
        ))),
        None => Ok(Doomed::Function(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_before_anything_is_deleted() {
        let applications = [Application::fixture("hello", &[("AWS::Lambda::Function", "hello-node")])];
        let functions = ["hello-node", "greet"];
        let check = |name: &str, expected: Result<Doomed, &str>| {
            let found = find(name, &applications, &functions).map_err(|problem| problem.to_string());
            match (found, expected) {
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (found, expected) => assert_eq!(found.ok(), expected.ok()),
            }
        };
        check("hello", Ok(Doomed::Application { name: "hello".to_owned(), resources: 1 }));
        check("greet", Ok(Doomed::Function("greet".to_owned())));
        check("hello-node", Err("belongs to the application 'hello'"));
        check("gret", Err("Did you mean 'greet'?"));
        check("zzzzzz", Err("freehold ls"));
    }
}
