//! What hangs behind the door beside AWS's operations.

use std::net::IpAddr;
use std::sync::Arc;

use contract::{Origin, Principal, Region, Trace};
use dispatch::BoxFuture;
use http::{Request, Response};
use uuid::Uuid;

use crate::{Body, RequestBody, client};

/// Serves the requests that it wants. The first mount that wants a request gets it.
pub trait Mount: Send + Sync + 'static {
    /// Whether a request is meant for this. `host` is as the client wrote it, `path` as it was sent. Asked for every
    /// request: it must be quick.
    fn wants(&self, host: &str, path: &str) -> bool;

    /// Who may come.
    fn audience(&self) -> Audience;

    /// Answers. Dropped when the client hangs up: what must be finished, finishes in a task.
    fn handle<'a>(&'a self, request: Request<RequestBody>, visit: &'a Visit) -> BoxFuture<'a, Response<Body>>;
}

/// Who may come to a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Anybody, also through the public address, and from any web page: the mount has rules of its own.
    Public,
    /// Anybody who reaches the node itself: no signature is asked for, and web pages are refused.
    Anybody,
    /// Whoever proves who they are; in open mode anybody who reaches the node.
    Known,
    /// The owner; in open mode anybody who reaches the node.
    Owner,
}

/// What the door knows of a request beside the request itself.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The client's address.
    pub peer: IpAddr,
    /// The request's id; the answer's header gets it by itself.
    pub request_id: Uuid,
    /// Where it stands in its trace.
    pub trace: Trace,
    /// Scheme and host as the client wrote them, such as `http://localhost:4566`: what addresses that we hand out begin with.
    pub base_url: Arc<str>,
    /// The client's `User-Agent`, or empty.
    pub user_agent: Arc<str>,
    /// The region that the signature's scope names; the default one where there is none.
    pub region: Region,
    /// Who asks; nobody where the audience is anybody.
    pub principal: Option<Principal>,
}

impl Visit {
    /// The host that was asked for, with its port, as the client wrote it.
    pub fn host(&self) -> &str {
        client::host_of(&self.base_url)
    }

    /// Where a call of this visit came in.
    pub(crate) fn origin(&self) -> Origin {
        let (base_url, user_agent) = (Arc::clone(&self.base_url), Arc::clone(&self.user_agent));
        Origin::Door { peer: self.peer, base_url, user_agent, manner: None }
    }
}
