//! A rule's target: where its events go, as what, and with how much patience.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::Arn;
use delivery::call::Acting;
use delivery::target::{self, OnBus, Options, TargetError};
use delivery::{DeadLetter, Delivery, LaneId, Retry, Sender, Task};
use serde_json::Value;
use wire::events as aws;

use super::input::{Around, Path};
use super::{Event, Input};
use crate::clouds;
use crate::destination::Parcel;
use crate::error::Error;

/// The principal that rules' deliveries are made by.
pub(crate) const PRINCIPAL: &str = "events.amazonaws.com";

/// A target.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its id within the rule.
    pub id: String,
    /// What it is.
    pub arn: String,
    input: Input,
    retry: Retry,
    dead_letter: Option<String>,
    message_group: Option<String>,
    partition_key: Option<Path>,
    role: Option<String>,
    http: Http,
    /// As it was given, for listings.
    pub document: Value,
}

/// What a rule adds to the requests of an API destination.
#[derive(Clone, Debug, Default)]
struct Http {
    path: Vec<String>,
    headers: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
}

impl Target {
    /// Reads a target, and refuses what could never be delivered.
    pub fn read(wire: &aws::Target) -> Result<Self, Error> {
        let (id, arn) = (wire.id.clone(), wire.arn.clone());
        if Arn::parse(&arn).is_none() {
            let why = "Provided Arn is not in correct format.";
            return Err(Error::Invalid(format!("Parameter {arn} is not valid. Reason: {why}")));
        }
        let message_group = wire.sqs_parameters.as_ref().and_then(|sqs| sqs.message_group_id.clone());
        if arn.contains(":sqs:") && arn.ends_with(".fifo") && message_group.is_none() {
            return Err(Error::Invalid(format!("Parameter(s) SqsParameters must be specified for target: {id}.")));
        }
        let path = wire.kinesis_parameters.as_ref().map(|kinesis| {
            let path = &kinesis.partition_key_path;
            Path::parse(path)
                .ok_or_else(|| Error::Invalid(format!("Parameter {path} is not valid. Reason: it is no path.")))
        });
        let default = Retry::default();
        let policy = wire.retry_policy.as_ref();
        let seconds = policy.and_then(|policy| policy.maximum_event_age_in_seconds);
        let attempts = policy.and_then(|policy| policy.maximum_retry_attempts);
        let retry = Retry {
            retries_max: attempts.and_then(|count| u32::try_from(count).ok()).unwrap_or(default.retries_max),
            age_max: seconds
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map_or(default.age_max, Duration::from_secs),
            ..default
        };
        let dead_letter = wire.dead_letter_config.as_ref().and_then(|config| config.arn.clone());
        if let Some(queue) = dead_letter.as_ref().filter(|queue| !queue.contains(":sqs:")) {
            return Err(Error::Invalid(format!(
                "Parameter {queue} is not valid. Reason: A dead-letter queue must be an SQS queue."
            )));
        }
        let http = wire.http_parameters.as_ref().map(|http| Http {
            path: http.path_parameter_values.clone().unwrap_or_default(),
            headers: http.header_parameters.clone().unwrap_or_default(),
            query: http.query_string_parameters.clone().unwrap_or_default(),
        });
        let target = Self {
            input: input(wire)?,
            retry,
            dead_letter,
            message_group,
            partition_key: path.transpose()?,
            role: wire.role_arn.clone(),
            http: http.unwrap_or_default(),
            document: wire::document::write(wire),
            id,
            arn,
        };
        target.probe()?;
        Ok(target)
    }

    /// Whether anything of that kind can be a target at all.
    fn probe(&self) -> Result<(), Error> {
        if self.is_destination() {
            return Ok(());
        }
        match target::of_arn(&self.arn, Options::new("{}", Acting::service(PRINCIPAL, ""), 0)) {
            Ok(_) | Err(TargetError::Input(_)) => Ok(()),
            Err(refused @ (TargetError::Malformed(_) | TargetError::Unserved { .. })) => {
                Err(Error::Invalid(format!("Parameter {} is not valid. Reason: {refused}", self.arn)))
            }
        }
    }

    fn is_destination(&self) -> bool {
        self.arn.contains(":api-destination/")
    }

