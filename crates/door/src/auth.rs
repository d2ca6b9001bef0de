//! Who asks.
//!
//! In two steps, because the second needs the body: what can be refused by its head is, before any of a large body is read.

use std::sync::Arc;

use base::Clock;
use contract::{Cause, Fault, Principal};
use http::request;
use signature::{Claim, Credential, Credentials, Family, Head, Payload, Refusal};

/// Whether callers must prove who they are.
#[derive(Clone)]
pub enum Mode {
    /// No: everybody may do everything. Only on the loopback interface.
    Open,
    /// Yes, with a signature.
    Verified(Arc<dyn Credentials>),
}

impl std::fmt::Debug for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Verified(_) => "Verified",
        })
    }
}

/// A claim that may be true, but for the signature.
pub(crate) enum Pending {
    /// In open mode nothing is asked for; what was claimed says which service and region are meant.
    Open(Option<Claim>),
    /// The signature is still to be checked.
    Claimed(Claim, Credential),
}

/// What [`Claim::read`] found.
pub(crate) type Claimed = Result<Option<Claim>, Refusal>;

/// Refuses what cannot be true of what a request claims.
pub(crate) async fn begin(mode: &Mode, claimed: Claimed, clock: &Clock, family: Family) -> Result<Pending, Fault> {
    let credentials = match mode {
        // Whatever local tools send is taken; a claim that cannot be read is none.
        Mode::Open => return Ok(Pending::Open(claimed.unwrap_or_default())),
        Mode::Verified(credentials) => credentials,
    };
    let refused = |refusal: Refusal| refusal.fault(family);
    let claim = claimed.map_err(refused)?.ok_or(Refusal::Missing).map_err(refused)?;
    let known = credentials.lookup(&claim.access_key, claim.session_token.as_deref()).await?;
    let credential = known.ok_or(Refusal::UnknownKey).map_err(refused)?;
    let now = clock.now();
    claim.check_time(now).map_err(refused)?;
    claim.check_token(&credential, now).map_err(refused)?;
    Ok(Pending::Claimed(claim, credential))
}

impl Pending {
    /// What was claimed.
    pub(crate) fn claim(&self) -> Option<&Claim> {
        match self {
            Self::Open(claim) => claim.as_ref(),
            Self::Claimed(claim, _) => Some(claim),
        }
    }

    /// Checks the signature, where one is asked for, and says who it is.
    pub(crate) fn finish(self, head: &Head<'_>, payload: Payload<'_>, family: Family) -> Result<Principal, Fault> {
        match self {
            Self::Open(claim) => {
                Ok(Principal::Open { access_key: claim.map(|claim| claim.access_key.as_str().into()) })
            }
            Self::Claimed(claim, credential) => {
                let checked = claim.check_signature(head, payload, &credential.secret);
                checked.map_err(|refusal| refusal.fault(family))?;
                Ok(credential.principal)
            }
        }
    }
}

/// Whether that is the node's owner; the fault says that only they may.
pub(crate) fn check_owner(principal: &Principal) -> Result<(), Fault> {
    match principal {
        Principal::Open { .. } | Principal::Root => Ok(()),
        Principal::Role { .. } | Principal::Service { .. } | Principal::Anonymous => Err(Fault::new(
            Cause::Denied,
            "AccessDeniedException",
            "Only the owner of this node may do that: sign with the root key.",
        )),
    }
}

/// What is signed of a request.
pub(crate) fn head<'a>(parts: &'a request::Parts, host: &'a str) -> Head<'a> {
    Head {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        host,
        headers: &parts.headers,
    }
}
