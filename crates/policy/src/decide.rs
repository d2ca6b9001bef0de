//! Identity × resource: what several policies together say about one request.
//!
//! The order is AWS's. Any statement that denies ends it. Then, within one account, the identity's policies or the resource's
//! own policy suffice (a resource policy that names only the account leaves it to the identity's); across accounts both are
//! needed. Boundaries and session policies allow nothing by themselves: they limit.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::principal::Meant;
use crate::{Caller, CallerKind, Context, Effect, Policy};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// By whom.
    pub caller: Caller<'a>,
    /// `lambda:InvokeFunction`.
    pub action: &'a str,
    /// The ARN of what it touches; `*` where it touches nothing in particular.
    pub resource: &'a str,
    /// The account that the resource belongs to.
    pub owner: &'a str,
    /// Condition keys.
    pub context: Context<'a>,
}

/// All policies that have a say.
#[derive(Clone, Debug, Default)]
pub struct Policies<'a> {
    /// Attached to the caller.
    pub identity: &'a [Arc<Policy>],
    /// The caller's permissions boundary, where it has one.
    pub boundary: Option<&'a Policy>,
    /// What the session was narrowed to, where it was.
    pub session: Option<&'a [Arc<Policy>]>,
    /// Attached to the resource.
    pub resource: ResourcePolicy<'a>,
}

/// The policy attached to the resource.
#[derive(Clone, Copy, Debug, Default)]
pub enum ResourcePolicy<'a> {
    /// There is none; the identity's policies decide.
    #[default]
    Absent,
    /// It may allow, beside the identity's policies.
    Grants(&'a Policy),
    /// It must allow, whatever the identity's policies say: a role's trust policy, a key's policy.
    Required(&'a Policy),
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// It may be done.
    Allowed {
        /// What allowed it.
        by: Source,
        /// The statement's id, where it has one.
        sid: Option<&'a str>,
    },
    /// It may not.
    Denied(Denial<'a>),
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial<'a> {
    /// A statement says so.
    Explicit {
        /// Which policy's.
        by: Source,
        /// The statement's id, where it has one.
        sid: Option<&'a str>,
    },
    /// No statement allows it.
    Implicit {
        /// Which policy would have had to.
        missing: Source,
    },
}

/// Which of the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// None: the caller owns the account.
    Ownership,
    /// One attached to the caller.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// A session policy.
    Session,
    /// The resource's.
    Resource,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Ownership => "account",
            Self::Identity => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Resource => "resource-based policy",
        }
    }
}

impl Decision<'_> {
    /// Whether it may be done.
    pub fn is_allowed(&self) -> bool {
        match self {
            Self::Allowed { .. } => true,
            Self::Denied(_) => false,
        }
    }
}

impl Denial<'_> {
    /// The refusal, as AWS words it.
    pub fn message(&self, request: &Request<'_>) -> String {
        let Request { caller, action, resource, .. } = request;
        let mut text = format!("User: {} is not authorized to perform: {action} on resource: {resource} ", caller.arn);
        let written = match self {
            Self::Explicit { by: Source::Identity, .. } => {
                write!(text, "with an explicit deny in an {}", Source::Identity.name())
            }
            Self::Explicit { by, .. } => write!(text, "with an explicit deny in a {}", by.name()),
            Self::Implicit { missing } => write!(text, "because no {} allows the {action} action", missing.name()),
        };
        written.expect("a String takes everything");
        text
    }
}

