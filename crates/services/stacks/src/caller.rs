//! How the engine reaches operations: as anybody does, through dispatch.

use std::future::Future;
use std::pin::Pin;

use contract::{Call, Document, Fault, OperationId};

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
}

impl Caller for dispatch::Dispatch {
    fn call<'a>(
        &'a self,
        operation: OperationId,
        call: &'a Call,
        input: Document,
    ) -> BoxFuture<'a, Result<Document, Fault>> {
        Box::pin(self.call_document(operation, call, input))
    }
}
