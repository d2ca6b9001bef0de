//! `ListScheduleGroups`: in order of names; the default one is always among them.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::scheduler::{ListScheduleGroups, ListScheduleGroupsInput, ListScheduleGroupsOutput, ScheduleGroupSummary};

use super::{group_state, page, timestamp};
use crate::Schedules;
use crate::model::name::DEFAULT_GROUP;
use crate::model::{Group, Scope};

impl Handle<ListScheduleGroups> for Schedules {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &ListScheduleGroupsInput) -> Arn {
        Scope::of(call).group(Some("*")).arn()
    }

    async fn handle(&self, call: &Call, input: ListScheduleGroupsInput) -> Result<ListScheduleGroupsOutput, Fault> {
        let scope = Scope::of(call);
        let limit = page::limit(input.max_results);
        let after = input.next_token.as_deref().map(page::after).transpose()?.and_then(|mut words| words.pop());
        let prefix = input.name_prefix.as_deref().unwrap_or_default();
        let page = self.cabinet.groups(&scope, prefix, after.as_deref(), limit + 1).await?;
        let mut groups = page.items;
        let wanted = DEFAULT_GROUP.starts_with(prefix) && after.as_deref().is_none_or(|after| after < DEFAULT_GROUP);
        let place = groups.partition_point(|group| &*group.name.name < DEFAULT_GROUP);
        if wanted && groups.get(place).is_none_or(|group| !group.name.is_default()) {
            groups.insert(place, self.group(&scope.group(None)).await?);
        }
        let more = groups.len() > limit;
        groups.truncate(limit);
        let last = groups.last().filter(|_| more).map(|last| page::token(&[&last.name.name]));
        Ok(ListScheduleGroupsOutput { next_token: last, schedule_groups: groups.iter().map(summary).collect() })
    }
}

fn summary(group: &Group) -> ScheduleGroupSummary {
    ScheduleGroupSummary {
        arn: Some(group.name.arn().to_string()),
        creation_date: timestamp(group.created_ms),
        last_modification_date: timestamp(group.modified_ms),
        name: Some(group.name.name.to_string()),
        state: Some(group_state(group)),
    }
}
