//! Applications (stacks) as the command line sees them: lists, deployments, deletions, and the progress that the node tells
//! meanwhile.

use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

use crate::client::{Client, Error, Fault};
use crate::package::Package;
use crate::problem::Problem;
use crate::since::ago;

/// How many applications are asked after at once.
const ASKED_AT_ONCE: usize = 16;
/// The most of a reason that a table shows; `--json` has all of it.
const REASON_CHARS_MAX: usize = 100;
/// CloudFormation's name for a function.
const FUNCTION: &str = "AWS::Lambda::Function";

/// A deployed application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Application {
    /// Its name.
    pub(crate) name: String,
    status: String,
    reason: Option<String>,
    changed_ms: Option<i64>,
    /// What its template tells, by name.
    pub(crate) outputs: Vec<(String, String)>,
    /// Type and physical id of everything that it made.
    pub(crate) resources: Vec<(String, String)>,
}

impl Application {
    /// The heading of [`Application::row`].
    pub(crate) const HEADER: [&str; 4] = ["APPLICATION", "RESOURCES", "STATE", "CHANGED"];

    fn read(stack: &Value, resources: Vec<(String, String)>) -> Self {
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        let outputs = stack.get("Outputs").and_then(Value::as_array).into_iter().flatten();
        Self {
            name: text(stack, "StackName").unwrap_or_default(),
            status: text(stack, "StackStatus").unwrap_or_default(),
            reason: text(stack, "StackStatusReason"),
            changed_ms: stack.get("LastUpdatedTime").and_then(Value::as_i64),
            outputs: outputs
                .filter_map(|output| Some((text(output, "OutputKey")?, text(output, "OutputValue")?)))
                .collect(),
            resources,
        }
    }

    /// `UPDATE_COMPLETE` is CloudFormation's word; people say "ready".
    fn state(&self) -> String {
        let word = match self.status.as_str() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => return "ready".to_owned(),
            "UPDATE_ROLLBACK_COMPLETE" => "ready; the last deployment failed and was taken back".to_owned(),
            "ROLLBACK_COMPLETE" => "not deployed: the deployment failed and was taken back".to_owned(),
            status => status.to_lowercase().replace('_', " "),
        };
        match &self.reason {
            Some(reason) if reason.chars().count() > REASON_CHARS_MAX => {
                let start: String = reason.chars().take(REASON_CHARS_MAX).collect();
                format!("{word}: {start}…")
            }
            Some(reason) => format!("{word}: {reason}"),
            None => word,
        }
    }

    /// For a table.
    pub(crate) fn row(&self, now_ms: i64) -> Vec<String> {
        let changed = self.changed_ms.map(|then| ago(then, now_ms)).unwrap_or_default();
        vec![self.name.clone(), self.resources.len().to_string(), self.state(), changed]
    }

    /// For `--json`.
    pub(crate) fn document(&self) -> Value {
        let outputs: Map<_, _> = self.outputs.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let resources: Vec<Value> = self.resources.iter().map(|(kind, id)| json!({ "type": kind, "id": id })).collect();
        let changed = self.changed_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        json!({
            "name": self.name,
            "status": self.status,
            "reason": self.reason,
            "changed": changed.map(|time| time.to_string()),
            "outputs": outputs,
            "resources": resources,
        })
    }

    /// The functions that it made.
    pub(crate) fn functions(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().filter(|(kind, _)| kind == FUNCTION).map(|(_, id)| id.as_str())
    }

    #[cfg(test)]
    pub(crate) fn fixture(name: &str, resources: &[(&str, &str)]) -> Self {
        let resources = resources.iter().map(|(kind, id)| ((*kind).to_owned(), (*id).to_owned())).collect();
        Self { name: name.to_owned(), status: "CREATE_COMPLETE".to_owned(), resources, ..Self::default() }
    }
}

/// All of them, by name.
pub(crate) async fn list(client: &Client) -> Result<Vec<Application>, Error> {
    let listed = operate(client, "list", &json!({}), &mut |_| {}).await?;
    let stacks = listed.get("Stacks").and_then(Value::as_array).cloned().unwrap_or_default();
    let names = stacks.iter().filter_map(|stack| stack.get("StackName")?.as_str()).map(ToOwned::to_owned);
    let described = stream::iter(names.collect::<Vec<_>>()).map(|name| async move { describe(client, &name).await });
    let all: Vec<Option<Application>> = described.buffered(ASKED_AT_ONCE).try_collect().await?;
    Ok(all.into_iter().flatten().collect())
}

