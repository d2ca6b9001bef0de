//! `freehold invoke NAME`: one call of one function. The answer goes to standard output and nothing else does; what there is
//! to say about it goes to standard error. A function that fails ends us with exit code 1, and its error is the output; on a
//! terminal it is told in words, once.

use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::ValueHint;
use serde_json::{Value, json};

use crate::client::Client;
use crate::function_error::FunctionError;
use crate::lookup;
use crate::payload::Source;
use crate::problem::{Exit, Problem};
use crate::screen::Look;
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  freehold invoke greet
  freehold invoke greet '{\"name\": \"Ada\"}'
  freehold invoke greet -f event.json --log
  echo '{\"name\": \"Ada\"}' | freehold invoke greet -
  freehold invoke greet --json | jq .payload

Exit codes: 0 the function answered, 1 it failed (its error is printed) or could not be called, 2 the payload is wrong.";

const DATA_ADVICE: &str = "\
--data names the folder that a node keeps its data in. A payload's file is given with -f:
freehold invoke NAME -f FILE";

/// Call a function and print its answer
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The function's name, or NAME:VERSION
    name: String,

    /// What it is called with: JSON, or - for standard input [default: {}]
    #[arg(conflicts_with = "file")]
    payload: Option<String>,

    /// Take the payload from a file
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,

    /// Show the last 4 KB of what the function printed
    #[arg(short, long)]
    log: bool,

    /// Print a JSON object with payload, error, log and version
    #[arg(long)]
    json: bool,
}

/// Calls, and prints.
pub(crate) async fn run(args: &Args, session: &Session) -> Result<Exit, Problem> {
    // Other tools take a payload's file by this name, and the data folder's would silently send nothing.
    session.check_data().map_err(|problem| problem.advise(DATA_ADVICE))?;
    let payload = Source::new(args.payload.as_deref(), args.file.as_deref()).load()?;
    let client = session.client()?;
    let answer = Answer::read(&invoke(&client, &args.name, &payload).await?)?;
    let exit = if answer.error.is_some() { Exit::Failed } else { Exit::Done };
    if args.json {
        session.screen.print(&format!("{:#}\n", answer.document()))?;
        return Ok(exit);
    }
    if args.log
        && let Some(log) = &answer.log
    {
        let look = &session.screen.err;
        log.lines().for_each(|line| session.screen.say(&look.faint(&look.clean(line))));
    }
    // A person would read the same error twice.
    let is_told = answer.error.is_some() && session.screen.out.terminal && session.screen.err.terminal;
    if !is_told {
        session.screen.print(&answer.text(&session.screen.out))?;
    }
    if answer.error.is_some() {
        let problem = FunctionError::read(&answer.payload).problem(&args.name);
        session.screen.say(problem.render(&session.screen.err).trim_end());
    }
    Ok(exit)
}

async fn invoke(client: &Client, name: &str, payload: &str) -> Result<Value, Problem> {
    let (function, version) = match name.split_once(':') {
        // An ARN has colons of its own, and its version inside.
        Some((function, version)) if function != "arn" => (function, Some(version)),
        Some(_) | None => (name, None),
    };
    let mut input = json!({ "FunctionName": function, "Payload": BASE64_STANDARD.encode(payload), "LogType": "Tail" });
    if let Some(version) = version {
        input["Qualifier"] = json!(version);
    }
    match client.call("lambda", "Invoke", &input).await {
        Ok(answer) => Ok(answer),
        Err(error) if error.is_not_found() => Err(lookup::no_such_function(client, function).await),
        Err(error) => Err(error.into()),
    }
}

/// What Lambda's Invoke answers, decoded.
#[derive(Debug)]
struct Answer {
    payload: Value,
    /// As the function wrote it.
    written: String,
    error: Option<String>,
    log: Option<String>,
    version: Option<String>,
}

impl Answer {
    fn read(document: &Value) -> Result<Self, Problem> {
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        let decode = |encoded: &str| {
            BASE64_STANDARD
                .decode(encoded)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .map_err(|error| Problem::new(format!("The node's answer is not what Invoke answers: {error}.")))
        };
        let written = text("Payload").map(decode).transpose()?.unwrap_or_default();
        let payload = match serde_json::from_str(&written) {
            Ok(payload) => payload,
            // A bootstrap may answer anything at all.
            Err(_) if written.is_empty() => Value::Null,
            Err(_) => Value::String(written.clone()),
        };
        Ok(Self {
            payload,
            written,
            error: text("FunctionError").map(ToOwned::to_owned),
            log: text("LogResult").map(decode).transpose()?,
            version: text("ExecutedVersion").map(ToOwned::to_owned),
        })
    }

    /// For standard output: laid out for a person, untouched for a program.
    fn text(&self, look: &Look) -> String {
        let laid_out = if look.terminal { serde_json::to_string_pretty(&self.payload).ok() } else { None };
        let text = match laid_out {
            Some(text) if self.payload.is_object() || self.payload.is_array() => text,
            // A bootstrap may answer anything at all.
            Some(_) | None => look.clean(&self.written),
        };
        if text.ends_with('\n') { text } else { text + "\n" }
    }

    /// For `--json`.
    fn document(&self) -> Value {
        json!({ "payload": self.payload, "error": self.error, "log": self.log, "version": self.version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(payload: &str, error: Option<&str>) -> Answer {
        let mut document = json!({ "StatusCode": 200, "Payload": BASE64_STANDARD.encode(payload) });
        document["LogResult"] = json!(BASE64_STANDARD.encode("START\nEND\n"));
        if let Some(error) = error {
            document["FunctionError"] = json!(error);
        }
        Answer::read(&document).unwrap()
    }

    #[test]
    fn an_answer_is_laid_out_for_people_and_untouched_for_programs() {
        let check = |payload: &str, terminal: bool, expected: &str| {
            let look = if terminal { Look::colourful() } else { Look::plain() };
            assert_eq!(answer(payload, None).text(&look), expected, "{payload}");
        };
        check("\u{1b}[2J", true, "\\u{1b}[2J\n");
        check("\u{1b}[2J", false, "\u{1b}[2J\n");
        check("{\"a\": 1}", false, "{\"a\": 1}\n");
        check("{\"a\":1}", true, "{\n  \"a\": 1\n}\n");
        check("\"text\"", true, "\"text\"\n");
        check("not json\n", true, "not json\n");
        check("", false, "\n");
        check("[1]", true, "[\n  1\n]\n");
    }

    #[test]
    fn the_document_has_everything() {
        let failed = answer("{\"errorType\":\"Error\"}", Some("Unhandled"));
        assert_eq!(
            failed.document(),
            json!({ "payload": { "errorType": "Error" }, "error": "Unhandled", "log": "START\nEND\n", "version": null })
        );
        assert!(Answer::read(&json!({ "Payload": "***" })).is_err());
        assert_eq!(Answer::read(&json!({ "StatusCode": 200 })).unwrap().payload, Value::Null);
    }
}
