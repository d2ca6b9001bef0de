//! `freehold logs`: what functions print, once or followed. Events of several groups are put in order of time.

use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::lookup;
use crate::problem::{Exit, Problem};
use crate::session::Session;
use crate::since::Since;
use crate::tail::{Cursors, Event};

const EXAMPLES: &str = "\
Examples:
  freehold logs greet                    the last hour of one function
  freehold logs -f                       follow all functions
  freehold logs greet --since 2d --filter ERROR
  freehold logs greet --filter '{ $.level = \"error\" }'
  freehold logs /my/own/group --json | jq .message

A name without a slash is a function's, and means the group /aws/lambda/NAME. --filter takes the filter
patterns of CloudWatch Logs: words, \"phrases\", -words to leave out, { $.field = value } for JSON lines.";

/// The pause between two looks at a log that is followed.
const LOOK_AGAIN: Duration = Duration::from_millis(400);
/// Every so many looks, new groups are looked for.
const LOOKS_PER_LISTING: u32 = 5;

/// Show what functions print
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A function, or a log group [default: all functions]
    #[arg(value_name = "NAME|GROUP")]
    name: Option<String>,

    /// Go on and show what comes, until Ctrl-C
    #[arg(short, long)]
    follow: bool,

    /// How far back to begin: 30s, 10m, 2h, 3d, or a moment
    #[arg(long, value_name = "TIME", default_value = "1h")]
    since: Since,

    /// Only what matches this pattern
    #[arg(long, value_name = "PATTERN")]
    filter: Option<String>,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Which groups are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Function(String),
    Group(String),
    AllFunctions,
}

impl Wanted {
    fn new(name: Option<&str>) -> Self {
        match name {
            None => Self::AllFunctions,
            Some(name) if name.contains('/') => match Event::function_of(name) {
                Some(function) => Self::Function(function.to_owned()),
                None => Self::Group(name.to_owned()),
            },
            Some(name) => Self::Function(name.to_owned()),
        }
    }

    /// What the group's name is, or begins with.
    fn prefix(&self) -> String {
        match self {
            Self::Function(name) => format!("{}{name}", Event::FUNCTION_PREFIX),
            Self::Group(group) => group.clone(),
            Self::AllFunctions => Event::FUNCTION_PREFIX.to_owned(),
        }
    }

    fn takes(&self, group: &str) -> bool {
        match self {
            Self::Function(_) | Self::Group(_) => group == self.prefix(),
            Self::AllFunctions => Event::function_of(group).is_some(),
        }
    }
}

/// Prints what there is; with `-f`, what comes.
pub(crate) async fn run(args: &Args, session: &Session) -> Result<Exit, Problem> {
    let client = session.client()?;
    let wanted = Wanted::new(args.name.as_deref());
    let mut groups = list(&client, &wanted).await?;
    if groups.is_empty() {
        explain_absence(&client, &wanted, args.follow, session).await?;
        if !args.follow {
            return Ok(Exit::Done);
        }
    }
    let mut cursors = Cursors::from(args.since.epoch_ms(session.clock.now_ms()));
    let mut printed = 0;
    let mut looks = 0u32;
    loop {
        let events = look(&client, &groups, args.filter.as_deref(), &mut cursors).await?;
        let named = matches!(wanted, Wanted::AllFunctions);
        let text: String = events.iter().map(|event| line(args, session, event, named)).collect();
        printed += events.len();
        if !text.is_empty() {
            session.screen.print(&text)?;
        }
        if !args.follow {
            break;
        }
        session.clock.sleep(LOOK_AGAIN).await;
        looks = looks.wrapping_add(1);
        if groups.is_empty() || looks.is_multiple_of(LOOKS_PER_LISTING) {
            groups = list(&client, &wanted).await?;
        }
    }
    if printed == 0 && !groups.is_empty() {
        session.screen.say(
            &session.screen.err.faint("Nothing in that time. Look further back with --since, such as --since 7d."),
        );
    }
    Ok(Exit::Done)
}

