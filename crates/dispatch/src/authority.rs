//! Who may do what: gathers the policies that have a say, and asks them.
//!
//! The owner of the account (open mode, or the root key) may do everything that no resource's policy denies, and is not looked
//! up anywhere. Everybody else needs a policy: the identity's own, which an [`Authority`] knows, or the resource's own, which the
//! service keeps that owns the resource and shows through [`Attachments`].

use std::borrow::Cow;
use std::sync::Arc;

use contract::{Arn, Call, Cause, Fault, Origin, Principal};
use policy::{Caller, CallerKind, Context, Decision, Denial, Policies, Policy, Request, ResourcePolicy};
use wire::Shape;

use crate::BoxFuture;

/// Knows what identities may do. One per node.
pub trait Authority: Send + Sync + 'static {
    /// The policies attached to the call's principal. Asked only for role sessions, and on every one of their calls: the answer
    /// should come from memory. A fault ends the call.
    fn identity<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Identity, Fault>>;

    /// What it means for the node's own calls, deliveries above all, that no policy says anything. Denials that are written down count
    /// in any case.
    fn silence(&self) -> Silence {
        Silence::Refuses
    }
}

/// What the silence of all policies means for a call from inside that a service or a role makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// No: as on AWS, where a topic may send to a queue only if the queue's policy says so.
    Refuses,
    /// Yes: in open mode nobody writes policies, and local tools expect that what they connect is connected.
    Allows,
}

/// What limits and allows one identity.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Attached to the role, inline or managed.
    pub policies: Vec<Arc<Policy>>,
    /// The role's permissions boundary.
    pub boundary: Option<Arc<Policy>>,
    /// What the session was narrowed to when it was made.
    pub session: Option<Vec<Arc<Policy>>>,
}

impl Identity {
    /// Whether any of its policies asks for a condition key that begins so.
    pub fn mentions(&self, key: &str) -> bool {
        self.all().any(|policy| policy.mentions(key))
    }

    /// The keys that the conditions of its policies ask for, as they are written.
    pub fn condition_keys(&self) -> impl Iterator<Item = &str> {
        self.all().flat_map(|policy| policy.condition_keys())
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.iter().chain(&self.boundary).chain(self.session.iter().flatten())
    }
}

/// Knows no identity: for nodes that keep no roles' policies, and tests. Role sessions get no permission from it.
#[derive(Clone, Copy, Debug)]
pub struct OpenAuthority;

/// Knows no identity either, and takes the silence of policies for a yes: for nodes in open mode.
#[derive(Clone, Copy, Debug)]
pub struct LenientAuthority;

impl Authority for LenientAuthority {
    fn identity<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Identity, Fault>> {
        OpenAuthority.identity(call)
    }

    fn silence(&self) -> Silence {
        Silence::Allows
    }
}

impl Authority for OpenAuthority {
    fn identity<'a>(&'a self, _call: &'a Call) -> BoxFuture<'a, Result<Identity, Fault>> {
        Box::pin(async { Ok(Identity::default()) })
    }
}

/// A service shows the policies attached to its resources.
pub trait Attachments: Send + Sync + 'static {
    /// The policy of that resource. A resource that is not there has none: that it is missing is the operation's to tell.
    fn attached<'a>(&'a self, call: &'a Call, resource: &'a Arn) -> BoxFuture<'a, Result<Attached, Fault>>;

    /// The same with what the service itself tells of a call: condition keys of its own, and actions that depend on what the call says.
    /// This is what is asked; a service that has nothing to add does not write it.
    fn told<'a>(&'a self, asked: Asked<'a>) -> BoxFuture<'a, Result<Told, Fault>> {
        Box::pin(async move {
            let attached = self.attached(asked.call, asked.resource).await?;
            Ok(Told { attached, actions: None, keys: Vec::new() })
        })
    }
}

/// What is to be decided, as a service sees it.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The call.
    pub call: &'a Call,
    /// What it wants to do: the operation's own action, unless a service asks for others.
    pub actions: &'a [&'a str],
    /// What it touches.
    pub resource: &'a Arn,
    /// What the operation is given; none where something else than an operation is decided.
    pub input: Option<&'a dyn Shape>,
    /// Condition keys that are known already.
    pub context: &'a Context<'a>,
    /// What the caller's own policies say.
    pub identity: &'a Identity,
}

/// What a service tells of a call.
#[derive(Clone, Debug)]
pub struct Told {
    /// The resource's policy.
    pub attached: Attached,
    /// Every one of these must be allowed, in place of what was asked for.
    pub actions: Option<Vec<&'static str>>,
    /// Condition keys.
    pub keys: Vec<(Cow<'static, str>, String)>,
}

/// The policy attached to a resource.
#[derive(Clone, Debug)]
pub enum Attached {
    /// None.
    Absent,
    /// It may allow, beside the identity's policies.
    Grants(Arc<Policy>),
    /// It must allow, whatever the identity's policies say: a role's trust policy.
    Required(Arc<Policy>),
}

impl Attached {
    fn weighed(&self) -> ResourcePolicy<'_> {
        match self {
            Self::Absent => ResourcePolicy::Absent,
            Self::Grants(policy) => ResourcePolicy::Grants(policy),
            Self::Required(policy) => ResourcePolicy::Required(policy),
        }
    }
}

/// What one decision is about.
pub(crate) struct Question<'a> {
    pub(crate) call: &'a Call,
    /// Every one of them must be allowed.
    pub(crate) actions: &'a [&'a str],
    pub(crate) resource: &'a Arn,
    /// What the operation is given, where it is one.
    pub(crate) input: Option<&'a dyn Shape>,
    /// Condition keys beyond those that every call has.
    pub(crate) context: Context<'a>,
}

