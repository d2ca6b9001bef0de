//! API destinations: where requests to the world go.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::events as aws;

use super::connections::connection_arn;
use super::page::Asked;
use super::timestamp;
use crate::Events;
use crate::destination::name_of;
use crate::error::Error;
use crate::model::Scope;
use crate::store::{self, ConnectionRecord, DestinationRecord};

/// Requests a second where nobody says how many, as AWS has it.
const PER_SECOND: i32 = 300;
const ACTIVE: &str = "ACTIVE";

fn any_arn(call: &Call, name: &str) -> Arn {
    Scope::of(call).arn(format!("api-destination/{name}/*"))
}

fn destination_arn(scope: &Scope, name: &str, record: &DestinationRecord) -> String {
    scope.arn(format!("api-destination/{name}/{}", record.id)).to_string()
}

fn missing(name: &str) -> Error {
    Error::Missing(format!("Failed to describe the api-destination(s). An api-destination '{name}' does not exist."))
}

impl Handle<aws::CreateApiDestination> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::CreateApiDestinationRequest) -> Arn {
        any_arn(call, &input.name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::CreateApiDestinationRequest,
    ) -> Result<aws::CreateApiDestinationResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.name);
        let _one_at_a_time = self.managing.lock().await;
        self.check(&scope, &input.connection_arn, &input.invocation_endpoint).await?;
        let key = store::destination(&scope, &name);
        if self.cellar.get::<DestinationRecord>(&key).await?.is_some() {
            return Err(Error::Exists(format!("An api-destination '{name}' already exists.")).into());
        }
        let now_ms = self.clock.now_ms();
        let record = DestinationRecord {
            id: self.random.uuid().to_string(),
            description: input.description,
            connection: input.connection_arn,
            endpoint: input.invocation_endpoint,
            method: input.http_method.as_str().to_owned(),
            per_second: input.invocation_rate_limit_per_second.unwrap_or(PER_SECOND),
            created_ms: now_ms,
            modified_ms: now_ms,
        };
        self.cellar.change(|tx| tx.put_record(key.clone(), &record)).await?;
        Ok(aws::CreateApiDestinationResponse {
            api_destination_arn: Some(destination_arn(&scope, &name, &record)),
            api_destination_state: Some(ACTIVE.into()),
            creation_time: timestamp(now_ms),
            last_modified_time: timestamp(now_ms),
        })
    }
}

impl Handle<aws::UpdateApiDestination> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::UpdateApiDestinationRequest) -> Arn {
        any_arn(call, &input.name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::UpdateApiDestinationRequest,
    ) -> Result<aws::UpdateApiDestinationResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.name);
        let _one_at_a_time = self.managing.lock().await;
        let key = store::destination(&scope, &name);
        let before: Option<DestinationRecord> = self.cellar.get(&key).await?;
        let before = before.ok_or_else(|| missing(&name))?;
        let record = DestinationRecord {
            description: input.description.or(before.description),
            connection: input.connection_arn.unwrap_or(before.connection),
            endpoint: input.invocation_endpoint.unwrap_or(before.endpoint),
            method: input.http_method.map_or(before.method, |method| method.as_str().to_owned()),
            per_second: input.invocation_rate_limit_per_second.unwrap_or(before.per_second),
            modified_ms: self.clock.now_ms(),
            ..before
        };
        self.check(&scope, &record.connection, &record.endpoint).await?;
        self.cellar.change(|tx| tx.put_record(key.clone(), &record)).await?;
        Ok(aws::UpdateApiDestinationResponse {
            api_destination_arn: Some(destination_arn(&scope, &name, &record)),
            api_destination_state: Some(ACTIVE.into()),
            creation_time: timestamp(record.created_ms),
            last_modified_time: timestamp(record.modified_ms),
        })
    }
}

impl Handle<aws::DescribeApiDestination> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &aws::DescribeApiDestinationRequest) -> Arn {
        any_arn(call, &input.name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::DescribeApiDestinationRequest,
    ) -> Result<aws::DescribeApiDestinationResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.name);
        let record: Option<DestinationRecord> = self.cellar.get(&store::destination(&scope, &name)).await?;
        let record = record.ok_or_else(|| missing(&name))?;
        Ok(aws::DescribeApiDestinationResponse {
            api_destination_arn: Some(destination_arn(&scope, &name, &record)),
            name: Some(name),
            description: record.description,
            api_destination_state: Some(ACTIVE.into()),
            connection_arn: Some(record.connection),
            invocation_endpoint: Some(record.endpoint),
            http_method: Some(record.method.as_str().into()),
            invocation_rate_limit_per_second: Some(record.per_second),
            creation_time: timestamp(record.created_ms),
            last_modified_time: timestamp(record.modified_ms),
        })
    }
}

impl Handle<aws::ListApiDestinations> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &aws::ListApiDestinationsRequest) -> Arn {
        any_arn(call, "*")
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::ListApiDestinationsRequest,
    ) -> Result<aws::ListApiDestinationsResponse, Fault> {
        let scope = Scope::of(call);
        let asked = Asked::read(input.next_token.as_deref(), input.limit)?;
        let prefix = input.name_prefix.unwrap_or_default();
        let is_wanted = |(name, record): &(String, DestinationRecord)| {
            name.starts_with(&prefix) && input.connection_arn.as_ref().is_none_or(|arn| record.connection == *arn)
        };
        let all = self.cellar.all::<DestinationRecord>(&store::destinations(&scope)).await?;
        let (page, next_token) = asked.cut(all.into_iter().filter(is_wanted));
        let destination = |(name, record): (String, DestinationRecord)| aws::ApiDestination {
            api_destination_arn: Some(destination_arn(&scope, &name, &record)),
            name: Some(name),
            api_destination_state: Some(ACTIVE.into()),
            connection_arn: Some(record.connection),
            invocation_endpoint: Some(record.endpoint),
            http_method: Some(record.method.as_str().into()),
            invocation_rate_limit_per_second: Some(record.per_second),
            creation_time: timestamp(record.created_ms),
            last_modified_time: timestamp(record.modified_ms),
        };
        let api_destinations = Some(page.into_iter().map(destination).collect());
        Ok(aws::ListApiDestinationsResponse { api_destinations, next_token })
    }
}

impl Handle<aws::DeleteApiDestination> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::DeleteApiDestinationRequest) -> Arn {
        any_arn(call, &input.name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::DeleteApiDestinationRequest,
    ) -> Result<aws::DeleteApiDestinationResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.name);
        let _one_at_a_time = self.managing.lock().await;
        let key = store::destination(&scope, &name);
        if self.cellar.get::<DestinationRecord>(&key).await?.is_none() {
            return Err(missing(&name).into());
        }
        self.cellar.change(|tx| tx.delete(key.clone())).await?;
        Ok(aws::DeleteApiDestinationResponse {})
    }
}

impl Events {
    /// Whether there is such a connection, and the endpoint is one.
    async fn check(&self, scope: &Scope, connection: &str, endpoint: &str) -> Result<(), Error> {
        // AWS takes https only; here what is on this machine or in the house may be asked too.
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            return Err(Error::Invalid(format!("Parameter InvocationEndpoint is not valid: {endpoint}.")));
        }
        let gone = || Error::Missing(format!("Connection '{connection}' does not exist."));
        let name = name_of(connection, ":connection/").ok_or_else(gone)?;
        let record: Option<ConnectionRecord> = self.cellar.get(&store::connection(scope, name)).await?;
        match record.filter(|record| connection_arn(scope, name, record) == connection) {
            Some(_) => Ok(()),
            None => Err(gone()),
        }
    }
}