/// One of them; nothing, if there is none of that name.
async fn describe(client: &Client, name: &str) -> Result<Option<Application>, Error> {
    let input = json!({ "StackName": name, "EventsMax": 0 });
    let described = match operate(client, "describe", &input, &mut |_| {}).await {
        Ok(described) => described,
        Err(Error::Fault(fault)) if fault.message.ends_with("does not exist") => return Ok(None),
        Err(error) => return Err(error),
    };
    let resources = described.get("Resources").and_then(Value::as_array).into_iter().flatten();
    let named = resources.filter_map(|resource| {
        let text = |name: &str| resource.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        Some((text("ResourceType")?, text("PhysicalResourceId")?))
    });
    Ok(described.get("Stack").map(|stack| Application::read(stack, named.collect())))
}

/// What a deployment did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The application as it is now.
    pub(crate) application: Application,
    /// False, if all was so already.
    pub(crate) changed: bool,
    /// The functions that were made or changed.
    pub(crate) functions_changed: Vec<String>,
    /// What was left out, and why.
    pub(crate) warnings: Vec<String>,
    /// Whether a person wrote its template.
    pub(crate) has_template: bool,
}

/// Makes the node have what the package says. On failure, the node has what it had before.
pub(crate) async fn deploy(client: &Client, package: &Package, progress: &ProgressBar) -> Result<Outcome, Problem> {
    for asset in &package.assets {
        progress.set_message(format!("{}: sending {}", package.name, base::ByteSize(asset.zip.len() as u64)));
        client.put_asset(&asset.sha256, asset.zip.clone()).await?;
    }
    let input = json!({ "StackName": package.name, "Template": package.template, "Parameters": package.parameters });
    let mut functions_changed = Vec::new();
    let mut on_event = |event: &Value| {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let status = text("ResourceStatus");
        progress.set_message(format!(
            "{}: {} {}",
            package.name,
            text("LogicalResourceId"),
            status.to_lowercase().replace('_', " ")
        ));
        if text("ResourceType") == FUNCTION && matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE") {
            functions_changed.push(text("PhysicalResourceId").to_owned());
        }
    };
    let result = operate(client, "deploy", &input, &mut on_event).await.map_err(|error| refused(error, package))?;
    let changed = result.get("Changed").and_then(Value::as_bool).unwrap_or(true);
    let application = describe(client, &package.name).await?.unwrap_or_default();
    let (warnings, has_template) = (package.warnings.clone(), package.written.is_some());
    Ok(Outcome { application, changed, functions_changed, warnings, has_template })
}

/// Why it was not deployed, in words of the person's folder instead of the node's ids, and what holds now.
fn refused(error: Error, package: &Package) -> Problem {
    let Error::Fault(fault) = error else {
        return error.into();
    };
    let place = fault.place.as_ref().zip(package.written.as_ref());
    let place = place.and_then(|((resource, path), written)| written.place(resource, path));
    let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
    let End { status, reason } = End::read(&fault);
    let problem = Problem::new(format!("{} was not deployed: {reason}{place}", package.origin));
    match (status, fault.code.as_str()) {
        (Some("ROLLBACK_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE"), _) => {
            problem.advise("Everything is as it was before.")
        }
        (Some(_), _) => problem.advise(format!(
            "Not all of it could be taken back. Remove the cause and deploy again, or delete it: freehold rm {}",
            package.name
        )),
        (None, "ServiceUnavailable" | "InternalFailure") => problem.advise(GOES_ON),
        (None, _) if is_busy(reason) => problem.advise(BUSY),
        // CloudFormation's words for parameters without a default.
        (None, _) if reason.ends_with("] must have values") => problem.advise(format!(
            "Give each one: freehold deploy {} --param NAME=VALUE\nThey are kept for what is deployed later, by `freehold up` too.",
            package.origin
        )),
        (None, _) => problem.advise("Nothing was changed."),
    }
}