/// Whether the call may be let through without asking anybody: the owner's, of a resource that cannot have a policy.
pub(crate) fn is_owner(principal: &Principal) -> bool {
    match principal {
        Principal::Open { .. } | Principal::Root => true,
        Principal::Role { .. } | Principal::Service { .. } | Principal::Anonymous => false,
    }
}

/// Decides; the refusal is AWS's `AccessDeniedException`.
pub(crate) async fn authorise(
    authority: &dyn Authority,
    attachments: Option<&Arc<dyn Attachments>>,
    clock: &base::Clock,
    question: Question<'_>,
) -> Result<(), Fault> {
    let Question { call, actions, resource, input, mut context } = question;
    // In open mode nothing is asked for, so nothing may be refused: local tools expect to be let through.
    if let Principal::Open { .. } = call.principal {
        return Ok(());
    }
    let identity = match call.principal {
        Principal::Role { .. } => authority.identity(call).await?,
        Principal::Open { .. } | Principal::Root | Principal::Service { .. } | Principal::Anonymous => {
            Identity::default()
        }
    };
    let told = match attachments {
        Some(attachments) => {
            let asked = Asked { call, actions, resource, input, context: &context, identity: &identity };
            attachments.told(asked).await?
        }
        None => Told { attached: Attached::Absent, actions: None, keys: Vec::new() },
    };
    let Told { attached, actions: instead, keys } = told;
    for (key, value) in keys {
        context.insert(key, value);
    }
    let actions = instead.as_deref().unwrap_or(actions);
    let account = call.account.to_string();
    let arn = match &call.principal {
        Principal::Anonymous => "anonymous".to_owned(),
        known => known.arn(call.account),
    };
    let resource_text = resource.to_string();
    let owner = if resource.account.is_empty() || resource.is_any() { &account } else { &resource.account };
    let mut request = Request {
        caller: caller(&call.principal, &arn, &account),
        action: "",
        resource: &resource_text,
        owner,
        context: with_global_keys(context, call, clock, &arn, &account),
    };
    let policies = Policies {
        identity: &identity.policies,
        boundary: identity.boundary.as_deref(),
        session: identity.session.as_deref(),
        resource: attached.weighed(),
    };
    for action in actions {
        request.action = action;
        match policies.decide(&request) {
            Decision::Allowed { .. } => {}
            Decision::Denied(Denial::Implicit { .. }) if is_inside(call) && authority.silence() == Silence::Allows => {}
            Decision::Denied(denial) => {
                return Err(Fault::new(Cause::Denied, "AccessDeniedException", denial.message(&request)));
            }
        }
    }
    Ok(())
}

/// Whether a part of the node makes the call, as a service or in a role that somebody gave it.
fn is_inside(call: &Call) -> bool {
    let acting = match call.principal {
        Principal::Role { .. } | Principal::Service { .. } => true,
        Principal::Open { .. } | Principal::Root | Principal::Anonymous => false,
    };
    acting && matches!(call.origin, Origin::Inside { .. })
}

fn caller<'a>(principal: &'a Principal, arn: &'a str, account: &'a str) -> Caller<'a> {
    let kind = match principal {
        Principal::Open { .. } | Principal::Root => CallerKind::Root,
        Principal::Role { role, .. } => CallerKind::Session { role },
        Principal::Service { .. } => CallerKind::Service,
        Principal::Anonymous => CallerKind::Anonymous,
    };
    let account = match kind {
        CallerKind::Service | CallerKind::Anonymous => "",
        CallerKind::Root | CallerKind::User | CallerKind::Session { .. } => account,
    };
    Caller { arn, account, kind }
}

/// AWS's global condition keys, as far as a node can tell them.
fn with_global_keys<'a>(
    mut context: Context<'a>,
    call: &'a Call,
    clock: &base::Clock,
    arn: &'a str,
    account: &'a str,
) -> Context<'a> {
    let now = clock.now();
    context.insert("aws:CurrentTime", now.to_string());
    context.insert("aws:EpochTime", now.as_second().to_string());
    context.insert("aws:RequestedRegion", call.region.as_str());
    match &call.principal {
        Principal::Open { .. } | Principal::Root => {
            context.insert("aws:PrincipalArn", arn);
            context.insert("aws:PrincipalAccount", account);
            context.insert("aws:PrincipalType", "Account");
        }
        Principal::Role { role, session } => {
            context.insert("aws:PrincipalArn", &**role);
            context.insert("aws:PrincipalAccount", account);
            context.insert("aws:PrincipalType", "AssumedRole");
            context.insert("sts:RoleSessionName", &**session);
        }
        Principal::Service { name, source } => {
            context.insert("aws:PrincipalIsAWSService", "true");
            context.insert("aws:PrincipalServiceName", *name);
            if let Some(source) = source {
                context.insert("aws:SourceArn", &**source);
                if let Some(arn) = Arn::parse(source).filter(|arn| !arn.account.is_empty()) {
                    context.insert("aws:SourceAccount", arn.account);
                }
            }
        }
        Principal::Anonymous => context.insert("aws:PrincipalType", "Anonymous"),
    }
    if let Origin::Door { peer, base_url, user_agent, manner } = &call.origin {
        context.insert("aws:SourceIp", peer.to_canonical().to_string());
        context.insert("aws:SecureTransport", if base_url.starts_with("https:") { "true" } else { "false" });
        if !user_agent.is_empty() {
            context.insert("aws:UserAgent", &**user_agent);
        }
        if let Some(referer) = manner.as_ref().and_then(|manner| manner.referer.as_deref()) {
            context.insert("aws:Referer", referer);
        }
    }
    context
}
