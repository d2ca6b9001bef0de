//! `freehold doctor`: what this machine has and lacks for a node, each lack with its remedy. Changes nothing but one small
//! file, which it deletes again.

mod disk;
mod isolation;
mod network;

use serde_json::{Value, json};

use crate::problem::{Exit, Problem};
use crate::screen::Look;
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  freehold doctor
  freehold doctor --json | jq '.checks[] | select(.verdict != \"good\")'

Exit codes: 0 a node can run here, 1 something essential is missing, 2 the command line is wrong.";

/// Check what this machine has and lacks
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// As it should be.
    Good,
    /// A node runs, with less.
    Poor,
    /// A node cannot run, or should not.
    Bad,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Poor => "poor",
            Self::Bad => "bad",
        }
    }

    fn mark(self, look: &Look) -> String {
        match self {
            Self::Good => look.good("✓"),
            Self::Poor => look.wary("!"),
            Self::Bad => look.bad("✗"),
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Check {
    subject: String,
    verdict: Verdict,
    found: String,
    remedy: Option<String>,
}

impl Check {
    fn good(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { subject: subject.into(), verdict: Verdict::Good, found: found.into(), remedy: None }
    }

    fn poor(subject: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Poor, remedy: Some(remedy.into()), ..Self::good(subject, found) }
    }

    fn bad(subject: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Bad, ..Self::poor(subject, found, remedy) }
    }
}

/// Looks at everything, prints it, and fails if something essential is missing.
pub(crate) async fn run(args: &Args, session: &Session) -> Result<Exit, Problem> {
    let progress = session.screen.progress("looking at this machine…");
    let data = session.data().to_owned();
    let clock = session.clock.clone();
    let mut checks = tokio::task::spawn_blocking(move || {
        let mut checks = isolation::checks();
        checks.extend(disk::checks(&data, &clock));
        checks
    })
    .await
    .map_err(|error| Problem::new(format!("The examination broke off: {error}.")))?;
    checks.extend(network::checks(session).await?);
    progress.finish_and_clear();
    let text = if args.json { format!("{:#}\n", document(&checks)) } else { render(&checks, &session.screen.out) };
    session.screen.print(&text)?;
    let fit = checks.iter().all(|check| check.verdict != Verdict::Bad);
    Ok(if fit { Exit::Done } else { Exit::Failed })
}

fn document(checks: &[Check]) -> Value {
    let checks: Vec<Value> = checks
        .iter()
        .map(|check| {
            json!({ "subject": check.subject, "verdict": check.verdict.name(), "found": check.found, "remedy": check.remedy })
        })
        .collect();
    json!({ "version": env!("CARGO_PKG_VERSION"), "checks": checks })
}

/// A line for each check, the remedy below it, and a summary.
fn render(checks: &[Check], look: &Look) -> String {
    let width = checks.iter().map(|check| check.subject.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for check in checks {
        text.push_str(&format!("{} {:<width$}  {}\n", check.verdict.mark(look), check.subject, check.found));
        if let Some(remedy) = &check.remedy {
            text.push_str(&format!("  {:<width$}  {}\n", "", look.faint(&format!("→ {remedy}"))));
        }
    }
    let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    text.push_str(&match (count(Verdict::Bad), count(Verdict::Poor)) {
        (0, 0) => "\nAll is well.\n".to_owned(),
        (0, 1) => "\nA node can run here; one thing could be better.\n".to_owned(),
        (0, poor) => format!("\nA node can run here; {poor} things could be better.\n"),
        (bad, _) => format!("\n{bad} essential {} missing.\n", if bad == 1 { "thing is" } else { "things are" }),
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_have_marks_and_remedies() {
        let checks = [
            Check::good("Node.js", "24.1.0"),
            Check::poor("own network", "missing", "install nftables"),
            Check::bad("disk", "full", "make room"),
        ];
        assert_eq!(
            render(&checks, &Look::plain()),
            "✓ Node.js      24.1.0\n! own network  missing\n               → install nftables\n✗ disk         full\n               \
             → make room\n\n1 essential thing is missing.\n"
        );
        assert!(render(&checks[..1], &Look::plain()).ends_with("\nAll is well.\n"));
        assert!(render(&checks[..2], &Look::plain()).ends_with("one thing could be better.\n"));
        assert_eq!(document(&checks)["checks"][1]["remedy"], "install nftables");
        assert_eq!(document(&checks)["checks"][2]["verdict"], "bad");
    }
}
