//! Rules: put, described, listed, switched, deleted.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use pattern::Pattern;
use wire::Empty;
use wire::events as aws;

use super::page::Asked;
use crate::Events;
use crate::error::Error;
use crate::model::name::bus_of;
use crate::model::{DEFAULT, Rule, Scope};
use crate::ops::tags::read_tags;
use crate::store::{self, RuleRecord, TimerRecord};
use crate::table::timetable;

fn rule_arn(call: &Call, bus: Option<&str>, name: &str) -> Arn {
    Scope::of(call).rule_arn(bus_of(bus), name)
}

impl Handle<aws::PutRule> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::PutRuleRequest) -> Arn {
        rule_arn(call, input.event_bus_name.as_deref(), &input.name)
    }

    async fn handle(&self, call: &Call, input: aws::PutRuleRequest) -> Result<aws::PutRuleResponse, Fault> {
        let (scope, now_ms) = (Scope::of(call), self.clock.now_ms());
        let bus = bus_of(input.event_bus_name.as_deref());
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (pattern, schedule) = (given(&input.event_pattern), given(&input.schedule_expression));
        if pattern.is_none() && schedule.is_none() {
            return Err(Error::invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.").into());
        }
        if let Some(text) = &pattern {
            Pattern::compile(text).map_err(Error::from)?;
        }
        if let Some(text) = &schedule {
            if bus != DEFAULT {
                return Err(Error::invalid("ScheduleExpression is supported only on the default event bus.").into());
            }
            timetable(text, now_ms)?;
        }
        let _one_at_a_time = self.managing.lock().await;
        let before = self.table.look(&scope, bus, |bus| bus.rules.get(&input.name).cloned())?.map(|rule| rule.record);
        let tags = match (&before, &input.tags) {
            // Tags of a rule that is there are not changed, as on AWS.
            (Some(before), _) => before.tags.clone(),
            (None, tags) => read_tags(BTreeMap::new(), tags.as_deref().unwrap_or_default())?,
        };
        let is_same_schedule = before.as_ref().is_some_and(|before| before.schedule == schedule);
        let record = RuleRecord {
            pattern,
            scheduled_ms: before.filter(|_| is_same_schedule).map_or(now_ms, |before| before.scheduled_ms),
            schedule,
            state: input.state.map_or_else(|| "ENABLED".to_owned(), |state| state.as_str().to_owned()),
            description: input.description,
            role: input.role_arn,
            tags,
        };
        self.put_rule(&scope, bus, &input.name, &record).await?;
        Ok(aws::PutRuleResponse { rule_arn: Some(scope.rule_arn(bus, &input.name).to_string()) })
    }
}

impl Handle<aws::DescribeRule> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &aws::DescribeRuleRequest) -> Arn {
        rule_arn(call, input.event_bus_name.as_deref(), &input.name)
    }

    async fn handle(&self, call: &Call, input: aws::DescribeRuleRequest) -> Result<aws::DescribeRuleResponse, Fault> {
        let scope = Scope::of(call);
        let bus = bus_of(input.event_bus_name.as_deref());
        let record = self.table.rule(&scope, bus, &input.name)?.record;
        Ok(aws::DescribeRuleResponse {
            arn: Some(scope.rule_arn(bus, &input.name).to_string()),
            name: Some(input.name),
            event_pattern: record.pattern,
            schedule_expression: record.schedule,
            state: Some(record.state.as_str().into()),
            description: record.description,
            role_arn: record.role,
            managed_by: None,
            event_bus_name: Some(bus.to_owned()),
            created_by: Some(scope.account.to_string()),
        })
    }
}

impl Handle<aws::ListRules> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &aws::ListRulesRequest) -> Arn {
        rule_arn(call, input.event_bus_name.as_deref(), "*")
    }

    async fn handle(&self, call: &Call, input: aws::ListRulesRequest) -> Result<aws::ListRulesResponse, Fault> {
        let scope = Scope::of(call);
        let bus = bus_of(input.event_bus_name.as_deref());
        let asked = Asked::read(input.next_token.as_deref(), input.limit)?;
        let prefix = input.name_prefix.unwrap_or_default();
        let (page, next_token) = self.table.look(&scope, bus, |found| {
            let rules = found.rules.iter().filter(|(name, _)| name.starts_with(&prefix));
            asked.cut(rules.map(|(name, rule)| (name.clone(), rule.record.clone())))
        })?;
        let rule = |(name, record): (String, RuleRecord)| aws::Rule {
            arn: Some(scope.rule_arn(bus, &name).to_string()),
            name: Some(name),
            event_pattern: record.pattern,
            state: Some(record.state.as_str().into()),
            description: record.description,
            schedule_expression: record.schedule,
            role_arn: record.role,
            managed_by: None,
            event_bus_name: Some(bus.to_owned()),
        };
        Ok(aws::ListRulesResponse { rules: Some(page.into_iter().map(rule).collect()), next_token })
    }
}

