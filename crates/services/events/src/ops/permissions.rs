//! `PutPermission` and `RemovePermission`: statements in a bus's policy, or the whole of it.

use contract::{Arn, Call, Effect, Fault, Handle};
use policy::{Kind, Policy};
use serde_json::{Map, Value, json};
use wire::Empty;
use wire::events as aws;

use crate::Events;
use crate::error::Error;
use crate::model::Scope;
use crate::model::name::bus_of;

/// AWS's longest policy of a bus.
const POLICY_BYTES_MAX: usize = 10_240;

impl Handle<aws::PutPermission> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::PutPermissionRequest) -> Arn {
        Scope::of(call).bus_arn(bus_of(input.event_bus_name.as_deref()))
    }

    async fn handle(&self, call: &Call, input: aws::PutPermissionRequest) -> Result<Empty, Fault> {
        let scope = Scope::of(call);
        let name = bus_of(input.event_bus_name.as_deref());
        let bus_arn = scope.bus_arn(name).to_string();
        let put = self.change_bus(&scope, name, |record| {
            let text = match &input.policy {
                Some(text) => text.clone(),
                None => {
                    let statement = statement(&input, &bus_arn)?;
                    let mut statements = Statements::read(record.policy.as_deref())?;
                    statements.list.retain(|one| one["Sid"] != statement["Sid"]);
                    statements.list.push(statement);
                    statements.write()
                }
            };
            if text.len() > POLICY_BYTES_MAX {
                return Err(Error::PolicyTooLong { max: POLICY_BYTES_MAX });
            }
            Policy::parse(&text, Kind::Resource)
                .map_err(|malformed| Error::Invalid(format!("The policy is not valid: {malformed}")))?;
            record.policy = Some(text);
            Ok(())
        });
        put.await?;
        Ok(Empty {})
    }
}

impl Handle<aws::RemovePermission> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::RemovePermissionRequest) -> Arn {
        Scope::of(call).bus_arn(bus_of(input.event_bus_name.as_deref()))
    }

    async fn handle(&self, call: &Call, input: aws::RemovePermissionRequest) -> Result<Empty, Fault> {
        let scope = Scope::of(call);
        let name = bus_of(input.event_bus_name.as_deref());
        let removed = self.change_bus(&scope, name, |record| {
            if input.remove_all_permissions == Some(true) {
                record.policy = None;
                return Ok(());
            }
            let missing = || Error::Missing("Statement with the provided id does not exist.".to_owned());
            if record.policy.is_none() {
                return Err(Error::Missing("EventBus does not have a policy.".to_owned()));
            }
            let mut statements = Statements::read(record.policy.as_deref())?;
            let before = statements.list.len();
            let id = input.statement_id.as_deref().ok_or_else(missing)?;
            statements.list.retain(|one| one["Sid"].as_str() != Some(id));
            if statements.list.len() == before {
                return Err(missing());
            }
            record.policy = (!statements.list.is_empty()).then(|| statements.write());
            Ok(())
        });
        removed.await?;
        Ok(Empty {})
    }
}

fn statement(input: &aws::PutPermissionRequest, bus_arn: &str) -> Result<Value, Error> {
    let (Some(action), Some(principal), Some(id)) = (&input.action, &input.principal, &input.statement_id) else {
        return Err(Error::invalid("Parameter StatementId, Action and Principal must be specified, or Policy."));
    };
    if action != "events:PutEvents" {
        return Err(Error::Invalid(format!("Provided value in parameter 'action' is not supported: {action}")));
    }
    let principal = match principal.as_str() {
        "*" => json!("*"),
        account => json!({ "AWS": format!("arn:aws:iam::{account}:root") }),
    };
    let mut statement = json!({
        "Sid": id, "Effect": "Allow", "Principal": principal, "Action": action, "Resource": bus_arn,
    });
    if let Some(condition) = &input.condition {
        statement["Condition"] = json!({ condition.type_.as_str(): { condition.key.as_str(): condition.value } });
    }
    Ok(statement)
}

/// The statements of a policy, and what is around them.
struct Statements {
    document: Map<String, Value>,
    list: Vec<Value>,
}

impl Statements {
    fn read(text: Option<&str>) -> Result<Self, Error> {
        let Some(text) = text else {
            let mut document = Map::new();
            document.insert("Version".into(), "2012-10-17".into());
            return Ok(Self { document, list: Vec::new() });
        };
        // It was checked before it was stored, so it is an object.
        let mut document: Map<String, Value> = serde_json::from_str(text).map_err(|error| crate::broken(&error))?;
        let list = match document.shift_remove("Statement") {
            Some(Value::Array(list)) => list,
            Some(one) => vec![one],
            None => Vec::new(),
        };
        Ok(Self { document, list })
    }

    fn write(mut self) -> String {
        self.document.insert("Statement".into(), Value::Array(self.list));
        Value::Object(self.document).to_string()
    }
}
