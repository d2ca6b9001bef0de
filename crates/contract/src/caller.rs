//! How parts of the node reach operations that are named at run time: as anybody does, through dispatch.

use std::future::Future;
use std::pin::Pin;

use crate::{Call, Document, Fault, OperationId};

/// A future in a box.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Calls operations that are named at run time. The product is dispatch; tests have toys.
pub trait Caller: Send + Sync + 'static {
    /// Calls one. Not to be cut off half-way: what was begun may happen.
    fn call<'a>(
        &'a self,
        operation: OperationId,
        call: &'a Call,
        input: Document,
    ) -> BoxFuture<'a, Result<Document, Fault>>;

    /// The operation of that name; a fault if this node does not serve it.
    fn find(&self, service: &str, name: &str) -> Result<OperationId, Fault>;
}
