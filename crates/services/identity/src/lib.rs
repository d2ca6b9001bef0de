//! Identity (IAM and STS): who the caller is.
//!
//! A node knows two kinds of keys. The *root key* is the owner's: one pair, made when the data folder is first used and kept in
//! a file that only the owner reads ([`root_key`]). *Session keys* are what a function's role gets ([`session`]): short-lived,
//! and not stored anywhere, because everything that a session is lies, signed, in its token. So they survive a restart and work
//! on every node that shares the store, and issuing one costs no write.
//!
//! What always holds: a secret is never logged and never in a record; whoever can read the store can, however, make sessions,
//! because the signing key lies in it.
//!
//! Not here: users, roles and their policies (IAM, later), and checking signatures (the door, which asks [`Identity::key`] for
//! the secret of an access key id).

mod ops;
pub mod root_key;
pub mod session;
mod store;

use std::sync::Arc;
use std::time::Duration;

use ::store::Store;
use base::{Clock, Random};
use contract::{AccountId, Principal};

pub use ops::register;
pub use root_key::RootKey;
pub use session::{Session, SessionKey};

/// What this service stands on.
pub struct Deps {
    /// Where the signing key is kept.
    pub store: Store,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub random: Random,
    /// The owner's key.
    pub root: RootKey,
}

/// The service. One per node; share it behind an `Arc`.
pub struct Identity {
    clock: Clock,
    random: Random,
    root: RootKey,
    signer: session::Signer,
}

/// What a key proves, and the secret that its signatures are checked with.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// Who signs with it.
    pub principal: Principal,
    /// Whose resources are meant.
    pub account: AccountId,
    /// The secret half.
    pub secret: String,
}

impl std::fmt::Debug for Key {
    /// The secret stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("principal", &self.principal)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// Why a key proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nobody has this access key, or its token was not made by this node, or is another key's. AWS's `InvalidClientTokenId`
    /// or `UnrecognizedClientException`.
    #[error("The security token included in the request is invalid.")]
    Unknown,
    /// It was a session's, and that is over. AWS's `ExpiredToken`.
    #[error("The security token included in the request is expired")]
    Expired,
}

impl Identity {
    /// How long a function's session lasts: AWS's longest for a role. It is handed out when an instance starts and never renewed, so
    /// whoever keeps instances must make a new one of one that was never idle for as long, before its key expires.
    pub const SESSION_TTL: Duration = Duration::from_secs(12 * 3600);

    /// Opens the service: reads the signing key, or makes it when the store is first used.
    pub async fn open(deps: Deps) -> Result<Arc<Self>, ::store::Error> {
        let Deps { store, clock, random, root } = deps;
        let signer = session::Signer::new(&store::signing_key(&store, &random).await?);
        Ok(Arc::new(Self { clock, random, root, signer }))
    }

    /// The owner's key.
    pub fn root(&self) -> &RootKey {
        &self.root
    }

    /// Makes the credentials of a session of a role, good for `ttl`.
    pub fn issue(&self, session: &Session, ttl: Duration) -> SessionKey {
        let ttl_s = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        self.signer.issue(session, self.clock.now().as_second().saturating_add(ttl_s), &self.random)
    }

    /// What the access key proves, given the session token that came with it.
    pub fn key(&self, access_key_id: &str, session_token: Option<&str>) -> Result<Key, KeyError> {
        match session_token {
            None if access_key_id == self.root.access_key_id => Ok(Key {
                principal: Principal::Root,
                account: AccountId::ONLY,
                secret: self.root.secret_access_key.clone(),
            }),
            None => Err(KeyError::Unknown),
            Some(token) => self.signer.verify(access_key_id, token, self.clock.now().as_second()),
        }
    }
}
