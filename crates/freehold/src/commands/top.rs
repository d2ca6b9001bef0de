//! `freehold top`: what functions do at this moment, once a second; a table elsewhere than on a terminal.

use std::collections::BTreeMap;
use std::time::Duration;

use base::ByteSize;
use serde_json::Value;

use super::signals::Signals;
use crate::client::Client;
use crate::problem::{Exit, Problem};
use crate::screen::{Look, Screen};
use crate::session::Session;

/// What Lambda asks for a gigabyte of memory for a second, and for a call, in dollars (x86, us-east-1, without its free tier).
const LAMBDA_GIGABYTE_SECOND: f64 = 0.000_016_666_7;
const LAMBDA_CALL: f64 = 0.000_000_2;

const EXAMPLES: &str = "\
Examples:
  freehold top                 live; Ctrl-C ends it
  freehold top | cat           one table of the next second
  freehold top --json | jq '.functions[] | {arn, calls, errors}'

Numbers: calls a second and durations are those of the interval; errors, cold starts, throttles and gigabyte-seconds
count since the node started. ON LAMBDA is what Lambda would ask for them (x86 in us-east-1, without its free tier).

Exit codes: 0 shown, 1 the node cannot be asked, 2 the command line is wrong.";

/// Watch what functions do
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,

    /// Print a JSON object with the counts of this moment
    #[arg(long)]
    json: bool,
}

/// Shows it until somebody has seen enough.
pub(crate) async fn run(args: &Args, session: &Session) -> Result<Exit, Problem> {
    let client = session.client()?;
    let first = look(&client).await?;
    if args.json {
        session.screen.print(&format!("{first:#}\n"))?;
        return Ok(Exit::Done);
    }
    let interval = Duration::from_secs(args.interval);
    let (mut before, mut then) = (Counted::read(&first), session.clock.elapsed());
    // Before the page is there: who listens anew at each turn misses what is pressed while the node is asked.
    let mut signals = Signals::listen()?;
    let page = session.screen.out.terminal.then(|| Page::open(&session.screen)).transpose()?;
    loop {
        tokio::select! {
            () = session.clock.sleep(interval) => {}
            () = signals.next() => return Ok(Exit::Done),
        }
        let report = tokio::select! {
            report = look(&client) => report?,
            () = signals.next() => return Ok(Exit::Done),
        };
        let now = session.clock.elapsed();
        let after = Counted::read(&report);
        let text = after.text(&before, now.saturating_sub(then), &session.screen.out);
        match &page {
            Some(page) => page.show(&text)?,
            None => {
                session.screen.print(&text)?;
                return Ok(Exit::Done);
            }
        }
        (before, then) = (after, now);
    }
}

async fn look(client: &Client) -> Result<Value, Problem> {
    Ok(client.get("/_activity").await?)
}

/// A page of its own on the terminal, which is as it was when this is dropped.
struct Page<'a>(&'a Screen);

impl<'a> Page<'a> {
    fn open(screen: &'a Screen) -> std::io::Result<Self> {
        // The other screen, without a cursor.
        screen.print("\u{1b}[?1049h\u{1b}[?25l\u{1b}[H\u{1b}[JLooking …\n")?;
        Ok(Self(screen))
    }

    fn show(&self, text: &str) -> std::io::Result<()> {
        let rows = console::Term::stdout().size_checked().map_or(usize::MAX, |(rows, _)| usize::from(rows));
        let lines: Vec<&str> = text.lines().take(rows.saturating_sub(1)).collect();
        self.0.print(&format!("\u{1b}[H\u{1b}[J{}\n", lines.join("\n")))
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        drop(self.0.print("\u{1b}[?25h\u{1b}[?1049l"));
    }
}

/// Everything at one moment, by ARN.
#[derive(Debug, Default)]
struct Counted {
    functions: BTreeMap<String, Function>,
    starting: u64,
    /// Guests that are nobody's yet.
    ahead: u64,
    /// What belongs to no instance.
    other_bytes: u64,
}