fn line(args: &Args, session: &Session, event: &Event, named: bool) -> String {
    if args.json { format!("{}\n", event.document()) } else { event.line(&session.screen.out, named) }
}

async fn list(client: &Client, wanted: &Wanted) -> Result<Vec<String>, Problem> {
    let groups = lookup::log_groups(client, Some(&wanted.prefix())).await?;
    let names = groups.iter().filter_map(|group| group.get("logGroupName")?.as_str());
    Ok(names.filter(|name| wanted.takes(name)).map(ToOwned::to_owned).collect())
}

/// There is no log: because nothing was called yet, or because the name is wrong?
async fn explain_absence(client: &Client, wanted: &Wanted, follow: bool, session: &Session) -> Result<(), Problem> {
    let message = match wanted {
        Wanted::Group(group) => {
            let all = lookup::log_groups(client, None).await?;
            let names = all.iter().filter_map(|group| group.get("logGroupName")?.as_str());
            let problem = Problem::new(format!("There is no log group '{group}' at {}.", client.endpoint()));
            return Err(problem.advise(
                crate::near::did_you_mean(group, names)
                    .unwrap_or_else(|| "See which there are with: freehold ls logs".to_owned()),
            ));
        }
        Wanted::Function(name) => {
            let input = json!({ "FunctionName": name });
            match client.call("lambda", "GetFunctionConfiguration", &input).await {
                Ok(_) => format!("{name} has not been called yet, so it has no log."),
                Err(error) if error.is_not_found() => return Err(lookup::no_such_function(client, name).await),
                Err(error) => return Err(error.into()),
            }
        }
        Wanted::AllFunctions => "No function has been called yet, so there is no log.".to_owned(),
    };
    let rest = if follow { " Waiting for the first line…" } else { "" };
    session.screen.say(&session.screen.err.faint(&format!("{message}{rest}")));
    Ok(())
}

/// What is new in all groups, in order of time.
async fn look(
    client: &Client,
    groups: &[String],
    filter: Option<&str>,
    cursors: &mut Cursors,
) -> Result<Vec<Event>, Problem> {
    let mut fresh = Vec::new();
    for group in groups {
        let mut input = json!({ "logGroupName": group, "startTime": cursors.start(group) });
        if let Some(filter) = filter {
            input["filterPattern"] = json!(filter);
        }
        loop {
            let page = match client.call("logs", "FilterLogEvents", &input).await {
                Ok(page) => page,
                // Deleted since we listed it.
                Err(error) if error.is_not_found() => break,
                Err(error) => return Err(error.into()),
            };
            let events = page.get("events").and_then(|events| events.as_array()).into_iter().flatten();
            fresh.extend(cursors.take(group, events.filter_map(|event| Event::read(group, event))));
            match page.get("nextToken").and_then(|token| token.as_str()) {
                Some(token) => input["nextToken"] = json!(token),
                None => break,
            }
        }
    }
    fresh.sort_by_key(|event| event.time_ms);
    Ok(fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_function_and_a_path_is_a_group() {
        let check = |name: Option<&str>, expected: Wanted, prefix: &str| {
            let wanted = Wanted::new(name);
            assert_eq!(wanted.prefix(), prefix);
            assert_eq!(wanted, expected);
        };
        check(None, Wanted::AllFunctions, "/aws/lambda/");
        check(Some("greet"), Wanted::Function("greet".to_owned()), "/aws/lambda/greet");
        check(Some("/aws/lambda/greet"), Wanted::Function("greet".to_owned()), "/aws/lambda/greet");
        check(Some("my/group"), Wanted::Group("my/group".to_owned()), "my/group");
        assert!(!Wanted::new(Some("greet")).takes("/aws/lambda/greeter"));
        assert!(Wanted::AllFunctions.takes("/aws/lambda/x") && !Wanted::AllFunctions.takes("/other"));
    }
}
