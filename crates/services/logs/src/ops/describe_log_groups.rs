//! `DescribeLogGroups`: by prefix, by part of the name, by class, or by name; in order of names.
//!
//! There are no other accounts, so `includeLinkedAccounts` and `accountIdentifiers` find what is found without them. A
//! page may be short, or empty, and still have a token: it looks at 5,000 groups at most.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::logs::{DescribeLogGroups, DescribeLogGroupsRequest, DescribeLogGroupsResponse, LogGroup, LogGroupClass};

use super::names::{count, group_arn, group_resource, named, read_token, token, wire_ms};
use crate::error::Error;
use crate::model::{Group, GroupClass};
use crate::{Logs, scope};

const LIMIT_DEFAULT: usize = 50;

impl Handle<DescribeLogGroups> for Logs {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &DescribeLogGroupsRequest) -> Arn {
        group_resource(call, "*")
    }

    async fn handle(&self, call: &Call, input: DescribeLogGroupsRequest) -> Result<DescribeLogGroupsResponse, Fault> {
        match &input.log_group_identifiers {
            Some(identifiers) => Ok(self.describe_named(call, &input, identifiers).await?),
            None => Ok(self.describe_listed(call, &input).await?),
        }
    }
}

impl Logs {
    async fn describe_named(
        &self,
        call: &Call,
        input: &DescribeLogGroupsRequest,
        identifiers: &[String],
    ) -> Result<DescribeLogGroupsResponse, Error> {
        let is_filtered = input.log_group_name_prefix.is_some()
            || input.log_group_name_pattern.is_some()
            || input.log_group_class.is_some()
            || input.limit.is_some()
            || input.next_token.is_some();
        if is_filtered {
            let message = "LogGroup identifiers cannot be combined with other filters.";
            return Err(Error::Invalid(message.into()));
        }
        let mut names: Vec<&str> =
            identifiers.iter().map(|identifier| named(call, identifier)).collect::<Result<_, _>>()?;
        names.sort_unstable();
        names.dedup();
        let snapshot = self.archive.snapshot();
        let mut log_groups = Vec::with_capacity(names.len());
        for name in names {
            match self.archive.group(&snapshot, &scope(call), name).await {
                Ok(group) => {
                    let stored_bytes = self.archive.stored_bytes(&snapshot, &scope(call), group.id).await?;
                    log_groups.push(described(call, &group, Some(stored_bytes)));
                }
                // The list is a filter: what it names and is not there is left out.
                Err(Error::GroupMissing) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(DescribeLogGroupsResponse { log_groups: Some(log_groups), next_token: None })
    }

    async fn describe_listed(
        &self,
        call: &Call,
        input: &DescribeLogGroupsRequest,
    ) -> Result<DescribeLogGroupsResponse, Error> {
        // An empty pattern is none.
        let pattern = input.log_group_name_pattern.as_deref().filter(|pattern| !pattern.is_empty());
        if input.log_group_name_prefix.is_some() && pattern.is_some() {
            let message = "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.";
            return Err(Error::Invalid(message.into()));
        }
        let prefix = input.log_group_name_prefix.as_deref().unwrap_or_default();
        let after = input.next_token.as_deref().map(read_token).transpose()?;
        let limit = count(input.limit, LIMIT_DEFAULT);
        let is_wanted = |group: &Group| {
            pattern.is_none_or(|pattern| group.name.contains(pattern))
                && input.log_group_class.as_ref().is_none_or(|class| *class == wire_class(group.class))
        };
        let snapshot = self.archive.snapshot();
        let scope = scope(call);
        let list = self.archive.groups(&snapshot, &scope, prefix, after.as_deref(), limit, is_wanted).await?;
        let mut log_groups = Vec::with_capacity(list.groups.len());
        for group in &list.groups {
            // AWS leaves the size out of what it finds by pattern.
            let stored_bytes = match pattern {
                None => Some(self.archive.stored_bytes(&snapshot, &scope, group.id).await?),
                Some(_) => None,
            };
            log_groups.push(described(call, group, stored_bytes));
        }
        Ok(DescribeLogGroupsResponse { log_groups: Some(log_groups), next_token: list.next.as_deref().map(token) })
    }
}

/// A group as the answer shows it; without a size, only what AWS shows of one that was found by pattern.
fn described(call: &Call, group: &Group, stored_bytes: Option<u64>) -> LogGroup {
    let is_whole = stored_bytes.is_some();
    LogGroup {
        log_group_name: Some(group.name.clone()),
        creation_time: Some(wire_ms(group.created_ms)),
        retention_in_days: group.retention_days.and_then(|days| i32::try_from(days).ok()),
        metric_filter_count: Some(0),
        arn: Some(group_resource(call, &group.name).to_string()),
        stored_bytes: stored_bytes.map(wire_ms),
        log_group_class: Some(wire_class(group.class)),
        log_group_arn: Some(group_arn(call, &group.name).to_string()),
        deletion_protection_enabled: is_whole.then_some(group.is_protected),
        ..LogGroup::default()
    }
}

fn wire_class(class: GroupClass) -> LogGroupClass {
    match class {
        GroupClass::Standard => LogGroupClass::Standard,
        GroupClass::InfrequentAccess => LogGroupClass::InfrequentAccess,
        GroupClass::Delivery => LogGroupClass::Delivery,
    }
}
