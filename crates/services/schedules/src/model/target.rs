//! What a schedule calls: a queue, function, topic, bus or the like by its ARN ("templated"), or any operation that this node serves
//! (`arn:aws:scheduler:::aws-sdk:SERVICE:operation`, "universal").

use std::borrow::Cow;

use contract::{Arn, Caller, OperationId};
use delivery::target::{self, OnBus, Options};
use delivery::{Acting, Task};
use serde_json::Value;

use crate::error::Error;
use crate::model::input::{self, Execution, INPUT_BYTES_MAX};

/// What is called, as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The ARN.
    pub arn: String,
    /// The role that the call is made in.
    pub role: String,
    /// The input, as it was written.
    pub input: Option<String>,
    /// `DetailType` and `Source` of events.
    pub event: Option<(String, String)>,
    /// The message group of a queue that keeps order; there (and empty) also where AWS's parameters of a queue name none.
    pub queue: Option<Option<String>>,
    /// The partition key of a stream.
    pub partition: Option<String>,
    /// How long a delivery is tried.
    pub age_max_s: u32,
    /// How often it is tried again.
    pub retries_max: u32,
    /// The queue for what cannot be delivered; there (and empty) also where the configuration names none.
    pub dead_letter: Option<Option<String>>,
}

/// Which operation a target means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aim {
    operation: OperationId,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The ARN tells which operation, and where in its input the schedule's goes.
    Templated,
    /// The schedule's input is the operation's.
    Universal,
}

/// Services whose resources are targets by their own ARNs, and whether what goes there must be JSON.
const TEMPLATED: &[(&str, bool)] =
    &[("lambda", true), ("events", true), ("states", true), ("sqs", false), ("sns", false), ("kinesis", false)];

/// What AWS's universal targets call by another name than the service's model.
const SERVICE_NAMES: &[(&str, &str)] = &[
    ("cloudwatchlogs", "logs"),
    ("cognitoidentityprovider", "cognito-idp"),
    ("eventbridge", "events"),
    ("sfn", "stepfunctions"),
];

/// Operations that only read are no targets, as on AWS: their names begin so.
const READING: &[&str] = &[
    "get",
    "describe",
    "list",
    "poll",
    "receive",
    "search",
    "scan",
    "query",
    "select",
    "read",
    "lookup",
    "discover",
    "validate",
    "batchGet",
    "batchDescribe",
    "batchRead",
    "transactGet",
    "adminGet",
    "adminList",
    "testMigration",
    "retrieve",
    "testConnection",
    "translateDocument",
    "isAuthorized",
    "invokeModel",
];

/// The longest that a delivery is tried, AWS's.
pub const AGE_MAX_S: u32 = 86_400;
/// The most times that it is tried again, AWS's.
pub const RETRIES_MAX: u32 = 185;

impl Target {
    /// Finds out what the target means; refuses what this node cannot call, or what its input cannot be.
    pub fn aim(&self, caller: &dyn Caller) -> Result<Aim, Error> {
        let arn = Arn::parse(&self.arn)
            .ok_or_else(|| Error::invalid(format!("Provided Arn is not in correct format: {}", self.arn)))?;
        if let Some(universal) = arn.resource.strip_prefix("aws-sdk:").filter(|_| arn.service == "scheduler") {
            let operation = universal_operation(universal, caller)?;
            self.check("", true)?;
            let is_object = |input: &String| matches!(serde_json::from_str(&sample(input)), Ok(Value::Object(_)));
            if self.input.as_ref().is_some_and(|input| !is_object(input)) {
                let why = "The Input must be a JSON object with the operation's parameters.";
                return Err(Error::invalid(why));
            }
            return Ok(Aim { operation, kind: Kind::Universal });
        }
        let unsupported = || unsupported_service(&arn.service);
        let (_, must_be_json) = TEMPLATED.iter().find(|(known, _)| *known == arn.service).ok_or_else(unsupported)?;
        let nobody = Acting::Role { role: self.role.as_str().into(), session: "".into() };
        let task = templated(self, Options::new("{}", nobody, 0))?;
        let operation = caller.find(&task.service, &task.operation).map_err(|_| unsupported())?;
        self.check(&arn.service, *must_be_json)?;
        Ok(Aim { operation, kind: Kind::Templated })
    }