impl Handle<aws::ListRuleNamesByTarget> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &aws::ListRuleNamesByTargetRequest) -> Arn {
        rule_arn(call, input.event_bus_name.as_deref(), "*")
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::ListRuleNamesByTargetRequest,
    ) -> Result<aws::ListRuleNamesByTargetResponse, Fault> {
        let scope = Scope::of(call);
        let bus = bus_of(input.event_bus_name.as_deref());
        let asked = Asked::read(input.next_token.as_deref(), input.limit)?;
        let sends_there = |rule: &Rule| rule.targets.values().any(|target| target.arn == input.target_arn);
        let (page, next_token) = self.table.look(&scope, bus, |found| {
            let rules = found.rules.iter().filter(|(_, rule)| sends_there(rule));
            asked.cut(rules.map(|(name, _)| (name.clone(), ())))
        })?;
        let rule_names = Some(page.into_iter().map(|(name, ())| name).collect());
        Ok(aws::ListRuleNamesByTargetResponse { rule_names, next_token })
    }
}

impl Handle<aws::EnableRule> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::EnableRuleRequest) -> Arn {
        rule_arn(call, input.event_bus_name.as_deref(), &input.name)
    }

    async fn handle(&self, call: &Call, input: aws::EnableRuleRequest) -> Result<Empty, Fault> {
        self.switch(call, input.event_bus_name.as_deref(), &input.name, "ENABLED").await
    }
}

impl Handle<aws::DisableRule> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::DisableRuleRequest) -> Arn {
        rule_arn(call, input.event_bus_name.as_deref(), &input.name)
    }

    async fn handle(&self, call: &Call, input: aws::DisableRuleRequest) -> Result<Empty, Fault> {
        self.switch(call, input.event_bus_name.as_deref(), &input.name, "DISABLED").await
    }
}

impl Handle<aws::DeleteRule> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::DeleteRuleRequest) -> Arn {
        rule_arn(call, input.event_bus_name.as_deref(), &input.name)
    }

    async fn handle(&self, call: &Call, input: aws::DeleteRuleRequest) -> Result<Empty, Fault> {
        let scope = Scope::of(call);
        let bus = bus_of(input.event_bus_name.as_deref());
        let _one_at_a_time = self.managing.lock().await;
        // What is not there is deleted already; a bus that is not there is not.
        let Some(rule) = self.table.look(&scope, bus, |found| found.rules.get(&input.name).cloned())? else {
            return Ok(Empty {});
        };
        if !rule.targets.is_empty() {
            return Err(Error::invalid("Rule can't be deleted since it has targets.").into());
        }
        let (key, timer) = (store::rule(&scope, bus, &input.name), store::timer(&scope, &input.name));
        let is_scheduled = rule.record.schedule.is_some();
        let change = |tx: &::store::Transaction| {
            tx.delete(key.clone());
            if is_scheduled {
                tx.delete(timer.clone());
            }
        };
        self.cellar.change(change).await?;
        self.refresh(&[key, timer]).await?;
        Ok(Empty {})
    }
}

impl Events {
    /// Writes a rule, and when it is due next.
    pub(super) async fn put_rule(
        &self,
        scope: &Scope,
        bus: &str,
        name: &str,
        record: &RuleRecord,
    ) -> Result<(), Error> {
        let (key, timer) = (store::rule(scope, bus, name), store::timer(scope, name));
        let due_ms = match &record.schedule {
            Some(text) if record.state != "DISABLED" => {
                timetable(text, record.scheduled_ms)?.next_after(self.clock.now_ms())
            }
            Some(_) | None => None,
        };
        let has_timer = bus == DEFAULT;
        let change = |tx: &::store::Transaction| {
            tx.put_record(key.clone(), record);
            match due_ms {
                Some(due_ms) => tx.put_record(timer.clone(), &TimerRecord { due_ms }),
                None if has_timer => tx.delete(timer.clone()),
                None => {}
            }
        };
        self.cellar.change(change).await?;
        self.refresh(&[key, timer]).await
    }

    async fn switch(&self, call: &Call, bus: Option<&str>, name: &str, state: &str) -> Result<Empty, Fault> {
        let (scope, bus) = (Scope::of(call), bus_of(bus));
        let _one_at_a_time = self.managing.lock().await;
        let rule = self.table.rule(&scope, bus, name)?;
        if rule.record.state != state {
            let record = RuleRecord { state: state.to_owned(), ..rule.record };
            self.put_rule(&scope, bus, name, &record).await?;
        }
        Ok(Empty {})
    }
}
