//! `freehold ls`: what is deployed, for a person or for a program.

use base::ByteSize;
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::application::{self, Application};
use crate::client::{Client, Error};
use crate::function::{self, Function};
use crate::lookup;
use crate::problem::{Exit, Problem};
use crate::schedule::{self, Schedule};
use crate::screen::Look;
use crate::session::Session;
use crate::since::ago;

const EXAMPLES: &str = "\
Examples:
  freehold ls                  applications and functions
  freehold ls functions --json | jq -r '.functions[].url'
  freehold ls logs             log groups and their sizes
  freehold ls schedules        schedules, and when they fire next

Exit codes: 0 listed (perhaps nothing), 1 the node cannot be asked, 2 the command line is wrong.";

/// List what is deployed
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only these [default: applications and functions]
    what: Option<What>,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Functions, with their addresses
    #[value(alias = "function")]
    Functions,
    /// Applications that were deployed from folders and templates
    #[value(aliases = ["app", "applications", "stacks"])]
    Apps,
    /// Log groups
    #[value(alias = "groups")]
    Logs,
    /// Schedules
    #[value(alias = "schedule")]
    Schedules,
}

/// Prints one list, or the usual two.
pub(crate) async fn run(args: &Args, session: &Session) -> Result<Exit, Problem> {
    let client = session.client()?;
    let listing = match args.what {
        Some(What::Functions) => Listing { functions: Some(function::list(&client).await?), ..Listing::default() },
        Some(What::Apps) => Listing { applications: Some(application::list(&client).await?), ..Listing::default() },
        Some(What::Logs) => Listing { groups: Some(groups(&client).await?), ..Listing::default() },
        Some(What::Schedules) => Listing { schedules: Some(schedule::list(&client).await?), ..Listing::default() },
        None => {
            let (applications, functions) = tokio::try_join!(application::list(&client), function::list(&client))?;
            Listing { applications: Some(applications), functions: Some(functions), ..Listing::default() }
        }
    };
    let text = if args.json {
        format!("{:#}\n", listing.document())
    } else {
        listing.text(&session.screen.out, session.clock.now_ms())
    };
    session.screen.print(&text)?;
    Ok(Exit::Done)
}

/// What was asked for.
#[derive(Debug, Default)]
struct Listing {
    applications: Option<Vec<Application>>,
    functions: Option<Vec<Function>>,
    groups: Option<Vec<Group>>,
    schedules: Option<Vec<Schedule>>,
}

impl Listing {
    fn text(&self, look: &Look, now_ms: i64) -> String {
        let mut parts = Vec::new();
        if let Some(applications) = &self.applications
            && (!applications.is_empty() || self.functions.is_none())
        {
            let rows: Vec<_> = applications.iter().map(|one| one.row(now_ms)).collect();
            parts.push(table_or(look, &Application::HEADER, &rows, "No application is deployed."));
        }
        if let Some(functions) = &self.functions {
            let rows: Vec<_> = functions.iter().map(|one| one.row(now_ms)).collect();
            let none = "No function is deployed. Deploy a folder with: freehold deploy DIR";
            parts.push(table_or(look, &Function::HEADER, &rows, none));
        }
        if let Some(groups) = &self.groups {
            let rows: Vec<_> = groups.iter().map(|one| one.row(now_ms)).collect();
            parts.push(table_or(look, &Group::HEADER, &rows, "There is no log group."));
        }
        if let Some(schedules) = &self.schedules {
            let rows: Vec<_> = schedules.iter().map(Schedule::row).collect();
            parts.push(table_or(look, &Schedule::HEADER, &rows, "There is no schedule."));
        }
        parts.join("\n")
    }

    fn document(&self) -> Value {
        let mut document = json!({});
        if let Some(applications) = &self.applications {
            document["applications"] = applications.iter().map(Application::document).collect();
        }
        if let Some(functions) = &self.functions {
            document["functions"] = functions.iter().map(Function::document).collect();
        }
        if let Some(groups) = &self.groups {
            document["logGroups"] = groups.iter().map(Group::document).collect();
        }
        if let Some(schedules) = &self.schedules {
            document["schedules"] = schedules.iter().map(Schedule::document).collect();
        }
        document
    }
}

fn table_or(look: &Look, header: &[&str], rows: &[Vec<String>], none: &str) -> String {
    if rows.is_empty() { format!("{}\n", look.faint(none)) } else { look.table(header, rows) }
}

/// A log group.
#[derive(Debug)]
struct Group {
    name: String,
    bytes: u64,
    retention_days: Option<u64>,
    made_ms: Option<i64>,
}

impl Group {
    const HEADER: [&str; 4] = ["LOG GROUP", "STORED", "KEPT", "MADE"];

    fn row(&self, now_ms: i64) -> Vec<String> {
        vec![
            self.name.clone(),
            ByteSize(self.bytes).to_string(),
            self.retention_days.map_or_else(|| "for ever".to_owned(), |days| format!("{days} days")),
            self.made_ms.map(|then| ago(then, now_ms)).unwrap_or_default(),
        ]
    }

    fn document(&self) -> Value {
        json!({ "name": self.name, "storedBytes": self.bytes, "retentionDays": self.retention_days })
    }
}

async fn groups(client: &Client) -> Result<Vec<Group>, Error> {
    let all = lookup::log_groups(client, None).await?;
    let group = |group: &Value| Group {
        name: group.get("logGroupName").and_then(Value::as_str).unwrap_or_default().to_owned(),
        bytes: group.get("storedBytes").and_then(Value::as_u64).unwrap_or_default(),
        retention_days: group.get("retentionInDays").and_then(Value::as_u64),
        made_ms: group.get("creationTime").and_then(Value::as_i64),
    };
    Ok(all.iter().map(group).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_for_people_and_for_programs() {
        let listing = Listing {
            applications: Some(Vec::new()),
            functions: Some(vec![Function::fixture("greet", Some("http://localhost:4566/_fn/greet/"))]),
            ..Listing::default()
        };
        assert_eq!(
            listing.text(&Look::plain(), 70_000),
            "FUNCTION  LANGUAGE    MEMORY   STATE   CHANGED    URL\n\
             greet     python3.13  128 MiB  Active  1 min ago  http://localhost:4566/_fn/greet/\n"
        );
        let document = listing.document();
        assert_eq!(document["applications"], json!([]));
        assert_eq!(document["functions"][0]["name"], "greet");
        assert_eq!(document["functions"][0]["changed"], "1970-01-01T00:00:10Z");
        assert_eq!(document.get("logGroups"), None);
    }

    #[test]
    fn an_empty_node_says_how_to_begin() {
        let listing = Listing { applications: Some(Vec::new()), functions: Some(Vec::new()), ..Listing::default() };
        assert_eq!(
            listing.text(&Look::plain(), 0),
            "No function is deployed. Deploy a folder with: freehold deploy DIR\n"
        );
    }
}
