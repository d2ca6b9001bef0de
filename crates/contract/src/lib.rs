//! The words of the house. Types and traits that more than one floor speaks; no work is done here.
//!
//! A [`Call`] is one request for one operation by one principal. An [`Operation`] is what a service can do, and a service
//! [`Handle`]s it. A refusal that the caller may see is a [`Fault`]. A [`ResourceType`] tells how a template's resource
//! becomes operations.

pub mod arn;
pub mod call;
pub mod caller;
pub mod fault;
pub mod operation;
pub mod properties;
pub mod resource;
pub mod trace;

pub use arn::{AccountId, Arn, Region};
pub use call::{Call, Manner, Origin, Principal, SignaturePlace, Signed};
pub use caller::{BoxFuture, Caller};
pub use fault::{Cause, Fault};
pub use operation::{Effect, Handle, Operation, OperationId};
pub use resource::{
    Attributes, Change, Document, Expansion, Extension, Naming, PropertyFault, ResourceMacro, ResourceType, Step,
};
pub use trace::Trace;