/// Why it was not deleted, and what to do.
fn kept(error: Error, name: &str) -> Problem {
    let Error::Fault(fault) = error else {
        return error.into();
    };
    let End { status, reason } = End::read(&fault);
    let problem = Problem::new(format!("{name} was not deleted: {reason}"));
    match (status, fault.code.as_str()) {
        (Some(_), _) => problem.advise(format!("Remove the cause, and delete what is left with: freehold rm {name}")),
        (None, "ServiceUnavailable" | "InternalFailure") => problem.advise(GOES_ON),
        (None, _) if is_busy(reason) => problem.advise(BUSY),
        (None, _) => problem.advise("Nothing was changed."),
    }
}

const GOES_ON: &str = "What was begun is finished or taken back when the node goes on; see: freehold ls apps";
const BUSY: &str = "Something else is done with it at the moment: try again when that has ended; see: freehold ls apps";

/// CloudFormation's words for a stack that is in work.
fn is_busy(reason: &str) -> bool {
    reason.contains("_IN_PROGRESS")
}

/// How an operation on a stack ended, where it had begun.
struct End<'a> {
    status: Option<&'a str>,
    reason: &'a str,
}

impl<'a> End<'a> {
    /// `arn:…:stack/NAME/ID ended as ROLLBACK_COMPLETE: REASON`: the reason is what a person needs.
    fn read(fault: &'a Fault) -> Self {
        let whole = || Self { status: None, reason: &fault.message };
        if fault.code != "StackOperationFailed" {
            return whole();
        }
        let ended = fault.message.split_once(" ended as ").and_then(|(_, ended)| ended.split_once(": "));
        ended.map_or_else(whole, |(status, reason)| Self { status: Some(status), reason: reason.trim() })
    }
}

/// Deletes an application and all that it made.
pub(crate) async fn delete(client: &Client, name: &str, progress: &ProgressBar) -> Result<(), Problem> {
    let input = json!({ "StackName": name });
    let mut on_event = |event: &Value| {
        let id = event.get("LogicalResourceId").and_then(Value::as_str).unwrap_or_default();
        progress.set_message(format!("{name}: deleting {id}"));
    };
    operate(client, "delete", &input, &mut on_event).await.map(drop).map_err(|error| kept(error, name))
}

/// One operation on the node's stacks: its events, and then its result.
async fn operate(
    client: &Client,
    operation: &str,
    input: &Value,
    on_event: &mut (dyn FnMut(&Value) + Send),
) -> Result<Value, Error> {
    let path = format!("/_stacks/{operation}");
    let mut lines = client.lines_of_post(&path, input).await?;
    while let Some(line) = lines.next().await? {
        match Line::read(line) {
            Line::Event(event) => on_event(&event),
            Line::Result(result) => return Ok(result),
            Line::Fault(fault) => return Err(Error::Fault(fault)),
            // A newer node may tell more than we understand.
            Line::Unknown => {}
        }
    }
    Err(lines.broken_off())
}

/// A line of the answer.
#[derive(Debug, PartialEq)]
enum Line {
    Event(Value),
    Result(Value),
    Fault(Fault),
    Unknown,
}

