//! The keys, see `store.rs`.

use contract::{AccountId, Region};
use store::Key;
use store::Parts;

use crate::error::Error;
use crate::model::{GroupName, ScheduleName, Scope};

fn scoped(kind: &str, scope: &Scope) -> Key {
    Key::new("schedules").with(kind).with(scope.account.to_string()).with(scope.region.as_str())
}

fn named(kind: &str, name: &ScheduleName) -> Key {
    scoped(kind, &name.group.scope).with(&*name.group.name).with(&*name.name)
}

pub(super) fn groups() -> Key {
    Key::new("schedules").with("group")
}

pub(super) fn groups_of(scope: &Scope) -> Key {
    scoped("group", scope)
}

pub(super) fn group(name: &GroupName) -> Key {
    groups_of(&name.scope).with(&*name.name)
}

pub(super) fn read_group(key: &Key) -> Result<GroupName, Error> {
    let mut parts = key.parts_after(&groups())?;
    read_group_parts(&mut parts)
}

pub(super) fn schedules_in(scope: &Scope) -> Key {
    scoped("s", scope)
}

pub(super) fn schedules_of(group: &GroupName) -> Key {
    schedules_in(&group.scope).with(&*group.name)
}

pub(super) fn schedule(name: &ScheduleName) -> Key {
    named("s", name)
}

pub(super) fn read_schedule(scope: &Scope, key: &Key) -> Result<ScheduleName, Error> {
    let mut parts = key.parts_after(&schedules_in(scope))?;
    let group = scope.group(Some(&parts.text()?));
    Ok(group.schedule(&parts.text()?))
}

pub(super) fn piece(name: &ScheduleName, number: u32) -> Key {
    named("i", name).with(u64::from(number))
}

pub(super) fn next(name: &ScheduleName) -> Key {
    named("n", name)
}

pub(super) fn all_due() -> Key {
    Key::queue("schedules-due")
}

pub(super) fn due(fire_ms: i64, name: &ScheduleName) -> Key {
    let GroupName { scope, name: group } = &name.group;
    let key = all_due().with(fire_ms).with(scope.account.to_string()).with(scope.region.as_str());
    key.with(&**group).with(&*name.name)
}

pub(super) fn read_due(key: &Key) -> Result<(i64, ScheduleName), Error> {
    let mut parts = key.parts_after(&all_due())?;
    let fire_ms = parts.signed()?;
    let group = read_group_parts(&mut parts)?;
    Ok((fire_ms, group.schedule(&parts.text()?)))
}

fn read_group_parts(parts: &mut Parts<'_>) -> Result<GroupName, Error> {
    let (account, region, name) = (parts.text()?, parts.text()?, parts.text()?);
    let scope = AccountId::parse(&account).zip(Region::parse(&region));
    let (account, region) = scope.ok_or_else(|| super::wrong_key("an account and a region"))?;
    Ok(Scope { account, region }.group(Some(&name)))
}
