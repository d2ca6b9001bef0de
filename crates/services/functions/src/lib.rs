//! Functions (Lambda): makes, keeps, publishes and invokes them.
//!
//! A function is code (a zip archive in the node's blobs, or a container image that is pinned by its digest) and settings; versions are frozen copies of both, aliases are names
//! for versions, URLs and permissions open them to others. What is kept lies in the store; what every invocation needs lies in
//! memory too ([`active`]) and follows the store, so that an invocation reads nothing from disk. Running is compute's work.
//!
//! What always holds:
//! - A function that was acknowledged is whole: its code was checked and unpacked before anything was stored, and the record
//!   and its hold on the package are one transaction. So functions are `Active` from the first answer on.
//! - Read-modify-write is one transaction: of two updates with the same `RevisionId`, one is refused.
//! - A call that was answered is seen by the next one, also by invocations: the table in memory is brought up to date before
//!   the answer.
//! - An asynchronous event is on disk before its answer, and runs at least once ([`Invocations`]).
//!
//! Not here: streams as event sources (each is refused with a fault that says
//! so), the pool of instances (compute), HTTP (door and gateway), and who may call (dispatch, which asks [`Functions`] for the
//! policies).
//!
//! Start reading at `ops.rs`, the list; `ops/create_function.rs` is a good first one.

mod active;
mod asynchronous;
mod background;
mod faults;
mod invoke;
mod layers;
mod mappings;
pub mod model;
pub mod name;
mod ops;
mod packages;
mod page;
mod policies;
pub mod resources;
mod store;
mod streaming;

use std::path::PathBuf;
use std::sync::{Arc, Weak};

use ::store::{Blobs, Store};
use base::{Clock, Random};
use compute::Compute;
use contract::{AccountId, Call, Fault};
use dispatch::Dispatch;
use futures_util::future::BoxFuture;

pub use active::Target;
pub use asynchronous::{CARRIER, Invocations};
pub use invoke::{Event, LogEnd};
pub use ops::register;
pub use packages::Package;
pub use streaming::{Begun, Streaming};

use crate::name::{FunctionName, Scope};
use crate::store::Refusal;

/// What this service stands on.
pub struct Deps {
    /// Where functions are kept.
    pub store: Store,
    /// Where code packages are kept.
    pub blobs: Blobs,
    /// What runs them.
    pub compute: Compute,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub random: Random,
    /// Makes credentials of roles.
    pub credentials: RoleCredentials,
    /// How code that lies in a bucket is read.
    pub dispatch: Dispatch,
    /// Which container images callers may name: those of this machine only where every caller may read its files.
    pub images: compute::Reach,
    /// The folders of this machine whose insides callers may name as code that is read again when it changes; none, usually.
    pub live: Vec<PathBuf>,
}

/// Makes short-lived credentials for a session of a role. Asked once for each new instance.
pub type RoleCredentials =
    Arc<dyn Fn(RoleSession) -> BoxFuture<'static, Result<compute::Credentials, String>> + Send + Sync>;

/// Whose credentials are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSession {
    /// The account of the function.
    pub account: AccountId,
    /// The role's ARN.
    pub role: String,
    /// The function's name.
    pub session: String,
}

/// The service. One per node; share it behind an `Arc`.
pub struct Functions {
    store: Store,
    blobs: Blobs,
    compute: Compute,
    clock: Clock,
    random: Random,
    credentials: RoleCredentials,
    dispatch: dispatch::Within,
    images: compute::Reach,
    live: packages::live::Folders,
    table: active::Table,
    mappings: mappings::Mappings,
    /// For what lives on behind calls.
    itself: Weak<Self>,
    links: packages::Links,
    /// Tells of commits since the service was opened; taken by [`Functions::start`].
    watch: std::sync::Mutex<Option<::store::Watch>>,
    /// One at a time may change how the account's concurrency is divided.
    dividing: tokio::sync::Mutex<()>,
    /// What compute was told to keep ready; held while it is told.
    provided: tokio::sync::Mutex<active::Provided>,
    gate: asynchronous::Gate,
}

impl Functions {
    /// Opens the service on what the store holds: all functions answer when this returns. Their code is unpacked again, where
    /// it is missing, when they are first called or by [`Functions::start`], whichever comes first.
    pub async fn open(deps: Deps) -> Result<Arc<Self>, ::store::Error> {
        let Deps { store, blobs, compute, clock, random, credentials, dispatch, images, live } = deps;
        let links = packages::Links::open(&store, &random).await?;
        // Before the first look, so that nothing falls between the two.
        let watch = std::sync::Mutex::new(Some(store.watch(crate::store::root())));
        let functions = Arc::new_cyclic(|itself| Self {
            itself: Weak::clone(itself),
            mappings: mappings::Mappings::default(),
            store,
            blobs,
            compute,
            clock,
            random,
            credentials,
            dispatch: dispatch.within(),
            images,
            live: packages::live::Folders::new(live),
            table: active::Table::default(),
            links,
            watch,
            dividing: tokio::sync::Mutex::default(),
            provided: tokio::sync::Mutex::default(),
            gate: asynchronous::Gate::default(),
        });
        functions.resync().await?;
        Ok(functions)
    }

    /// Brings the table up to date after a commit of this service, and hands on the commit's answer.
    pub(crate) async fn settle<T>(
        &self,
        scope: &Scope,
        name: &FunctionName,
        committed: Result<T, Refusal>,
    ) -> Result<T, Fault> {
        let answer = committed?;
        self.refresh(scope, name).await.map_err(Refusal::from)?;
        Ok(answer)
    }

    /// Now, in milliseconds since the epoch.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The ARN that policies and the audit line name for a function that a caller named in any form.
    pub(crate) fn arn(call: &Call, function: &str, qualifier: Option<&str>) -> contract::Arn {
        let scope = Scope::of(call);
        let resource = match name::Reference::parse_qualified(&scope, function, qualifier) {
            Ok(reference) => match &reference.qualifier {
                Some(qualifier) => format!("function:{}:{qualifier}", reference.name),
                None => format!("function:{}", reference.name),
            },
            // The operation itself refuses it, with the reason.
            Err(_) => format!("function:{function}"),
        };
        contract::Arn::new("lambda", &scope.region, scope.account, resource)
    }
}
