//! AWS Signature Version 4: read, check, make.
//!
//! A request that is signed, in its `Authorization` header or in its query string, makes a [`Claim`]: who it says it is, for
//! which region and service, when. [`Claim::check_time`] and [`Claim::check_signature`] prove it, given the secret; a
//! [`Refusal`] carries AWS's words for each way to fail, and the code that each family of protocols uses. [`Signer`] makes
//! signatures, with the same canonical form, so that what we sign we accept.
//!
//! What always holds: signatures are compared in constant time; nothing is believed of a claim before its signature was
//! checked; every part of the request that means anything is signed or refused (the host, all `x-amz-*` headers).
//!
//! What was signed the old way, with Signature Version 2, is checked beside it: see [`OldClaim`].
//!
//! A body that is sent in chunks has a chain of signatures of its own, see [`Chunks`].
//!
//! Not here: who knows the secrets ([`Credentials`] is implemented by the node), and how such chunks are taken apart.

mod canonical;
mod chunks;
mod claim;
pub mod fuzzing;
mod key;
mod old;
mod refusal;
mod sign;
mod verify;

pub use canonical::{Head, Payload};
pub use chunks::Chunks;
pub use claim::{Claim, Form, Scope, SignedForm};
pub use old::{OldClaim, OldPlace, check_old_policy};
pub use refusal::{Family, Refusal};
pub use sign::Signer;
pub use verify::check_token;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use contract::{Fault, Principal};
use jiff::Timestamp;

/// Knows the secrets. One per node.
pub trait Credentials: Send + Sync + 'static {
    /// What belongs to an access key id; `None` if nobody has it. Asked on every signed call: the answer should come from memory.
    /// The session token that came along is handed over because an issuer may keep nothing and find everything in it.
    fn lookup<'a>(&'a self, access_key: &'a str, session_token: Option<&'a str>) -> Lookup<'a>;
}

/// What [`Credentials::lookup`] answers.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = Result<Option<Credential>, Fault>> + Send + 'a>>;

/// What belongs to an access key id.
#[derive(Clone)]
pub struct Credential {
    /// The secret access key.
    pub secret: Arc<str>,
    /// The session token that must come along, for temporary credentials.
    pub session_token: Option<Arc<str>>,
    /// When temporary credentials end.
    pub expires: Option<Timestamp>,
    /// Whom it proves.
    pub principal: Principal,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("principal", &self.principal).finish_non_exhaustive()
    }
}