    /// The delivery that brings an event here.
    pub fn delivery(&self, event: &Event, around: Around<'_>, sender: Sender) -> Delivery {
        let lane = LaneId::any("rule", format!("{} → {} ({})", around.rule_arn, self.arn, self.id));
        let acting = Acting::service(PRINCIPAL, around.rule_arn);
        let text = self.input.make(event, around);
        let delivery = if self.is_destination() {
            let parcel = self.request(event, text);
            Delivery::new(sender, lane, crate::destination::NAME, parcel.to_bytes())
        } else {
            match self.task(event, text, acting.clone()) {
                Ok(task) => Delivery::call(sender, lane, &task),
                // The event does not fit the target: its carrier refuses it, so that it goes the way of everything that is refused.
                Err(refused) => {
                    let parcel = Parcel::Misfit { why: refused.to_string() };
                    Delivery::new(sender, lane, crate::destination::NAME, parcel.to_bytes())
                }
            }
        };
        let told = [("RULE_ARN", around.rule_arn), ("TARGET_ARN", &self.arn)];
        let dead_letter = self
            .dead_letter
            .as_ref()
            .map(|arn| DeadLetter { body: Some(event.text.clone()), ..DeadLetter::like_events(arn, acting, &told) });
        Delivery { retry: self.retry, dead_letter, ..delivery }
    }

    /// A request. Where the rule's headers say that it is a CloudEvent, structured or binary, a whole event becomes one.
    fn request(&self, event: &Event, text: String) -> Parcel {
        let Http { path, mut headers, query } = self.http.clone();
        let header =
            |wanted: &str| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
        let is_structured = header("content-type").is_some_and(|kind| kind.starts_with(clouds::STRUCTURED));
        let is_binary = header("ce-specversion").is_some_and(|version| version == "1.0");
        let body = match (&self.input, is_structured, is_binary) {
            (Input::Whole, true, _) => clouds::structured(event),
            (Input::Whole, false, true) => {
                headers.retain(|name, _| !name.to_ascii_lowercase().starts_with("ce-"));
                headers.extend(clouds::headers(event));
                event.document["detail"].to_string()
            }
            (Input::Whole | Input::Constant(_) | Input::Part(_) | Input::Template { .. }, _, _) => text,
        };
        Parcel::Request { destination: self.arn.clone(), body, path, headers, query }
    }

    fn task(&self, event: &Event, text: String, acting: Acting) -> Result<Task, TargetError> {
        let is_bus = self.arn.contains(":event-bus/");
        let resources = event.document["resources"].as_array().into_iter().flatten();
        let options = Options {
            // On another bus it is the same event; its detail travels, not what would be around it.
            event: if is_bus { event.document["detail"].to_string() } else { text },
            acting: match &self.role {
                Some(role) if !is_bus => Acting::Role { role: role.as_str().into(), session: "events".into() },
                Some(_) | None => acting,
            },
            time_ms: event.time_ms,
            message_group: self.message_group.clone(),
            deduplication: self.arn.ends_with(".fifo").then(|| event.member("id").to_owned()),
            on_bus: OnBus {
                source: event.member("source").to_owned(),
                detail_type: event.member("detail-type").to_owned(),
                resources: resources.filter_map(Value::as_str).map(str::to_owned).collect(),
            },
            partition_key: self
                .partition_key
                .as_ref()
                .and_then(|path| Some(path.find(&event.document)?.as_str()?.to_owned())),
        };
        target::of_arn(&self.arn, options)
    }
}

fn input(wire: &aws::Target) -> Result<Input, Error> {
    let id = &wire.id;
    let path = |text: &String| {
        Path::parse(text).ok_or_else(|| {
            Error::Invalid(format!("Invalid InputPath for target {id}: {text} is not a valid JSON path."))
        })
    };
    match (&wire.input, &wire.input_path, &wire.input_transformer) {
        (None, None, None) => Ok(Input::Whole),
        (Some(text), None, None) => match serde_json::from_str::<Value>(text) {
            Ok(_) => Ok(Input::Constant(text.clone())),
            Err(_) => Err(Error::Invalid(format!("JSON syntax error in input for target {id}"))),
        },
        (None, Some(text), None) if text == "$" => Ok(Input::Whole),
        (None, Some(text), None) => Ok(Input::Part(path(text)?)),
        (None, None, Some(transformer)) => {
            let paths = transformer.input_paths_map.iter().flatten();
            let parts: Result<_, Error> = paths.map(|(name, text)| Ok((name.clone(), path(text)?))).collect();
            let parts: BTreeMap<String, Path> = parts?;
            if let Some(name) = parts.keys().find(|name| name.to_ascii_lowercase().starts_with("aws")) {
                return Err(Error::Invalid(format!(
                    "Invalid InputPathsMap for target {id} : {name} is not a valid name, names that begin with aws are reserved."
                )));
            }
            Ok(Input::Template { parts, template: transformer.input_template.clone() })
        }
        (_, _, _) => Err(Error::Invalid(format!(
            "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
        ))),
    }
}
