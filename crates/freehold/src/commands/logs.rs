//! `freehold logs`: what functions print, once or followed. Events of several groups are put in order of time.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::stream::{BoxStream, SelectAll};
use futures_util::{FutureExt, StreamExt};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::client::Client;
use crate::lookup;
use crate::problem::{Exit, Problem};
use crate::session::Session;
use crate::since::Since;
use crate::tail::Event;

const EXAMPLES: &str = "\
Examples:
  freehold logs greet                    the last hour of one function
  freehold logs -f                       follow all functions
  freehold logs greet --since 2d --filter ERROR
  freehold logs greet --filter '{ $.level = \"error\" }'
  freehold logs /my/own/group --json | jq .message

A name without a slash is a function's, and means what it says in the group that it logs to, mostly
/aws/lambda/NAME. --filter takes the filter patterns of CloudWatch Logs: words, \"phrases\", -words to leave out, { $.field = value } for JSON lines.

Exit codes: 0 printed (perhaps nothing), 1 there is no such log or the node stopped, 2 the command line is wrong.";

/// How often new functions are looked for while all are followed.
const LIST_AGAIN: Duration = Duration::from_secs(1);
/// Each followed group is a connection.
const GROUPS_FOLLOWED_MAX: usize = 200;
/// How many events of several groups are held to be put in order.
const EVENTS_HELD_MAX: usize = 100_000;
/// How many events that came at once are put in order and printed together.
const EVENTS_TOGETHER_MAX: usize = 500;

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
    /// Its name, and the group that it logs to, where that is not the usual one.
    Function(String, Option<String>),
    Group(String),
    AllFunctions,
}

impl Wanted {
    fn new(name: Option<&str>) -> Self {
        match name {
            None => Self::AllFunctions,
            Some(name) if name.contains('/') => Self::Group(name.to_owned()),
            Some(name) => Self::Function(name.to_owned(), None),
        }
    }

    /// A function may log to a group of any name, together with others. Of one that is gone only the usual one is known.
    async fn ask_for_group(&mut self, client: &Client) {
        if let Self::Function(name, group) = self {
            let configuration =
                client.call("lambda", "GetFunctionConfiguration", &json!({ "FunctionName": name })).await;
            *group = configuration.ok().as_ref().and_then(lookup::own_log_group).map(ToOwned::to_owned);
        }
    }

    /// What the group's name is, or begins with.
    fn prefix(&self) -> String {
        match self {
            Self::Function(_, Some(group)) => group.clone(),
            Self::Function(name, None) => format!("{}{name}", Event::FUNCTION_PREFIX),
            Self::Group(group) => group.clone(),
            Self::AllFunctions => Event::FUNCTION_PREFIX.to_owned(),
        }
    }

    fn takes(&self, group: &str) -> bool {
        match self {
            Self::Function(..) | Self::Group(_) => group == self.prefix(),
            Self::AllFunctions => Event::function_of(group).is_some(),
        }
    }

    /// The function that is meant, or whose group is.
    fn own_function(&self) -> Option<&str> {
        match self {
            Self::Function(name, _) => Some(name),
            Self::Group(group) => Event::function_of(group),
            Self::AllFunctions => None,
        }
    }

    /// Whose events alone are meant, of a group that several functions may share.
    fn function(&self) -> Option<&str> {
        match self {
            Self::Function(name, _) => Some(name),
            Self::Group(_) | Self::AllFunctions => None,
        }
    }
}

/// Prints what there is; with `-f`, what comes.
pub(crate) async fn run(args: &Args, session: &Session) -> Result<Exit, Problem> {
    let client = session.client()?;
    let mut wanted = Wanted::new(args.name.as_deref());
    let since_ms = args.since.epoch_ms(session.clock.now_ms());
    if args.name.as_ref().is_some_and(|name| !name.contains('/')) {
        wanted.ask_for_group(&client).await;
    }
    let mut groups = list(&client, &wanted).await?;
    if let Wanted::Function(name, None) = &wanted
        && groups.is_empty()
    {
        // Few groups have a name without a slash, but they may.
        let group = Wanted::Group(name.clone());
        groups = list(&client, &group).await?;
        if !groups.is_empty() {
            wanted = group;
        }
    }
    if groups.is_empty() {
        explain_absence(&client, &wanted, args.follow, session).await?;
    }
    if args.follow {
        return follow(args, session, &client, &wanted, since_ms).await;
    }
    let search = Search { filter: args.filter.as_deref(), since_ms, function: wanted.function() };
    let printed = look(&client, &groups, search, |events| print(args, session, &wanted, events));
    if printed.await? == 0 && !groups.is_empty() {
        let hint = "Nothing in that time. Look further back with --since, such as --since 7d.";
        session.screen.say(&session.screen.err.faint(hint));
    }
    Ok(Exit::Done)
}