impl Line {
    fn read(mut line: Value) -> Self {
        let mut take = |name: &str| line.get_mut(name).map(Value::take);
        if let Some(event) = take("Event") {
            return Self::Event(event);
        }
        if let Some(result) = take("Result") {
            return Self::Result(result);
        }
        line.get("Fault").map_or(Self::Unknown, |fault| Self::Fault(Fault::of_document(fault)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        assert_eq!(Line::read(json!({ "Event": { "a": 1 } })), Line::Event(json!({ "a": 1 })));
        assert_eq!(Line::read(json!({ "Result": {} })), Line::Result(json!({})));
        assert_eq!(Line::read(json!({ "Later": 1 })), Line::Unknown);
        let Line::Fault(fault) = Line::read(json!({ "Fault": { "__type": "ValidationError", "message": "no" } }))
        else {
            panic!("it is a fault");
        };
        assert_eq!((fault.code.as_str(), fault.message.as_str()), ("ValidationError", "no"));
    }

    #[test]
    fn states_are_in_words() {
        let state = |status: &str, reason: Option<&str>| {
            Application { status: status.to_owned(), reason: reason.map(ToOwned::to_owned), ..Application::default() }
                .state()
        };
        assert_eq!(state("UPDATE_COMPLETE", None), "ready");
        assert_eq!(state("DELETE_FAILED", Some("in use")), "delete failed: in use");
        assert!(state("UPDATE_ROLLBACK_COMPLETE", None).starts_with("ready;"));
        let long = state("DELETE_FAILED", Some(&"é".repeat(500)));
        assert!(long.chars().count() < 120 && long.ends_with('…'), "{long}");
    }

    #[test]
    fn an_application_is_read_with_outputs_and_functions() {
        let stack = json!({
            "StackName": "shop", "StackStatus": "CREATE_COMPLETE", "LastUpdatedTime": 1_000,
            "Outputs": [{ "OutputKey": "Url", "OutputValue": "http://x/" }],
        });
        let shop = Application::read(&stack, vec![(FUNCTION.to_owned(), "sell".to_owned())]);
        assert_eq!(shop.row(61_000), ["shop", "1", "ready", "1 min ago"]);
        assert_eq!(shop.document()["outputs"]["Url"], "http://x/");
        assert_eq!(shop.functions().collect::<Vec<_>>(), ["sell"]);
    }

    #[test]
    fn a_failed_deployment_says_why_and_what_holds_now() {
        let package = Package::fixture("hello");
        let check = |code: &str, message: &str, expected: &str| {
            let fault = Fault { code: code.to_owned(), message: message.to_owned(), status: 400, place: None };
            assert_eq!(refused(Error::Fault(fault), &package).to_string(), expected);
        };
        check(
            "StackOperationFailed",
            "arn:aws:cloudformation:us-east-1:000000000000:stack/hello/1 ended as ROLLBACK_COMPLETE: HelloNode: no room",
            "hello was not deployed: HelloNode: no room Everything is as it was before.",
        );
        check(
            "StackOperationFailed",
            "arn:aws:x:stack/hello/1 ended as UPDATE_ROLLBACK_FAILED: A: no room",
            "hello was not deployed: A: no room Not all of it could be taken back. Remove the cause and deploy again, or delete it: \
             freehold rm hello",
        );
        check(
            "ValidationError",
            "Parameters: [Stage] must have values",
            "hello was not deployed: Parameters: [Stage] must have values Give each one: freehold deploy hello --param NAME=VALUE They \
             are kept for what is deployed later, by `freehold up` too.",
        );
        check(
            "ValidationError",
            "Stack:arn:aws:x is in UPDATE_IN_PROGRESS state and can not be updated.",
            "hello was not deployed: Stack:arn:aws:x is in UPDATE_IN_PROGRESS state and can not be updated. Something else is done with \
             it at the moment: try again when that has ended; see: freehold ls apps",
        );
        check(
            "ServiceUnavailable",
            "the node stops; the operation on x goes on when it is started again",
            "hello was not deployed: the node stops; the operation on x goes on when it is started again What was begun is finished or \
             taken back when the node goes on; see: freehold ls apps",
        );
        check(
            "ValidationError",
            "Template format error: line 3",
            "hello was not deployed: Template format error: line 3 Nothing was changed.",
        );
    }

    #[test]
    fn what_could_not_be_deleted_says_why_and_what_to_do() {
        for (code, message, expected) in [
            (
                "StackOperationFailed",
                "arn:aws:x:stack/hello/1 ended as DELETE_FAILED: The following resource(s) failed to delete: [A]. A: in use",
                "hello was not deleted: The following resource(s) failed to delete: [A]. A: in use Remove the cause, and delete what is \
                 left with: freehold rm hello",
            ),
            (
                "ValidationError",
                "Export x cannot be deleted as it is in use by shop",
                "hello was not deleted: Export x cannot be deleted as it is in use by shop Nothing was changed.",
            ),
        ] {
            let fault = Fault { code: code.to_owned(), message: message.to_owned(), status: 400, place: None };
            assert_eq!(kept(Error::Fault(fault), "hello").to_string(), expected);
        }
    }
}