/// One function's numbers.
#[derive(Clone, Debug, Default)]
struct Function {
    calls: u64,
    errors: u64,
    cold_starts: u64,
    throttles: u64,
    billed_mb_ms: u64,
    durations: Vec<u64>,
    busy: u64,
    idle: u64,
    frozen: u64,
    memory_bytes: u64,
}

impl Counted {
    fn read(report: &Value) -> Self {
        let list = |name: &str| report.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let number = |document: &Value, name: &str| document.get(name).and_then(Value::as_u64).unwrap_or_default();
        let text =
            |document: &Value, name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut functions: BTreeMap<String, Function> = BTreeMap::new();
        for one in list("functions") {
            let durations = one.get("durations").and_then(Value::as_array).cloned().unwrap_or_default();
            let function = Function {
                calls: number(&one, "calls"),
                errors: number(&one, "errors"),
                cold_starts: number(&one, "coldStarts"),
                throttles: number(&one, "throttles"),
                billed_mb_ms: number(&one, "billedMbMs"),
                durations: durations.iter().map(|count| count.as_u64().unwrap_or_default()).collect(),
                ..Function::default()
            };
            functions.insert(text(&one, "arn"), function);
        }
        for one in list("instances") {
            let function = functions.entry(text(&one, "arn")).or_default();
            match text(&one, "state").as_str() {
                "busy" => function.busy += 1,
                "frozen" => function.frozen += 1,
                _ => function.idle += 1,
            }
            function.memory_bytes += number(&one, "memoryBytes");
        }
        let ahead = report.get("bootedAhead").cloned().unwrap_or_default();
        Self {
            functions,
            starting: number(report, "starting"),
            ahead: number(&ahead, "ready"),
            other_bytes: number(&ahead, "memoryBytes") + number(report, "inProcessBytes"),
        }
    }

    /// What happened since an earlier moment, the busiest function first.
    fn text(&self, before: &Self, took: Duration, look: &Look) -> String {
        let seconds = took.as_secs_f64().max(0.001);
        let nothing = Function::default();
        let mut lines: Vec<(f64, &str, &Function, [Option<f64>; 2])> = self
            .functions
            .iter()
            .map(|(arn, now)| {
                let then = before.functions.get(arn).unwrap_or(&nothing);
                let rate = now.calls.saturating_sub(then.calls) as f64 / seconds;
                (rate, arn.as_str(), now, [0.5, 0.99].map(|share| now.quantile(then, share)))
            })
            .collect();
        lines.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(other.1)));
        let sum = |number: fn(&Function) -> u64| self.functions.values().map(number).sum::<u64>();
        let rate: f64 = lines.iter().map(|line| line.0).sum();
        let mut text = format!(
            "{} calls/s · instances: {} busy, {} idle, {} frozen, {} starting · {} booted ahead · {} of memory\n\n",
            short(rate),
            sum(|one| one.busy),
            sum(|one| one.idle),
            sum(|one| one.frozen),
            self.starting,
            self.ahead,
            ByteSize(sum(|one| one.memory_bytes) + self.other_bytes),
        );
        if lines.is_empty() {
            text.push_str(&look.faint("No function was called since the node started.\n"));
            return text;
        }
        let rows: Vec<Vec<String>> =
            lines.into_iter().map(|(rate, arn, now, times)| now.row(rate, arn, times)).collect();
        text.push_str(&look.table(&HEADER, &rows));
        text
    }
}

const HEADER: [&str; 12] = [
    "FUNCTION",
    "CALLS/S",
    "P50",
    "P99",
    "ERRORS",
    "COLD",
    "THROTTLED",
    "BUSY",
    "IDLE",
    "FROZEN",
    "MEMORY",
    "ON LAMBDA",
];