impl<'a> Policies<'a> {
    /// Decides. Allocates nothing.
    pub fn decide(&self, request: &Request<'_>) -> Decision<'a> {
        if let Some(denial) = self.explicit_deny(request) {
            return Decision::Denied(denial);
        }
        let (own, required) = match self.resource {
            ResourcePolicy::Absent => (None, false),
            ResourcePolicy::Grants(policy) => (Some(policy), false),
            ResourcePolicy::Required(policy) => (Some(policy), true),
        };
        let grant = own.and_then(|policy| closest_allow(policy, request));
        match request.caller.kind {
            CallerKind::Service | CallerKind::Anonymous => match grant {
                Some(grant) => grant.allowed(),
                None => missing(Source::Resource),
            },
            CallerKind::Root if request.caller.account == request.owner => match (required, grant) {
                (false, _) => Decision::Allowed { by: Source::Ownership, sid: None },
                (true, Some(grant)) => grant.allowed(),
                (true, None) => missing(Source::Resource),
            },
            CallerKind::Root | CallerKind::User | CallerKind::Session { .. } => {
                self.weigh(request, required, grant).unwrap_or_else(Decision::Denied)
            }
        }
    }

    /// A user or session: identity's and resource's policies together, within boundary and session policies.
    fn weigh(
        &self,
        request: &Request<'_>,
        required: bool,
        grant: Option<Grant<'a>>,
    ) -> Result<Decision<'a>, Denial<'a>> {
        let same_account = request.caller.account == request.owner;
        if (required || !same_account) && grant.is_none() {
            return Err(Denial::Implicit { missing: Source::Resource });
        }
        let named = grant.filter(|grant| same_account && grant.meant >= Meant::ByName);
        if let Some(grant) = named
            && grant.meant == Meant::Exactly
        {
            // A resource policy that names the very session is limited by no boundary.
            return Ok(grant.allowed());
        }
        let owner = matches!(request.caller.kind, CallerKind::Root);
        let allowed = match named {
            Some(grant) => grant.allowed(),
            None if owner => Decision::Allowed { by: Source::Ownership, sid: None },
            None => first_allow(self.identity, request).ok_or(Denial::Implicit { missing: Source::Identity })?,
        };
        if self.boundary.is_some_and(|policy| closest_allow(policy, request).is_none()) {
            return Err(Denial::Implicit { missing: Source::Boundary });
        }
        if self.session.is_some_and(|policies| first_allow(policies, request).is_none()) {
            return Err(Denial::Implicit { missing: Source::Session });
        }
        Ok(allowed)
    }

    fn explicit_deny(&self, request: &Request<'_>) -> Option<Denial<'a>> {
        let own = match self.resource {
            ResourcePolicy::Absent => None,
            ResourcePolicy::Grants(policy) | ResourcePolicy::Required(policy) => Some(policy),
        };
        let identity = self.identity.iter().map(|policy| (Source::Identity, &**policy));
        let boundary = self.boundary.into_iter().map(|policy| (Source::Boundary, policy));
        let session = self.session.unwrap_or_default().iter().map(|policy| (Source::Session, &**policy));
        let resource = own.into_iter().map(|policy| (Source::Resource, policy));
        identity.chain(boundary).chain(session).chain(resource).find_map(|(by, policy)| {
            let denies = |s: &&crate::document::Statement| s.effect == Effect::Deny && s.means(request) != Meant::No;
            policy.statements.iter().find(denies).map(|s| Denial::Explicit { by, sid: s.sid.as_deref() })
        })
    }
}

/// A statement of the resource's policy that allows.
#[derive(Clone, Copy)]
struct Grant<'a> {
    meant: Meant,
    sid: Option<&'a str>,
}

impl<'a> Grant<'a> {
    fn allowed(self) -> Decision<'a> {
        Decision::Allowed { by: Source::Resource, sid: self.sid }
    }
}

fn missing<'a>(source: Source) -> Decision<'a> {
    Decision::Denied(Denial::Implicit { missing: source })
}

fn closest_allow<'a>(policy: &'a Policy, request: &Request<'_>) -> Option<Grant<'a>> {
    policy
        .statements
        .iter()
        .filter(|statement| statement.effect == Effect::Allow)
        .map(|statement| Grant { meant: statement.means(request), sid: statement.sid.as_deref() })
        .filter(|grant| grant.meant != Meant::No)
        .max_by_key(|grant| grant.meant)
}

fn first_allow<'a>(policies: &'a [Arc<Policy>], request: &Request<'_>) -> Option<Decision<'a>> {
    let grant = policies.iter().find_map(|policy| closest_allow(policy, request))?;
    Some(Decision::Allowed { by: Source::Identity, sid: grant.sid })
}

#[cfg(test)]
#[path = "decide/tests.rs"]
mod tests;
