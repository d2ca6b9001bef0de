//! Shapes generated from the public AWS service models, and one codec per protocol.
//!
//! A service's module ([`dynamodb`], [`lambda`], [`logs`], [`s3`], [`scheduler`], [`sns`], [`sqs`], [`sts`]) has one struct per shape, one marker type per served operation (it implements
//! [`contract::Operation`]), one struct per exception (it becomes a [`contract::Fault`]), and a static [`Service`] with every
//! operation of the model, served or not. [`Router`] finds the operation that a request means; the codecs turn bytes into shapes
//! and back, on both sides of the wire.
//!
//! What always holds: no input makes a codec panic; nesting is bounded by [`DEPTH_MAX`]; what a server has read satisfies the
//! model's constraints ([`check`]), so that a handler never sees input that its model forbids. Sizes are bounded by the door.
//!
//! Not here: sockets, signatures, authorisation.

mod macros;

pub mod cbor;
pub mod check;
pub mod client;
pub mod document;
pub mod dynamic;
pub mod event_stream;
pub mod fault;
pub(crate) mod form;
#[doc(hidden)]
pub mod fuzzing;
pub mod json;
pub mod model;
pub mod payload;
pub mod reader;
pub(crate) mod rest;
pub mod route;
pub mod schema;
pub mod server;
pub mod shape;
pub mod shapes;
pub mod text;
pub mod tree;
pub mod uri;
pub mod writer;
pub(crate) mod xml;

pub use check::{Violations, check};
pub use dynamic::{Datum, Dynamic};
pub use model::{Exception, OperationModel, Protocol, Service};
pub use payload::{ByteStream, Payload, Trailers};
pub use reader::{DEPTH_MAX, Malformed, Reader, Source};
pub use route::{Request, Route, Routed, Router};
pub use schema::{Member, Schema};
pub use shape::{ABSENT, Empty, Entries, Field, Items, Shape, StaticShape, Written};
pub use shapes::{
    SERVICES, dynamodb, dynamodbstreams, events, lambda, logs, pipes, s3, scheduler, service, sns, sqs, sts,
};
pub use writer::Writer;
