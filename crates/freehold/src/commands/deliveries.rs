//! `freehold deliveries`: what is on its way, what stands still and why; and sending again what failed.

use serde_json::{Value, json};

use crate::problem::{Exit, Problem};
use crate::screen::Look;
use crate::session::Session;
use crate::since::ago;

const EXAMPLES: &str = "\
Examples:
  freehold deliveries                        lanes that have something, and their last error
  freehold deliveries | jq '.lanes[] | select(.failed > 0)'
  freehold deliveries redrive 'rule/arn:aws:events:us-east-1:000000000000:rule/r → …'
  freehold deliveries redrive --all          send again everything that failed

A lane is what one source sends one target. What waits for its next try is tried at once by a redrive too.

Exit codes: 0 shown or sent again, 1 the node cannot be asked, 2 the command line is wrong.";

/// Show what is on its way and what failed, and send it again
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to do [default: show]
    #[command(subcommand)]
    command: Option<Command>,

    /// Print a JSON object, on a terminal too
    #[arg(long)]
    json: bool,
}

/// What can be done.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Send again what failed
    Redrive(Redrive),
}

#[derive(Debug, clap::Args)]
struct Redrive {
    /// The lane, as it is shown
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    lane: Option<String>,

    /// All lanes
    #[arg(long)]
    all: bool,
}

/// Shows, or sends again.
pub(crate) async fn run(args: &Args, session: &Session) -> Result<Exit, Problem> {
    let client = session.client()?;
    let text = match &args.command {
        None => {
            let report = client.get("/_deliveries").await?;
            match args.json || !session.screen.out.terminal {
                true => format!("{report:#}\n"),
                false => table(&report, &session.screen.out, session.clock.now_ms()),
            }
        }
        Some(Command::Redrive(redrive)) => {
            let wish = match &redrive.lane {
                Some(lane) => json!({ "lane": lane }),
                None => json!({ "all": true }),
            };
            let answer =
                client.post("/_deliveries/redrive", &wish).await.map_err(|error| match error.is_not_found() {
                    true => Problem::from(error).advise("See which there are with: freehold deliveries"),
                    false => error.into(),
                })?;
            match args.json {
                true => format!("{answer:#}\n"),
                false => format!("{} sent again\n", answer["redriven"]),
            }
        }
    };
    session.screen.print(&text)?;
    Ok(Exit::Done)
}

const HEADER: [&str; 6] = ["LANE", "WAITING", "IN FLIGHT", "FAILED", "NEXT TRY", "LAST ERROR"];

fn table(report: &Value, look: &Look, now_ms: i64) -> String {
    let lanes = report["lanes"].as_array().map(Vec::as_slice).unwrap_or_default();
    if lanes.is_empty() {
        return format!("{}\n", look.faint("Nothing waits, and nothing failed."));
    }
    let rows: Vec<Vec<String>> = lanes.iter().map(|lane| row(lane, look, now_ms)).collect();
    look.table(&HEADER, &rows)
}

fn row(lane: &Value, look: &Look, now_ms: i64) -> Vec<String> {
    let number = |name: &str| lane[name].as_u64().unwrap_or_default();
    let text = |value: &Value| look.clean(value.as_str().unwrap_or_default());
    let failed = match number("failed") {
        0 => "0".to_owned(),
        some => look.bad(&some.to_string()),
    };
    let next = lane["nextTryMs"].as_i64().map(|next_ms| match next_ms - now_ms {
        late if late < 0 => ago(next_ms, now_ms),
        ms => format!("in {} s", (ms + 999) / 1000),
    });
    let error = &lane["lastError"];
    let error = match error.is_object() {
        true => format!("{}: {}", text(&error["code"]), text(&error["message"])),
        false => String::new(),
    };
    vec![
        text(&lane["lane"]),
        number("waiting").to_string(),
        number("inFlight").to_string(),
        failed,
        next.unwrap_or_default(),
        error,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_shown_with_what_went_wrong() {
        let report = json!({ "lanes": [{
            "lane": "rule/a → b", "order": "any", "waiting": 3, "inFlight": 1, "failed": 2, "nextTryMs": 11_500,
            "lastError": { "code": "QueueDoesNotExist", "message": "It is \u{1b}]0;x\u{7}not there." },
        }] });
        let shown = table(&report, &Look::plain(), 10_000);
        for expected in ["LANE", "rule/a → b", "in 2 s", "QueueDoesNotExist: It is", "not there."] {
            assert!(shown.contains(expected), "{expected} in {shown}");
        }
        let cells = row(&report["lanes"][0], &Look::colourful(), 10_000);
        assert_eq!(cells[5], r"QueueDoesNotExist: It is \u{1b}]0;x\u{7}not there.", "others do not steer the terminal");
        assert_eq!(table(&json!({ "lanes": [] }), &Look::plain(), 0), "Nothing waits, and nothing failed.\n");
    }
}
