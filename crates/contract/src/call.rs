//! One request for one operation by one principal, from outside or inside.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::{AccountId, Region, Trace};

/// What every operation is told about the call it serves. It comes first in every signature, and travels to the calls
/// that this one causes ([`Call::inner`]).
#[derive(Clone, Debug)]
pub struct Call {
    /// AWS's request id; in the answer, the audit line and the log.
    pub id: Uuid,
    /// Who asks.
    pub principal: Principal,
    /// Whose resources are meant.
    pub account: AccountId,
    /// Where they are.
    pub region: Region,
    /// When the caller stops waiting, on [`base::Clock::elapsed`]'s scale.
    pub deadline: Duration,
    /// Where this call stands in its trace.
    pub trace: Trace,
    /// How many calls led to this one, each from inside the node. A loop (object → function → object) ends at
    /// [`Call::HOPS_MAX`] with a fault of its own.
    pub hops: u8,
    /// Where the call came in.
    pub origin: Origin,
}

/// Where a call came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Through the door.
    Door {
        /// The peer's address.
        peer: IpAddr,
        /// Scheme and host as the client wrote them, such as `http://localhost:4566`: addresses that we hand out begin
        /// with it, so that they work from where the client stands.
        base_url: Arc<str>,
        /// The client's `User-Agent`, or empty.
        user_agent: Arc<str>,
        /// What policies may ask of the request beside; none where no policy is asked, or there is nothing to tell.
        manner: Option<Arc<Manner>>,
    },
    /// From a part of the node: a delivery, a stack, the command line of the process that runs it.
    Inside {
        /// Which part, for the audit line.
        part: &'static str,
        /// What addresses that we hand out begin with.
        base_url: Arc<str>,
    },
}

/// How a request came, for policies that ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// The page that led to it: `Referer`, as the client wrote it.
    pub referer: Option<Box<str>>,
    /// How it was signed; nothing where it was not.
    pub signed: Option<Signed>,
}

/// How a request was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Where the signature stood.
    pub place: SignaturePlace,
    /// When it was made, in milliseconds since 1970; none of one that was made the old way, which does not say it.
    pub at_ms: Option<i64>,
    /// What was signed of the body: a hash, or the name of what stands for one. Only headers say it.
    pub content: Option<Box<str>>,
}

/// Where a signature stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignaturePlace {
    /// In the `Authorization` header.
    Header,
    /// In the query string.
    Query,
    /// In a form.
    Form,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Open mode on a loopback address: whoever reaches the door may do everything.
    Open {
        /// The access key id that the client sent, for the audit line; not checked.
        access_key: Option<Arc<str>>,
    },
    /// The account's owner, proven by signature.
    Root,
    /// A role's session, such as a running function's own.
    Role {
        /// `arn:aws:iam::ACCOUNT:role/NAME`.
        role: Arc<str>,
        /// The session's name: for a function's, the function's.
        session: Arc<str>,
    },
    /// A part of the node acting for itself, such as `apigateway.amazonaws.com`; resource policies name it.
    Service {
        /// The service principal's name.
        name: &'static str,
        /// The ARN of the resource on whose behalf it acts, where there is one.
        source: Option<Arc<str>>,
    },
    /// Nobody proved anything: a function URL with `AuthType: NONE`.
    Anonymous,
}

impl Call {
    /// The longest chain of calls that cause each other.
    pub const HOPS_MAX: u8 = 16;

    /// What addresses that we hand out begin with.
    pub fn base_url(&self) -> &str {
        match &self.origin {
            Origin::Door { base_url, .. } | Origin::Inside { base_url, .. } => base_url,
        }
    }

    /// A call that this one causes: same account, region, deadline and trace, one hop further in.
    #[must_use]
    pub fn inner(&self, random: &base::Random, principal: Principal, part: &'static str) -> Self {
        Self {
            id: random.uuid(),
            principal,
            account: self.account,
            region: self.region.clone(),
            deadline: self.deadline,
            trace: self.trace.child(random),
            hops: self.hops.saturating_add(1),
            origin: Origin::Inside { part, base_url: self.base_url().into() },
        }
    }
}

impl Principal {
    /// The caller's ARN, as policies and audit lines name it.
    pub fn arn(&self, account: AccountId) -> String {
        match self {
            Self::Open { .. } | Self::Root => format!("arn:aws:iam::{account}:root"),
            Self::Role { role, session } => {
                let name = role.rsplit('/').next().unwrap_or(role);
                format!("arn:aws:sts::{account}:assumed-role/{name}/{session}")
            }
            Self::Service { name, .. } => (*name).to_owned(),
            Self::Anonymous => "*".to_owned(),
        }
    }
}