impl Function {
    fn row(&self, rate: f64, arn: &str, times: [Option<f64>; 2]) -> Vec<String> {
        let gigabyte_seconds = self.billed_mb_ms as f64 / 1024.0 / 1000.0;
        let dollars = gigabyte_seconds * LAMBDA_GIGABYTE_SECOND + self.calls as f64 * LAMBDA_CALL;
        let [half, most] = times.map(|time| time.map_or_else(|| "-".to_owned(), milliseconds));
        vec![
            arn.rsplit(':').next().unwrap_or_default().to_owned(),
            short(rate),
            half,
            most,
            self.errors.to_string(),
            self.cold_starts.to_string(),
            self.throttles.to_string(),
            self.busy.to_string(),
            self.idle.to_string(),
            self.frozen.to_string(),
            ByteSize(self.memory_bytes).to_string(),
            format!("${dollars:.6}"),
        ]
    }

    /// The duration that this share of the calls since then did not exceed, in milliseconds, to within a fifth.
    fn quantile(&self, then: &Self, share: f64) -> Option<f64> {
        let since = |at: usize| {
            let earlier = then.durations.get(at).copied().unwrap_or_default();
            self.durations.get(at).copied().unwrap_or_default().saturating_sub(earlier)
        };
        let all: u64 = (0..self.durations.len()).map(since).sum();
        let rank = (all as f64 * share).ceil() as u64;
        let mut seen = 0;
        let bucket = (0..self.durations.len()).find(|at| {
            seen += since(*at);
            seen > 0 && seen >= rank
        })?;
        // The middle of the bucket, which ends at 2^(i/2) microseconds.
        Some(2f64.powf((bucket as f64 - 0.5) / 2.0) / 1000.0)
    }
}

fn short(number: f64) -> String {
    if number >= 100.0 { format!("{number:.0}") } else { format!("{number:.1}") }
}

fn milliseconds(time: f64) -> String {
    match time {
        time if time >= 1000.0 => format!("{:.1} s", time / 1000.0),
        time if time >= 10.0 => format!("{time:.0} ms"),
        time => format!("{time:.2} ms"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(calls: u64, quick: u64, slow: u64) -> Value {
        let mut durations = vec![0; 64];
        durations[10] = quick;
        durations[40] = slow;
        json!({
            "functions": [
                { "arn": "arn:aws:lambda:us-east-1:000000000000:function:greet", "calls": calls, "errors": 2, "coldStarts": 1,
                  "throttles": 3, "billedMbMs": 1024 * 1000 * 60, "durations": durations },
                { "arn": "arn:aws:lambda:us-east-1:000000000000:function:quiet", "calls": 5, "durations": [] },
            ],
            "instances": [
                { "arn": "arn:aws:lambda:us-east-1:000000000000:function:greet", "state": "busy", "memoryBytes": 1 << 20 },
                { "arn": "arn:aws:lambda:us-east-1:000000000000:function:greet", "state": "frozen", "memoryBytes": 1 << 20 },
            ],
            "starting": 2,
            "bootedAhead": { "ready": 3, "taken": 9, "memoryBytes": 4 << 20 },
            "inProcessBytes": 1 << 20,
        })
    }

    #[test]
    fn what_happened_since_the_last_look_is_shown() {
        let (before, after) = (Counted::read(&report(100, 90, 10)), Counted::read(&report(300, 285, 15)));
        assert_eq!(
            after.text(&before, Duration::from_secs(2), &Look::plain()),
            "100 calls/s · instances: 1 busy, 0 idle, 1 frozen, 2 starting · 3 booted ahead · 7 MiB of memory\n\n\
             FUNCTION  CALLS/S  P50      P99     ERRORS  COLD  THROTTLED  BUSY  IDLE  FROZEN  MEMORY  ON LAMBDA\n\
             greet     100      0.03 ms  882 ms  2       1     3          1     0     1       2 MiB   $0.001060\n\
             quiet     0.0      -        -       0       0     0          0     0     0       0 B     $0.000001\n"
        );
    }

    #[test]
    fn a_node_without_calls_says_so() {
        let none = Counted::read(&json!({ "functions": [], "instances": [] }));
        assert!(
            none.text(&Counted::default(), Duration::from_secs(1), &Look::plain())
                .ends_with("No function was called since the node started.\n")
        );
    }
}
