//! How compute and a guest talk: frames over inherited pipes for managed languages, the Lambda Runtime API for `provided`, and
//! plain HTTP for programs that are servers.

pub(crate) mod api;
pub(crate) mod feed;
pub(crate) mod frames;
pub(crate) mod http;
pub(crate) mod managed;
mod peer;

use std::sync::Arc;

use bytes::Bytes;

use self::http::HttpLink;
use crate::invocation::Invocation;
use api::ApiLink;
use feed::Feed;
use managed::ManagedLink;

/// The most that a function may answer: Lambda's 6 MB and a little.
pub const RESPONSE_BYTES_MAX: usize = 6_291_556;

/// The way to one guest.
pub(crate) enum Link {
    /// Frames.
    Managed(ManagedLink),
    /// HTTP.
    Api(ApiLink),
    /// HTTP the other way round: the guest is the server.
    Http(Box<HttpLink>),
}

/// What a guest says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It is initialised.
    Ready,
    /// It is not, and this is why: an error document.
    InitError(Bytes),
    /// The result of the invocation, or what is left of it after the pieces.
    Result(Bytes),
    /// A piece of the result: there is more to come.
    Piece(Bytes),
    /// The invocation failed: an error document.
    Error {
        /// JSON.
        document: Bytes,
        /// Whether the guest goes on after this.
        after: After,
    },
    /// It logged one event.
    Logged(Bytes),
    /// It printed text, in lines or not.
    Printed(Bytes),
    /// The result was over [`RESPONSE_BYTES_MAX`].
    TooLarge,
    /// It hung up: its process ended, or is about to.
    Gone,
    /// It broke the protocol.
    Broken(String),
}

/// What a guest does after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It takes the next invocation.
    GoesOn,
    /// It ends.
    Ends,
}

impl Link {
    /// Hands over an invocation. Never waits: what does not fit goes out while [`Link::receive`] waits.
    pub(crate) fn send(&mut self, invocation: &Invocation, deadline_ms: i64) {
        match self {
            Self::Managed(link) => link.invoke(invocation, deadline_ms),
            Self::Api(link) => link.invoke(invocation, deadline_ms),
            Self::Http(link) => link.invoke(invocation, deadline_ms),
        }
    }

    /// The guest has this invocation already: it was laid ahead.
    pub(crate) fn follow(&mut self, invocation: &Invocation) {
        match self {
            Self::Managed(link) => link.await_answer(&invocation.request_id),
            Self::Api(_) | Self::Http(_) => unreachable!("nothing is laid ahead of these"),
        }
    }

    /// The way by which events may be laid ahead of a busy guest, if there is one.
    pub(crate) fn feed(&self) -> Option<Arc<Feed>> {
        match self {
            Self::Managed(link) if link.feed().can_take_back() => Some(Arc::clone(link.feed())),
            Self::Managed(_) | Self::Api(_) | Self::Http(_) => None,
        }
    }

    /// Another link to the same guest, for one more call at a time; none if it takes one only.
    pub(crate) fn another(&self) -> Option<Self> {
        match self {
            Self::Managed(_) | Self::Api(_) => None,
            Self::Http(link) => Some(Self::Http(Box::new(link.another()))),
        }
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn abandon(&mut self) {
        match self {
            Self::Managed(_) | Self::Api(_) => {}
            Self::Http(link) => link.abandon(),
        }
    }

    /// What its initialisation waits for, in words, if it is a server that does not know us.
    pub(crate) fn awaits(&self) -> Option<String> {
        match self {
            Self::Managed(_) | Self::Api(_) => None,
            Self::Http(link) => Some(link.awaits()),
        }
    }

    /// The next thing that the guest says. Safe to drop and call again.
    pub(crate) async fn receive(&mut self) -> Event {
        match self {
            Self::Managed(link) => link.receive().await,
            Self::Api(link) => link.receive().await,
            Self::Http(link) => link.receive().await,
        }
    }
}
