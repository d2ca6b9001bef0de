//! `freehold fire NAME`: fires a schedule now, and leaves its times as they are.

use base::did_you_mean;
use serde_json::{Value, json};

use crate::problem::{Exit, Problem};
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  freehold fire nightly                    fire a schedule of the default group
  freehold fire nightly --group reports    fire one of another group
  freehold ls schedules                    which there are, and when they fire by themselves

A disabled schedule is fired too. What it calls is called as it would be at its time: freehold logs shows what a function did.

Exit codes: 0 it is on its way, 1 it is not, 2 the command line is wrong.";

/// Fire a schedule now
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The schedule
    name: String,

    /// Its group
    #[arg(long, value_name = "GROUP", default_value = "default")]
    group: String,
}

/// Asks the node to fire it.
pub(crate) async fn run(args: &Args, session: &Session) -> Result<Exit, Problem> {
    let client = session.client()?;
    let wish = json!({ "name": args.name, "group": args.group });
    let fired = match client.post("/_schedules/fire", &wish).await {
        Ok(fired) => fired,
        Err(error) if error.is_not_found() => {
            let listed = client.get("/_schedules").await?;
            let advice = advice(&args.name, &args.group, &listed);
            return Err(Problem::from(error).advise(&advice));
        }
        Err(error) => return Err(error.into()),
    };
    let target = fired.get("target").and_then(Value::as_str).unwrap_or_default();
    session.screen.say(&format!("Fired {}: it calls {target}.", args.name));
    Ok(Exit::Done)
}

/// What may have been meant.
fn advice(name: &str, group: &str, listed: &Value) -> String {
    let text = |row: &Value, member: &str| row.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let rows: Vec<(String, String)> = listed
        .get("schedules")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|row| (text(row, "group"), text(row, "name")))
        .collect();
    if let Some((other, _)) = rows.iter().find(|(other, known)| known == name && other != group) {
        return format!("There is one in the group {other}: freehold fire {name} --group {other}");
    }
    did_you_mean(name, rows.iter().map(|(_, known)| known.as_str()))
        .unwrap_or_else(|| "See which there are with: freehold ls schedules".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_answered_with_what_may_be_meant() {
        let listed = json!({ "schedules": [
            { "group": "reports", "name": "nightly" },
            { "group": "default", "name": "hourly" },
        ] });
        let check = |name: &str, expected: &str| assert_eq!(advice(name, "default", &listed), expected);
        check("nightly", "There is one in the group reports: freehold fire nightly --group reports");
        check("hourli", "Did you mean 'hourly'?");
        check("zzz", "See which there are with: freehold ls schedules");
    }
}
