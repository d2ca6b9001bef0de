//! Buses: made, changed, described, listed, deleted.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use serde_json::Value;
use wire::Empty;
use wire::events as aws;

use super::page::Asked;
use super::timestamp;
use crate::error::Error;
use crate::model::name::bus_of;
use crate::model::{DEFAULT, Scope};
use crate::ops::tags::read_tags;
use crate::store::{self, BusRecord};
use crate::{Events, model};

impl Handle<aws::CreateEventBus> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::CreateEventBusRequest) -> Arn {
        Scope::of(call).bus_arn(&input.name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::CreateEventBusRequest,
    ) -> Result<aws::CreateEventBusResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.name);
        if input.event_source_name.is_some() {
            return Err(Fault::unserved("events", "CreateEventBus with EventSourceName"));
        }
        if name.contains('/') {
            return Err(Error::invalid("Event bus name must not contain '/'.").into());
        }
        let _one_at_a_time = self.managing.lock().await;
        if self.table.look(&scope, &name, |_| ()).is_ok() {
            return Err(Error::Exists(format!("Event bus {name} already exists.")).into());
        }
        let now_ms = self.clock.now_ms();
        let record = BusRecord {
            description: input.description.clone(),
            kms_key: input.kms_key_identifier.clone(),
            dead_letter: input.dead_letter_config.as_ref().and_then(|config| config.arn.clone()),
            log: input.log_config.as_ref().map(|log| wire::document::write(log)),
            policy: None,
            tags: read_tags(BTreeMap::new(), input.tags.as_deref().unwrap_or_default())?,
            created_ms: now_ms,
            modified_ms: now_ms,
        };
        self.put_bus(&scope, &name, &record).await?;
        Ok(aws::CreateEventBusResponse {
            event_bus_arn: Some(scope.bus_arn(&name).to_string()),
            description: input.description,
            kms_key_identifier: input.kms_key_identifier,
            dead_letter_config: input.dead_letter_config,
            log_config: input.log_config,
        })
    }
}

impl Handle<aws::UpdateEventBus> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::UpdateEventBusRequest) -> Arn {
        Scope::of(call).bus_arn(bus_of(input.name.as_deref()))
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::UpdateEventBusRequest,
    ) -> Result<aws::UpdateEventBusResponse, Fault> {
        let scope = Scope::of(call);
        let name = bus_of(input.name.as_deref()).to_owned();
        let now_ms = self.clock.now_ms();
        let record = self
            .change_bus(&scope, &name, |record| {
                record.description = input.description.clone().or(record.description.take());
                record.kms_key = input.kms_key_identifier.clone().or(record.kms_key.take());
                if let Some(config) = &input.dead_letter_config {
                    record.dead_letter.clone_from(&config.arn);
                }
                if let Some(log) = &input.log_config {
                    record.log = Some(wire::document::write(log));
                }
                record.modified_ms = now_ms;
                Ok(())
            })
            .await?;
        Ok(aws::UpdateEventBusResponse {
            arn: Some(scope.bus_arn(&name).to_string()),
            name: Some(name),
            kms_key_identifier: record.kms_key.clone(),
            description: record.description.clone(),
            dead_letter_config: dead_letter(&record),
            log_config: log(&record),
        })
    }
}

impl Handle<aws::DescribeEventBus> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &aws::DescribeEventBusRequest) -> Arn {
        Scope::of(call).bus_arn(bus_of(input.name.as_deref()))
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::DescribeEventBusRequest,
    ) -> Result<aws::DescribeEventBusResponse, Fault> {
        let scope = Scope::of(call);
        let name = bus_of(input.name.as_deref());
        let record = self.table.look(&scope, name, |bus| bus.record.clone())?;
        Ok(aws::DescribeEventBusResponse {
            arn: Some(scope.bus_arn(name).to_string()),
            name: Some(name.to_owned()),
            dead_letter_config: dead_letter(&record),
            log_config: log(&record),
            creation_time: timestamp(record.created_ms),
            last_modified_time: timestamp(record.modified_ms),
            description: record.description,
            kms_key_identifier: record.kms_key,
            policy: record.policy,
        })
    }
}

impl Handle<aws::ListEventBuses> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &aws::ListEventBusesRequest) -> Arn {
        Scope::of(call).bus_arn("*")
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::ListEventBusesRequest,
    ) -> Result<aws::ListEventBusesResponse, Fault> {
        let scope = Scope::of(call);
        let asked = Asked::read(input.next_token.as_deref(), input.limit)?;
        let prefix = input.name_prefix.unwrap_or_default();
        let (page, next_token) = asked.cut(self.table.buses(&scope, asked.after.as_deref(), &prefix, asked.limit + 1));
        let bus = |(name, record): (String, BusRecord)| aws::EventBus {
            arn: Some(scope.bus_arn(&name).to_string()),
            name: Some(name),
            description: record.description,
            policy: record.policy,
            creation_time: timestamp(record.created_ms),
            last_modified_time: timestamp(record.modified_ms),
        };
        Ok(aws::ListEventBusesResponse { event_buses: Some(page.into_iter().map(bus).collect()), next_token })
    }
}

impl Handle<aws::DeleteEventBus> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::DeleteEventBusRequest) -> Arn {
        Scope::of(call).bus_arn(&input.name)
    }

    async fn handle(&self, call: &Call, input: aws::DeleteEventBusRequest) -> Result<Empty, Fault> {
        let (scope, name) = (Scope::of(call), input.name);
        if name == DEFAULT {
            return Err(Error::invalid("Cannot delete event bus default.").into());
        }
        let _one_at_a_time = self.managing.lock().await;
        // What is not there is deleted already.
        let has_rules = self.table.look(&scope, &name, |bus| !bus.rules.is_empty()).unwrap_or(false);
        if has_rules {
            return Err(Error::invalid("Cannot delete event bus, because it still has rules.").into());
        }
        let key = store::bus(&scope, &name);
        self.cellar.change(|tx| tx.delete(key.clone())).await?;
        self.refresh(&[key]).await?;
        Ok(Empty {})
    }
}

impl Events {
    pub(super) async fn put_bus(&self, scope: &Scope, name: &str, record: &BusRecord) -> Result<(), Error> {
        let key = store::bus(scope, name);
        self.cellar.change(|tx| tx.put_record(key.clone(), record)).await?;
        self.refresh(&[key]).await
    }

    /// Changes a bus; answers what it is now.
    pub(super) async fn change_bus(
        &self,
        scope: &Scope,
        name: &str,
        change: impl FnOnce(&mut BusRecord) -> Result<(), Error> + Send,
    ) -> Result<BusRecord, Error> {
        let _one_at_a_time = self.managing.lock().await;
        let mut record = self.table.look(scope, name, |bus: &model::Bus| bus.record.clone())?;
        change(&mut record)?;
        self.put_bus(scope, name, &record).await?;
        Ok(record)
    }
}

fn dead_letter(record: &BusRecord) -> Option<aws::DeadLetterConfig> {
    record.dead_letter.clone().map(|arn| aws::DeadLetterConfig { arn: Some(arn) })
}

fn log(record: &BusRecord) -> Option<aws::LogConfig> {
    let document: Value = record.log.clone()?;
    wire::document::read(document).ok().map(|(log, _)| log)
}
