//! A policy document, compiled: what [`crate::parse`] makes and [`crate::decide`] reads.

use crate::condition::Condition;
use crate::parse::{self, Malformed};
use crate::pattern::{ArnPattern, Pattern};
use crate::principal::{Caller, Meant, Member};
use crate::{Context, Request};

/// Where a policy is attached, which decides what its statements must and may not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To a user, group or role, or as a boundary or session policy: names resources, never principals.
    Identity,
    /// To a resource: names principals; where it names no resource, it means its own.
    Resource,
    /// To a role, as its trust policy: names principals and `sts:AssumeRole…` actions, never resources.
    Trust,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Allows, unless something denies.
    Allow,
    /// Denies, whatever allows.
    Deny,
}

/// A policy document. Immutable and compiled; share it behind an `Arc`.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub(crate) statements: Box<[Statement]>,
}

impl Policy {
    /// The longest document that is read; services have lower limits of their own.
    pub const BYTES_MAX: usize = 64 << 10;

    /// Reads and compiles a document, with AWS's faults.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, Malformed> {
        parse::policy(text, kind)
    }

    /// How many statements it has.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// What it denies, and nothing of what it allows.
    #[must_use]
    pub fn denials(&self) -> Self {
        let denies = |statement: &&Statement| statement.effect == Effect::Deny;
        Self { statements: self.statements.iter().filter(denies).cloned().collect() }
    }

    /// Both as one.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        Self { statements: self.statements.iter().chain(&other.statements).cloned().collect() }
    }

    /// Whether a condition asks for a key that begins so. What values of conditions and names of resources are filled in with is not
    /// looked at.
    pub fn mentions(&self, key: &str) -> bool {
        self.condition_keys().any(|known| known.get(..key.len()).is_some_and(|start| start.eq_ignore_ascii_case(key)))
    }

    /// The keys that its conditions ask for, as they are written.
    pub fn condition_keys(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(|statement| &statement.conditions).map(Condition::key)
    }
}

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    pub(crate) sid: Option<Box<str>>,
    pub(crate) effect: Effect,
    pub(crate) principals: Principals,
    pub(crate) actions: Actions,
    pub(crate) resources: Resources,
    pub(crate) conditions: Box<[Condition]>,
}

/// Whom a statement means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Principals {
    /// Identity policies: whoever they are attached to.
    Holder,
    These(Box<[Member]>),
    AllBut(Box<[Member]>),
}

/// Which actions a statement means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Actions {
    These(Box<[Pattern]>),
    AllBut(Box<[Pattern]>),
}

/// Which resources a statement means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Resources {
    /// The one that the policy is attached to.
    Own,
    These(Box<[ArnPattern]>),
    AllBut(Box<[ArnPattern]>),
}

impl Statement {
    /// How closely the statement means this request; [`Meant::No`] where it says nothing about it.
    pub(crate) fn means(&self, request: &Request<'_>) -> Meant {
        let fits = self.actions.mean(request.action, &request.context)
            && self.resources.mean(request.resource, &request.context);
        if !fits {
            return Meant::No;
        }
        let meant = self.principals.mean(&request.caller);
        if meant == Meant::No || !self.conditions.iter().all(|condition| condition.holds(&request.context, self.effect))
        {
            return Meant::No;
        }
        meant
    }
}

impl Principals {
    fn mean(&self, caller: &Caller<'_>) -> Meant {
        let closest = |members: &[Member]| members.iter().map(|m| m.means(caller)).max().unwrap_or(Meant::No);
        match self {
            Self::Holder => Meant::Exactly,
            Self::These(members) => closest(members),
            // To be spared, a caller must be listed by name: naming its account alone spares only the root user, as on AWS.
            Self::AllBut(members) if closest(members) >= Meant::ByName => Meant::No,
            Self::AllBut(_) => Meant::ByName,
        }
    }
}

impl Actions {
    fn mean(&self, action: &str, context: &Context<'_>) -> bool {
        match self {
            Self::These(patterns) => patterns.iter().any(|pattern| pattern.matches(action, context)),
            Self::AllBut(patterns) => !patterns.iter().any(|pattern| pattern.matches(action, context)),
        }
    }
}

impl Resources {
    fn mean(&self, resource: &str, context: &Context<'_>) -> bool {
        match self {
            Self::Own => true,
            Self::These(patterns) => patterns.iter().any(|pattern| pattern.matches(resource, context)),
            Self::AllBut(patterns) => !patterns.iter().any(|pattern| pattern.matches(resource, context)),
        }
    }
}
