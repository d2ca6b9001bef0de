//! Log groups: made, found, listed, changed, deleted.

use std::collections::BTreeMap;

use store::{Range, Scan, Snapshot, Transaction};

use super::records::{ExpireRecord, GroupRecord, Made, SweepRecord, Swept, Tally};
use super::{Archive, Keys, Scope};
use crate::error::Error;
use crate::model::{Group, GroupClass, GroupId};

/// A group that is to be made.
#[derive(Clone, Debug)]
pub struct NewGroup {
    /// Its name.
    pub name: String,
    /// Its class.
    pub class: GroupClass,
    /// Whether it refuses to be deleted.
    pub is_protected: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A page of groups.
#[derive(Debug, Default)]
pub struct GroupList {
    /// The groups, by name.
    pub groups: Vec<Group>,
    /// The name after which to go on; none: that was all.
    pub next: Option<String>,
}

/// How many groups one page looks at, whatever it finds.
const LOOKED_AT_MAX: usize = 5_000;

impl Archive {
    /// Makes a group.
    pub async fn create_group(&self, scope: &Scope, new: NewGroup) -> Result<(), Error> {
        let (keys, created_ms) = (Keys::of(scope), self.now_ms());
        self.store
            .transact(|tx| {
                let (keys, new) = (&keys, &new);
                async move {
                    if tx.get(&keys.group(&new.name)).await?.is_some() {
                        return Err(Error::GroupExists);
                    }
                    make_group(&tx, keys, scope, new, created_ms).await?;
                    Ok(())
                }
            })
            .await
    }

    /// The group of that name.
    pub async fn group(&self, snapshot: &Snapshot, scope: &Scope, name: &str) -> Result<Group, Error> {
        let record: Option<GroupRecord> = snapshot.get_record(&Keys::of(scope).group(name)).await?;
        Ok(record.ok_or(Error::GroupMissing)?.named(name))
    }

    /// What a group counts for in `storedBytes`.
    pub async fn stored_bytes(&self, snapshot: &Snapshot, scope: &Scope, group: GroupId) -> Result<u64, Error> {
        let keys = Keys::of(scope);
        let tally: Tally = snapshot.get_record(&keys.tally(group)).await?.unwrap_or_default();
        let swept: Swept = snapshot.get_record(&keys.swept(group)).await?.unwrap_or_default();
        Ok(tally.stored_bytes.saturating_sub(swept.removed_bytes))
    }

    /// Up to `limit` groups whose name begins with `prefix` and comes after `after`, and that `wanted` says yes to. A
    /// page may be short, or empty, and still not be the last.
    pub async fn groups(
        &self,
        snapshot: &Snapshot,
        scope: &Scope,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        wanted: impl Fn(&Group) -> bool,
    ) -> Result<GroupList, Error> {
        let keys = Keys::of(scope);
        let mut range = Range::text_prefix(&keys.groups(), prefix);
        if let Some(after) = after {
            range = range.after(&keys.group(after));
        }
        let (mut list, mut looked_at) = (GroupList::default(), 0);
        let mut rest = Some(range);
        while let Some(range) = rest.take() {
            let page = snapshot.scan(range, Scan::first(500)).await?;
            rest = page.rest;
            for (key, value) in page.items {
                let name = key.parts_after(&keys.groups())?.text()?;
                if list.groups.len() == limit || looked_at == LOOKED_AT_MAX {
                    return Ok(list);
                }
                looked_at += 1;
                list.next = Some(name.clone());
                let group = store::record::decode::<GroupRecord>(&value)?.named(&name);
                if wanted(&group) {
                    list.groups.push(group);
                }
            }
        }
        list.next = None;
        Ok(list)
    }

    /// Changes a group, as `change` says.
    pub async fn change_group(
        &self,
        scope: &Scope,
        name: &str,
        change: impl Fn(&mut Group) -> Result<(), Error> + Send + Sync,
    ) -> Result<(), Error> {
        let keys = Keys::of(scope);
        self.store
            .transact(|tx| {
                let (keys, change) = (&keys, &change);
                async move {
                    let record: Option<GroupRecord> = tx.get_record(&keys.group(name)).await?;
                    let mut group = record.ok_or(Error::GroupMissing)?.named(name);
                    change(&mut group)?;
                    put_group(&tx, keys, scope, &group);
                    Ok(())
                }
            })
            .await
    }

    /// Deletes a group and everything in it. It is gone when this returns; the room that it took comes back later.
    pub async fn delete_group(&self, scope: &Scope, name: &str) -> Result<(), Error> {
        let keys = Keys::of(scope);
        self.store
            .transact(|tx| {
                let keys = &keys;
                async move {
                    let record: Option<GroupRecord> = tx.get_record(&keys.group(name)).await?;
                    let group = record.ok_or(Error::GroupMissing)?.named(name);
                    if group.is_protected {
                        return Err(Error::Protected(name.to_owned()));
                    }
                    tx.delete(keys.group(name));
                    tx.delete(keys.tally(group.id));
                    tx.delete(keys.swept(group.id));
                    tx.delete(keys.expire(group.id));
                    tx.put_record(keys.sweep(group.id, None), &SweepRecord::of(scope, group.id, None));
                    Ok(())
                }
            })
            .await
    }
}

/// Makes a group that is not there.
pub(super) async fn make_group(
    tx: &Transaction,
    keys: &Keys,
    scope: &Scope,
    new: &NewGroup,
    created_ms: u64,
) -> Result<Group, Error> {
    let mut made: Made = tx.get_record(&keys.made()).await?.unwrap_or_default();
    made.groups += 1;
    tx.put_record(keys.made(), &made);
    let group = Group {
        id: GroupId(made.groups),
        name: new.name.clone(),
        created_ms,
        class: new.class,
        retention_days: None,
        is_protected: new.is_protected,
        tags: new.tags.clone(),
    };
    tx.put_record(keys.tally(group.id), &Tally::default());
    tx.put_record(keys.swept(group.id), &Swept { removed_bytes: 0, oldest_ms: u64::MAX });
    put_group(tx, keys, scope, &group);
    Ok(group)
}

fn put_group(tx: &Transaction, keys: &Keys, scope: &Scope, group: &Group) {
    tx.put_record(keys.group(&group.name), &GroupRecord::of(group));
    match group.expired_before_ms(u64::MAX) {
        0 => tx.delete(keys.expire(group.id)),
        _ => tx.put_record(keys.expire(group.id), &ExpireRecord::of(scope, &group.name)),
    }
}
