//! Connections: how requests to the world prove who makes them. Secrets are taken, kept with the rest, and never shown.

use contract::{Arn, Call, Effect, Fault, Handle};
use serde_json::{Map, Value};
use wire::events as aws;

use super::page::Asked;
use super::timestamp;
use crate::Events;
use crate::error::Error;
use crate::model::Scope;
use crate::store::{self, ConnectionRecord};

const AUTHORIZED: &str = "AUTHORIZED";

fn any_arn(call: &Call, name: &str) -> Arn {
    Scope::of(call).arn(format!("connection/{name}/*"))
}

pub(super) fn connection_arn(scope: &Scope, name: &str, record: &ConnectionRecord) -> String {
    scope.arn(format!("connection/{name}/{}", record.id)).to_string()
}

fn missing(name: &str) -> Error {
    Error::Missing(format!("Failed to describe the connection(s). Connection '{name}' does not exist."))
}

impl Handle<aws::CreateConnection> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::CreateConnectionRequest) -> Arn {
        any_arn(call, &input.name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::CreateConnectionRequest,
    ) -> Result<aws::CreateConnectionResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.name);
        if input.invocation_connectivity_parameters.is_some() {
            return Err(Fault::unserved("events", "CreateConnection with InvocationConnectivityParameters"));
        }
        let kind = input.authorization_type.as_str().to_owned();
        let parameters = wire::document::write(&input.auth_parameters);
        check(&kind, &parameters)?;
        let _one_at_a_time = self.managing.lock().await;
        let key = store::connection(&scope, &name);
        if self.cellar.get::<ConnectionRecord>(&key).await?.is_some() {
            return Err(Error::Exists(format!("Connection {name} already exists.")).into());
        }
        let now_ms = self.clock.now_ms();
        let record = ConnectionRecord {
            id: self.random.uuid().to_string(),
            description: input.description,
            kind,
            parameters,
            state: AUTHORIZED.to_owned(),
            created_ms: now_ms,
            modified_ms: now_ms,
            authorised_ms: now_ms,
        };
        self.cellar.change(|tx| tx.put_record(key.clone(), &record)).await?;
        Ok(aws::CreateConnectionResponse {
            connection_arn: Some(connection_arn(&scope, &name, &record)),
            connection_state: Some(record.state.as_str().into()),
            creation_time: timestamp(now_ms),
            last_modified_time: timestamp(now_ms),
        })
    }
}

impl Handle<aws::UpdateConnection> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::UpdateConnectionRequest) -> Arn {
        any_arn(call, &input.name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::UpdateConnectionRequest,
    ) -> Result<aws::UpdateConnectionResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.name);
        let now_ms = self.clock.now_ms();
        let record = self
            .change_connection(&scope, &name, |record| {
                if let Some(kind) = &input.authorization_type {
                    record.kind = kind.as_str().to_owned();
                }
                if let Some(parameters) = &input.auth_parameters {
                    merge(&mut record.parameters, wire::document::write(parameters));
                }
                check(&record.kind, &record.parameters)?;
                record.description = input.description.clone().or(record.description.take());
                record.state = AUTHORIZED.to_owned();
                (record.modified_ms, record.authorised_ms) = (now_ms, now_ms);
                Ok(())
            })
            .await?;
        Ok(aws::UpdateConnectionResponse {
            connection_arn: Some(connection_arn(&scope, &name, &record)),
            connection_state: Some(record.state.as_str().into()),
            creation_time: timestamp(record.created_ms),
            last_modified_time: timestamp(record.modified_ms),
            last_authorized_time: timestamp(record.authorised_ms),
        })
    }
}

impl Handle<aws::DeauthorizeConnection> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::DeauthorizeConnectionRequest) -> Arn {
        any_arn(call, &input.name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::DeauthorizeConnectionRequest,
    ) -> Result<aws::DeauthorizeConnectionResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.name);
        let now_ms = self.clock.now_ms();
        let record = self
            .change_connection(&scope, &name, |record| {
                record.state = "DEAUTHORIZED".to_owned();
                record.parameters = shown(&record.parameters);
                record.modified_ms = now_ms;
                Ok(())
            })
            .await?;
        Ok(aws::DeauthorizeConnectionResponse {
            connection_arn: Some(connection_arn(&scope, &name, &record)),
            connection_state: Some(record.state.as_str().into()),
            creation_time: timestamp(record.created_ms),
            last_modified_time: timestamp(record.modified_ms),
            last_authorized_time: timestamp(record.authorised_ms),
        })
    }
}

