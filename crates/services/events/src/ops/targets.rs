//! Targets of rules: put, removed, listed.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::events as aws;

use super::page::Asked;
use crate::Events;
use crate::error::Error;
use crate::model::name::bus_of;
use crate::model::{Scope, Target};
use crate::store::{self, TargetRecord};

/// Targets of a rule: as many as one request of the model can put. AWS has five unless asked for more.
const TARGETS_MAX: usize = 100;

impl Handle<aws::PutTargets> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::PutTargetsRequest) -> Arn {
        Scope::of(call).rule_arn(bus_of(input.event_bus_name.as_deref()), &input.rule)
    }

    async fn handle(&self, call: &Call, input: aws::PutTargetsRequest) -> Result<aws::PutTargetsResponse, Fault> {
        let scope = Scope::of(call);
        let bus = bus_of(input.event_bus_name.as_deref());
        let targets: Result<Vec<Target>, Error> = input.targets.iter().map(Target::read).collect();
        let targets = targets?;
        let _one_at_a_time = self.managing.lock().await;
        let rule = self.table.rule(&scope, bus, &input.rule)?;
        let new = targets.iter().filter(|target| !rule.targets.contains_key(&target.id)).count();
        if rule.targets.len() + new > TARGETS_MAX {
            return Err(Error::Limit.into());
        }
        let change = |tx: &::store::Transaction| {
            for target in &targets {
                let record = TargetRecord { document: target.document.clone() };
                tx.put_record(store::target(&scope, bus, &input.rule, &target.id), &record);
            }
        };
        self.cellar.change(change).await?;
        self.refresh(&[store::rule(&scope, bus, &input.rule)]).await?;
        Ok(aws::PutTargetsResponse { failed_entry_count: Some(0), failed_entries: Some(Vec::new()) })
    }
}

impl Handle<aws::RemoveTargets> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::RemoveTargetsRequest) -> Arn {
        Scope::of(call).rule_arn(bus_of(input.event_bus_name.as_deref()), &input.rule)
    }

    async fn handle(&self, call: &Call, input: aws::RemoveTargetsRequest) -> Result<aws::RemoveTargetsResponse, Fault> {
        let scope = Scope::of(call);
        let bus = bus_of(input.event_bus_name.as_deref());
        let _one_at_a_time = self.managing.lock().await;
        let rule = self.table.rule(&scope, bus, &input.rule)?;
        let (known, unknown): (Vec<&String>, Vec<&String>) =
            input.ids.iter().partition(|id| rule.targets.contains_key(*id));
        let change = |tx: &::store::Transaction| {
            known.iter().for_each(|id| tx.delete(store::target(&scope, bus, &input.rule, id)));
        };
        self.cellar.change(change).await?;
        self.refresh(&[store::rule(&scope, bus, &input.rule)]).await?;
        let failed = |id: &&String| aws::RemoveTargetsResultEntry {
            target_id: Some((*id).clone()),
            error_code: Some("ResourceNotFoundException".to_owned()),
            error_message: Some(format!("Rule {} does not have a target with the Id {id}.", input.rule)),
        };
        let failed: Vec<_> = unknown.iter().map(failed).collect();
        let count = i32::try_from(failed.len()).unwrap_or(i32::MAX);
        Ok(aws::RemoveTargetsResponse { failed_entry_count: Some(count), failed_entries: Some(failed) })
    }
}

impl Handle<aws::ListTargetsByRule> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &aws::ListTargetsByRuleRequest) -> Arn {
        Scope::of(call).rule_arn(bus_of(input.event_bus_name.as_deref()), &input.rule)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::ListTargetsByRuleRequest,
    ) -> Result<aws::ListTargetsByRuleResponse, Fault> {
        let bus = bus_of(input.event_bus_name.as_deref());
        let asked = Asked::read(input.next_token.as_deref(), input.limit)?;
        let rule = self.table.rule(&Scope::of(call), bus, &input.rule)?;
        let (page, next_token) = asked.cut(rule.targets);
        let mut targets = Vec::with_capacity(page.len());
        for (_, target) in page {
            let (wire, _) = wire::document::read(target.document.clone()).map_err(|error| crate::broken(&error))?;
            targets.push(wire);
        }
        Ok(aws::ListTargetsByRuleResponse { targets: Some(targets), next_token })
    }
}
