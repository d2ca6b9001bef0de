//! The policies of buses, for dispatch, which decides who may call.

use contract::{Arn, Call, Fault};
use dispatch::{Attached, Attachments, BoxFuture};

use crate::Events;
use crate::model::Scope;

impl Attachments for Events {
    /// The policy of the bus that the ARN names. From memory.
    fn attached<'a>(&'a self, call: &'a Call, resource: &'a Arn) -> BoxFuture<'a, Result<Attached, Fault>> {
        Box::pin(async move {
            let name = resource.resource.strip_prefix("event-bus/");
            let policy = name.and_then(|name| self.table.look(&Scope::of(call), name, |bus| bus.policy.clone()).ok());
            Ok(match policy.flatten() {
                Some(policy) => Attached::Grants(policy),
                None => Attached::Absent,
            })
        })
    }
}