impl Handle<aws::DescribeConnection> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &aws::DescribeConnectionRequest) -> Arn {
        any_arn(call, &input.name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::DescribeConnectionRequest,
    ) -> Result<aws::DescribeConnectionResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.name);
        let record: Option<ConnectionRecord> = self.cellar.get(&store::connection(&scope, &name)).await?;
        let record = record.ok_or_else(|| missing(&name))?;
        let (parameters, _) = wire::document::read(shown(&record.parameters)).map_err(|error| crate::broken(&error))?;
        Ok(aws::DescribeConnectionResponse {
            connection_arn: Some(connection_arn(&scope, &name, &record)),
            secret_arn: Some(secret_arn(&scope, &name, &record)),
            name: Some(name),
            description: record.description,
            invocation_connectivity_parameters: None,
            connection_state: Some(record.state.as_str().into()),
            state_reason: None,
            authorization_type: Some(record.kind.as_str().into()),
            kms_key_identifier: None,
            auth_parameters: Some(parameters),
            creation_time: timestamp(record.created_ms),
            last_modified_time: timestamp(record.modified_ms),
            last_authorized_time: timestamp(record.authorised_ms),
        })
    }
}

impl Handle<aws::ListConnections> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &aws::ListConnectionsRequest) -> Arn {
        any_arn(call, "*")
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::ListConnectionsRequest,
    ) -> Result<aws::ListConnectionsResponse, Fault> {
        let scope = Scope::of(call);
        let asked = Asked::read(input.next_token.as_deref(), input.limit)?;
        let prefix = input.name_prefix.unwrap_or_default();
        let is_wanted = |(name, record): &(String, ConnectionRecord)| {
            name.starts_with(&prefix)
                && input.connection_state.as_ref().is_none_or(|state| record.state == state.as_str())
        };
        let all = self.cellar.all::<ConnectionRecord>(&store::connections(&scope)).await?;
        let (page, next_token) = asked.cut(all.into_iter().filter(is_wanted));
        let connection = |(name, record): (String, ConnectionRecord)| aws::Connection {
            connection_arn: Some(connection_arn(&scope, &name, &record)),
            name: Some(name),
            connection_state: Some(record.state.as_str().into()),
            state_reason: None,
            authorization_type: Some(record.kind.as_str().into()),
            creation_time: timestamp(record.created_ms),
            last_modified_time: timestamp(record.modified_ms),
            last_authorized_time: timestamp(record.authorised_ms),
        };
        Ok(aws::ListConnectionsResponse { connections: Some(page.into_iter().map(connection).collect()), next_token })
    }
}

impl Handle<aws::DeleteConnection> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::DeleteConnectionRequest) -> Arn {
        any_arn(call, &input.name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::DeleteConnectionRequest,
    ) -> Result<aws::DeleteConnectionResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.name);
        let _one_at_a_time = self.managing.lock().await;
        let key = store::connection(&scope, &name);
        let record: Option<ConnectionRecord> = self.cellar.get(&key).await?;
        let record = record.ok_or_else(|| missing(&name))?;
        self.cellar.change(|tx| tx.delete(key.clone())).await?;
        Ok(aws::DeleteConnectionResponse {
            connection_arn: Some(connection_arn(&scope, &name, &record)),
            connection_state: Some("DELETING".into()),
            creation_time: timestamp(record.created_ms),
            last_modified_time: timestamp(record.modified_ms),
            last_authorized_time: timestamp(record.authorised_ms),
        })
    }
}

impl Events {
    async fn change_connection(
        &self,
        scope: &Scope,
        name: &str,
        change: impl FnOnce(&mut ConnectionRecord) -> Result<(), Error> + Send,
    ) -> Result<ConnectionRecord, Error> {
        let _one_at_a_time = self.managing.lock().await;
        let key = store::connection(scope, name);
        let record: Option<ConnectionRecord> = self.cellar.get(&key).await?;
        let mut record = record.ok_or_else(|| missing(name))?;
        change(&mut record)?;
        self.cellar.change(|tx| tx.put_record(key.clone(), &record)).await?;
        Ok(record)
    }
}

/// AWS keeps secrets in its Secrets Manager and names the place; here it is a name only.
fn secret_arn(scope: &Scope, name: &str, record: &ConnectionRecord) -> String {
    let resource = format!("secret:events!connection/{name}/{}", record.id);
    Arn::new("secretsmanager", &scope.region, scope.account, resource.replace('!', "_")).to_string()
}

/// What a kind of authorisation needs.
fn check(kind: &str, parameters: &Value) -> Result<(), Error> {
    let part = match kind {
        "BASIC" => "BasicAuthParameters",
        "API_KEY" => "ApiKeyAuthParameters",
        _ => "OAuthParameters",
    };
    match parameters[part] {
        Value::Object(_) => Ok(()),
        _ => Err(Error::Invalid(format!(
            "Authorization type {kind} and AuthParameters do not match: {part} must be specified."
        ))),
    }
}

/// What is given replaces what was, member by member; lists as a whole.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// The parameters without their secrets.
fn shown(parameters: &Value) -> Value {
    match parameters {
        Value::Object(members) => {
            let is_secret = members.get("IsValueSecret") == Some(&Value::Bool(true));
            let hidden = |name: &str| {
                matches!(name, "Password" | "ApiKeyValue" | "ClientSecret") || (is_secret && name == "Value")
            };
            let members = members.iter().filter(|(name, _)| !hidden(name));
            Value::Object(members.map(|(name, value)| (name.clone(), shown(value))).collect::<Map<_, _>>())
        }
        Value::Array(elements) => elements.iter().map(shown).collect(),
        leaf => leaf.clone(),
    }
}
