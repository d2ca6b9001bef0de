//! Sockets and HTTP: bytes become calls, answers become bytes.
//!
//! A [`Door`] listens, speaks HTTP/1.1 and HTTP/2 on one port, and for each request does, in this order: gives it an id and a
//! place in a trace; in open mode, refuses what a web page could send ([`guard`]); hands it to the [`Mount`] that wants it
//! (function URLs, the node's own paths), or finds the AWS operation that it means, proves who asks, reads the input and calls
//! it through dispatch.
//!
//! What always holds:
//! - every request gets an answer with a request id, or its connection is closed for a reason that a limit names ([`Limits`]);
//! - nothing is unbounded: connections, requests, headers, bodies, and the time that each may take;
//! - nobody reaches a node in open mode but through the loopback interface;
//! - status codes are decided here, in `status`, and nowhere else.
//!
//! Not here: what operations do, what protocols look like (wire), how functions answer (gateway), TLS.

mod auth;
mod aws;
mod body;
mod calls;
mod client;
mod connection;
mod crowd;
pub mod fuzzing;
pub mod guard;
mod hello;
mod limits;
mod listen;
mod mount;
mod objects;
mod own;
mod serve;
mod status;

pub use auth::Mode;
pub use body::{Body, BodyError, RequestBody};
pub use limits::Limits;
pub use listen::{BindError, Bound, Face, bind};
pub use mount::{Audience, Mount, Visit};
pub use own::{Health, Report};
pub use serve::{Door, Parts};
