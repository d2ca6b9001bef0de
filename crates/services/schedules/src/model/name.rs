//! Names and ARNs of schedules and groups.

use std::fmt;
use std::sync::Arc;

use contract::{AccountId, Arn, Call, Region};

/// The group that schedules are in that name none. It is always there.
pub const DEFAULT_GROUP: &str = "default";

/// Whose schedules, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
}

/// A group's full name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName {
    /// Whose, and where.
    pub scope: Scope,
    /// Its name in there; the model's rules hold for it.
    pub name: Arc<str>,
}

/// A schedule's full name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduleName {
    /// Its group.
    pub group: GroupName,
    /// Its name in there; the model's rules hold for it.
    pub name: Arc<str>,
}

impl Scope {
    /// The scope of a call.
    pub fn of(call: &Call) -> Self {
        Self { account: call.account, region: call.region.clone() }
    }

    /// The group of that name, or the default one.
    pub fn group(&self, name: Option<&str>) -> GroupName {
        GroupName { scope: self.clone(), name: name.unwrap_or(DEFAULT_GROUP).into() }
    }
}

impl GroupName {
    /// Its schedule of that name.
    pub fn schedule(&self, name: &str) -> ScheduleName {
        ScheduleName { group: self.clone(), name: name.into() }
    }

    /// Its ARN.
    pub fn arn(&self) -> Arn {
        Arn::new("scheduler", &self.scope.region, self.scope.account, format!("schedule-group/{}", self.name))
    }

    /// Whether it is always there.
    pub fn is_default(&self) -> bool {
        &*self.name == DEFAULT_GROUP
    }

    /// The group of this account and region that an ARN names.
    pub fn of_arn(scope: &Scope, arn: &str) -> Option<Self> {
        let parsed = Arn::parse(arn)?;
        let own = parsed.service == "scheduler"
            && parsed.region == scope.region.as_str()
            && parsed.account == scope.account.to_string();
        let name = parsed.resource.strip_prefix("schedule-group/").filter(|_| own)?;
        Some(scope.group(Some(name)))
    }
}

impl ScheduleName {
    /// Its ARN.
    pub fn arn(&self) -> Arn {
        let GroupName { scope, name } = &self.group;
        Arn::new("scheduler", &scope.region, scope.account, format!("schedule/{name}/{}", self.name))
    }
}

/// As people write it: with its group, unless that is the default one.
impl fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_default() {
            return f.write_str(&self.name);
        }
        write!(f, "{}/{}", self.group.name, self.name)
    }
}