    fn check(&self, service: &str, must_be_json: bool) -> Result<(), Error> {
        let bytes = self.input.as_deref().unwrap_or_default().len();
        if bytes > INPUT_BYTES_MAX {
            return Err(Error::invalid(format!(
                "The Input has {bytes} bytes, and may have at most {INPUT_BYTES_MAX}."
            )));
        }
        let missing = match service {
            "events" if self.event.is_none() => Some("EventBridgeParameters"),
            "kinesis" if self.partition.is_none() => Some("KinesisParameters"),
            "sqs" if self.arn.ends_with(".fifo") && self.queue.clone().flatten().is_none() => {
                Some("SqsParameters.MessageGroupId")
            }
            _ => None,
        };
        if let Some(name) = missing {
            return Err(Error::invalid(format!("{name} must be specified for the target {}.", self.arn)));
        }
        match &self.input {
            Some(input) if must_be_json => match serde_json::from_str::<Value>(&sample(input)) {
                Ok(_) => Ok(()),
                Err(why) => Err(Error::invalid(format!("The Input of the target {} must be JSON: {why}", self.arn))),
            },
            Some(_) | None => Ok(()),
        }
    }

    /// The call of one execution; its input still has the word for the attempt where it had.
    pub fn task(&self, aim: Aim, execution: &Execution<'_>) -> Result<Task, Error> {
        let acting = Acting::Role { role: self.role.as_str().into(), session: execution.schedule.name.clone() };
        match aim.kind {
            Kind::Templated => {
                let text = self.input.as_ref().map_or_else(|| execution.event(), |input| execution.fill(input));
                templated(
                    self,
                    Options {
                        message_group: self.queue.clone().flatten(),
                        // A delivery that is tried twice is one message where order is kept.
                        deduplication: self.arn.ends_with(".fifo").then(|| execution.id.clone()),
                        on_bus: OnBus { resources: vec![execution.schedule.arn().to_string()], ..self.on_bus() },
                        partition_key: self.partition.clone(),
                        ..Options::new(text, acting, execution.due_ms)
                    },
                )
            }
            Kind::Universal => {
                let text = execution.fill(self.input.as_deref().unwrap_or("{}"));
                let input = serde_json::from_str(&sample(&text)).unwrap_or_default();
                let input = match schema(aim.operation) {
                    Some(schema) => input::document(input, schema),
                    None => input,
                };
                Ok(Task::new(aim.operation.service, aim.operation.name, input, acting))
            }
        }
    }

    fn on_bus(&self) -> OnBus {
        let (detail_type, source) = self.event.clone().unwrap_or_default();
        OnBus { source, detail_type, resources: Vec::new() }
    }
}

fn templated(target: &Target, options: Options) -> Result<Task, Error> {
    target::of_arn(&target.arn, options).map_err(|_| {
        let service = Arn::parse(&target.arn).map_or_else(|| target.arn.clone(), |arn| arn.service);
        unsupported_service(&service)
    })
}

/// The input with a number for the attempt where that stands for itself, so that it can be read as JSON.
fn sample(input: &str) -> Cow<'_, str> {
    if !input.contains("<aws.scheduler.") || serde_json::from_str::<Value>(input).is_ok() {
        return Cow::Borrowed(input);
    }
    Cow::Owned(input.replace(input::ATTEMPT, "1"))
}

fn universal_operation(name: &str, caller: &dyn Caller) -> Result<OperationId, Error> {
    let wrong = || Error::invalid(format!("Provided Arn is not in correct format: arn:aws:scheduler:::aws-sdk:{name}"));
    let (service, action) = name.split_once(':').ok_or_else(wrong)?;
    let mut letters = action.chars();
    let first = letters.next().filter(|_| !service.is_empty()).ok_or_else(wrong)?;
    let operation = first.to_ascii_uppercase().to_string() + letters.as_str();
    let reads = |prefix: &&str| action.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    if READING.iter().any(reads) {
        return Err(Error::invalid(format!("{action} is not a supported API action for a target: it only reads.")));
    }
    let model = SERVICE_NAMES.iter().find(|(theirs, _)| *theirs == service).map_or(service, |(_, ours)| *ours);
    match caller.find(model, &operation) {
        Ok(operation) => Ok(operation),
        Err(_) if wire::service(model).is_none() => Err(unsupported_service(service)),
        Err(fault) => {
            let message = format!("{action} is not a supported API action for a target: {}", fault.message);
            Err(Error::invalid(message))
        }
    }
}

fn unsupported_service(service: &str) -> Error {
    Error::invalid(format!("{service} is not a supported service for a target."))
}

fn schema(operation: OperationId) -> Option<&'static wire::Schema> {
    Some(wire::service(operation.service)?.operation(operation.name)?.shapes?.input)
}