/// Prints what is there and what comes, until the node stops or we are stopped.
async fn follow(
    args: &Args,
    session: &Session,
    client: &Client,
    wanted: &Wanted,
    since_ms: i64,
) -> Result<Exit, Problem> {
    let mut followed = BTreeSet::new();
    let mut events = SelectAll::new();
    loop {
        let groups = match wanted {
            // A group that is not there yet is waited for.
            Wanted::Function(..) | Wanted::Group(_) => vec![wanted.prefix()],
            Wanted::AllFunctions => list(client, wanted).await?,
        };
        for group in groups {
            if followed.len() < GROUPS_FOLLOWED_MAX && followed.insert(group.clone()) {
                let search = Search { filter: args.filter.as_deref(), since_ms, function: wanted.function() };
                events.push(stream(client, group, search).await?);
                if followed.len() == GROUPS_FOLLOWED_MAX {
                    session
                        .screen
                        .say(&format!("Following {GROUPS_FOLLOWED_MAX} functions; name one to follow another."));
                }
            }
        }
        let until = session.clock.elapsed() + LIST_AGAIN;
        loop {
            let patience = until.saturating_sub(session.clock.elapsed());
            let first = tokio::select! {
                event = events.next(), if !events.is_empty() => event,
                () = session.clock.sleep(patience) => break,
            };
            let Some(first) = first else { break };
            let mut together = vec![first?];
            while together.len() < EVENTS_TOGETHER_MAX
                && let Some(Some(event)) = events.next().now_or_never()
            {
                together.push(event?);
            }
            together.sort_by_key(|event| event.time_ms);
            print(args, session, wanted, &together)?;
        }
    }
}

/// What is looked for in a group.
#[derive(Clone, Copy)]
struct Search<'a> {
    filter: Option<&'a str>,
    since_ms: i64,
    /// What others say in the same group is not meant.
    function: Option<&'a str>,
}

impl Search<'_> {
    fn takes(&self, event: &Event) -> bool {
        self.function.is_none_or(|function| event.may_be_of(function))
    }
}

/// One group's events: those that are there from some moment on, and then each new one. It ends with an error, for only a
/// node that stops ends it.
async fn stream<'a>(
    client: &Client,
    group: String,
    search: Search<'a>,
) -> Result<BoxStream<'a, Result<Event, Problem>>, Problem> {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let path = format!(
        "/_logs/{}?since={}&pattern={}&region={}",
        encode(&group),
        search.since_ms,
        encode(search.filter.unwrap_or_default()),
        client.region()
    );
    let lines = client.lines_of_get(&path).await?;
    let events = futures_util::stream::unfold(Some((lines, group)), move |state| async move {
        let (mut lines, group) = state?;
        loop {
            let event = match lines.next().await {
                Ok(Some(line)) => match Event::read(&group, &line) {
                    Some(event) if search.takes(&event) => Ok(event),
                    Some(_) | None => continue,
                },
                Ok(None) => Err(lines.broken_off().into()),
                Err(error) => Err(error.into()),
            };
            let rest = event.is_ok().then_some((lines, group));
            return Some((event, rest));
        }
    });
    Ok(events.boxed())
}

fn print(args: &Args, session: &Session, wanted: &Wanted, events: &[Event]) -> Result<(), Problem> {
    if events.is_empty() {
        return Ok(());
    }
    let named = matches!(wanted, Wanted::AllFunctions);
    let text: String = events.iter().map(|event| line(args, session, event, named)).collect();
    session.screen.print(&text)?;
    Ok(())
}

fn line(args: &Args, session: &Session, event: &Event, named: bool) -> String {
    if args.json { format!("{}\n", event.document()) } else { event.line(&session.screen.out, named) }
}

