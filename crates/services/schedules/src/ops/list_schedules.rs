//! `ListSchedules`: in order of groups and names.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::scheduler::{
    ListSchedules, ListSchedulesInput, ListSchedulesOutput, ScheduleState, ScheduleSummary, TargetSummary,
};

use super::page;
use super::wanted::show_state;
use crate::Schedules;
use crate::error::Error;
use crate::model::{Schedule, ScheduleName, Scope, State};

/// So many are read at once while those that are wanted are picked out.
const READ_AT_ONCE: usize = 500;

impl Handle<ListSchedules> for Schedules {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListSchedulesInput) -> Arn {
        super::name(call, Some(input.group_name.as_deref().unwrap_or("*")), "*").arn()
    }

    async fn handle(&self, call: &Call, input: ListSchedulesInput) -> Result<ListSchedulesOutput, Fault> {
        let scope = Scope::of(call);
        let group = input.group_name.as_deref().map(|group| scope.group(Some(group)));
        if let Some(group) = &group {
            self.group(group).await?;
        }
        let limit = page::limit(input.max_results);
        let mut after = input.next_token.as_deref().map(|token| read(&scope, token)).transpose()?;
        let prefix = input.name_prefix.as_deref().unwrap_or_default();
        let wanted = |schedule: &Schedule| {
            let state = match &input.state {
                None | Some(ScheduleState::Other(_)) => true,
                Some(ScheduleState::Enabled) => schedule.settings.state == State::Enabled,
                Some(ScheduleState::Disabled) => schedule.settings.state == State::Disabled,
            };
            state && schedule.name.name.starts_with(prefix)
        };
        let mut found: Vec<Schedule> = Vec::new();
        loop {
            let page = self.cabinet.schedules(&scope, group.as_ref(), after.as_ref(), READ_AT_ONCE).await?;
            after = page.items.last().map(|last| last.name.clone());
            found.extend(page.items.into_iter().filter(wanted));
            if found.len() > limit || !page.more {
                break;
            }
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more).map(|last| last.name.clone());
        Ok(ListSchedulesOutput {
            next_token: last.map(|last| page::token(&[&last.group.name, &last.name])),
            schedules: found.into_iter().map(summary).collect(),
        })
    }
}

fn read(scope: &Scope, token: &str) -> Result<ScheduleName, Error> {
    match page::after(token)?.as_slice() {
        [group, name] => Ok(scope.group(Some(group)).schedule(name)),
        _ => Err(Error::invalid("The pagination token provided is invalid.")),
    }
}

fn summary(schedule: Schedule) -> ScheduleSummary {
    ScheduleSummary {
        arn: Some(schedule.name.arn().to_string()),
        creation_date: super::timestamp(schedule.created_ms),
        group_name: Some(schedule.name.group.name.to_string()),
        last_modification_date: super::timestamp(schedule.modified_ms),
        name: Some(schedule.name.name.to_string()),
        state: Some(show_state(schedule.settings.state)),
        target: Some(TargetSummary { arn: schedule.settings.target.arn }),
    }
}
