//! The operations, one file each, and what several of them share.

mod create_schedule;
mod create_schedule_group;
mod delete_schedule;
mod delete_schedule_group;
mod get_schedule;
mod get_schedule_group;
mod list_schedule_groups;
mod list_schedules;
mod list_tags_for_resource;
mod page;
mod tag_resource;
mod untag_resource;
mod update_schedule;
mod wanted;

use std::sync::Arc;

use contract::{Arn, Call};
use dispatch::Registry;
use jiff::Timestamp;
use wire::scheduler::{
    CreateSchedule, CreateScheduleGroup, DeleteSchedule, DeleteScheduleGroup, GetSchedule, GetScheduleGroup,
    ListScheduleGroups, ListSchedules, ListTagsForResource, ScheduleGroupState, TagResource, UntagResource,
    UpdateSchedule,
};

use crate::Schedules;
use crate::error::Error;
use crate::model::{Group, GroupName, ScheduleName, Scope};
use crate::store::Drawer;

/// Names every operation that is served.
pub fn register(registry: &mut Registry, schedules: &Arc<Schedules>) {
    registry.add::<CreateSchedule, _>(schedules);
    registry.add::<CreateScheduleGroup, _>(schedules);
    registry.add::<DeleteSchedule, _>(schedules);
    registry.add::<DeleteScheduleGroup, _>(schedules);
    registry.add::<GetSchedule, _>(schedules);
    registry.add::<GetScheduleGroup, _>(schedules);
    registry.add::<ListScheduleGroups, _>(schedules);
    registry.add::<ListSchedules, _>(schedules);
    registry.add::<ListTagsForResource, _>(schedules);
    registry.add::<TagResource, _>(schedules);
    registry.add::<UntagResource, _>(schedules);
    registry.add::<UpdateSchedule, _>(schedules);
}

/// The schedule that a call names.
fn name(call: &Call, group: Option<&str>, name: &str) -> ScheduleName {
    Scope::of(call).group(group).schedule(name)
}

/// The group that a call names by its ARN.
fn tagged(call: &Call, arn: &str) -> Result<GroupName, Error> {
    GroupName::of_arn(&Scope::of(call), arn).ok_or_else(|| Error::GroupMissing(arn.to_owned()))
}

/// What a policy calls the group of an ARN.
fn tagged_resource(call: &Call, arn: &str) -> Arn {
    tagged(call, arn).map_or_else(|_| Arn::any(), |group| group.arn())
}

/// A point in time, as answers have it.
fn timestamp(ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(ms).ok()
}

fn group_state(group: &Group) -> ScheduleGroupState {
    match group.deleting {
        true => ScheduleGroupState::Deleting,
        false => ScheduleGroupState::Active,
    }
}

impl Schedules {
    /// The group as its readers see it; the default one is there without having been made.
    async fn group(&self, name: &GroupName) -> Result<Group, Error> {
        self.known(name, self.cabinet.group(name).await?)
    }

    /// The group in a change, for who wants to put something into it.
    async fn open_group(&self, drawer: &Drawer, name: &GroupName) -> Result<Group, Error> {
        let group = self.known(name, drawer.group(name).await?)?;
        match group.deleting {
            true => Err(Error::GroupDeleting(name.name.to_string())),
            false => Ok(group),
        }
    }

    fn known(&self, name: &GroupName, group: Option<Group>) -> Result<Group, Error> {
        match group {
            Some(group) => Ok(group),
            None if name.is_default() => Ok(Group {
                name: name.clone(),
                created_ms: self.opened_ms,
                modified_ms: self.opened_ms,
                deleting: false,
                token: None,
                tags: Default::default(),
            }),
            None => Err(Error::GroupMissing(name.name.to_string())),
        }
    }
}