async fn list(client: &Client, wanted: &Wanted) -> Result<Vec<String>, Problem> {
    let groups = lookup::log_groups(client, Some(&wanted.prefix())).await?;
    let names = groups.iter().filter_map(|group| group.get("logGroupName")?.as_str());
    let mut names: BTreeSet<String> = names.filter(|name| wanted.takes(name)).map(ToOwned::to_owned).collect();
    if *wanted == Wanted::AllFunctions {
        let functions = lookup::functions(client).await?;
        names.extend(functions.iter().filter_map(lookup::own_log_group).map(ToOwned::to_owned));
    }
    Ok(names.into_iter().collect())
}

/// There is no log: because nothing was called yet, or because the name is wrong?
async fn explain_absence(client: &Client, wanted: &Wanted, follow: bool, session: &Session) -> Result<(), Problem> {
    let message = match (wanted, wanted.own_function()) {
        (_, Some(name)) => {
            let input = json!({ "FunctionName": name });
            match client.call("lambda", "GetFunctionConfiguration", &input).await {
                Ok(_) => format!("{name} has not been called yet, so it has no log."),
                Err(error) if error.is_not_found() => return Err(lookup::no_such_function(client, name).await),
                Err(error) => return Err(error.into()),
            }
        }
        (Wanted::Group(group), None) => {
            let all = lookup::log_groups(client, None).await?;
            let names = all.iter().filter_map(|group| group.get("logGroupName")?.as_str());
            let problem = Problem::new(format!("There is no log group '{group}' at {}.", client.endpoint()));
            return Err(problem.advise(
                base::did_you_mean(group, names)
                    .unwrap_or_else(|| "See which there are with: freehold ls logs".to_owned()),
            ));
        }
        (Wanted::Function(..) | Wanted::AllFunctions, None) => {
            "No function has been called yet, so there is no log.".to_owned()
        }
    };
    let rest = if follow { " Waiting for the first line…" } else { "" };
    session.screen.say(&session.screen.err.faint(&format!("{message}{rest}")));
    Ok(())
}

/// Hands out what is there in all groups, and says how much it was. It is in order of time as far as memory allows: a part of
/// [`EVENTS_HELD_MAX`] events is, and of a single group everything.
async fn look(
    client: &Client,
    groups: &[String],
    search: Search<'_>,
    mut show: impl FnMut(&[Event]) -> Result<(), Problem>,
) -> Result<usize, Problem> {
    let (mut held, mut shown) = (Vec::new(), 0);
    let mut release = |held: &mut Vec<Event>| {
        held.sort_by_key(|event: &Event| event.time_ms);
        shown += held.len();
        show(held)?;
        held.clear();
        Ok::<_, Problem>(shown)
    };
    for group in groups {
        let mut input = json!({ "logGroupName": group, "startTime": search.since_ms });
        if let Some(filter) = search.filter {
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
            held.extend(events.filter_map(|event| Event::read(group, event)).filter(|event| search.takes(event)));
            if groups.len() == 1 || held.len() >= EVENTS_HELD_MAX {
                release(&mut held)?;
            }
            match page.get("nextToken").and_then(|token| token.as_str()) {
                Some(token) => input["nextToken"] = json!(token),
                None => break,
            }
        }
    }
    release(&mut held)
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
        check(Some("greet"), Wanted::Function("greet".to_owned(), None), "/aws/lambda/greet");
        // The group, with what other functions log to it.
        check(Some("/aws/lambda/greet"), Wanted::Group("/aws/lambda/greet".to_owned()), "/aws/lambda/greet");
        assert_eq!(Wanted::new(Some("/aws/lambda/greet")).function(), None);
        assert_eq!(Wanted::new(Some("greet")).function(), Some("greet"));
        check(Some("my/group"), Wanted::Group("my/group".to_owned()), "my/group");
        assert!(!Wanted::new(Some("greet")).takes("/aws/lambda/greeter"));
        let shared = Wanted::Function("greet".to_owned(), Some("/shop".to_owned()));
        assert!(shared.takes("/shop") && !shared.takes("/aws/lambda/greet") && shared.function() == Some("greet"));
        assert!(Wanted::AllFunctions.takes("/aws/lambda/x") && !Wanted::AllFunctions.takes("/other"));
    }
}
