//! The policies of queues, for dispatch, which decides who may call.

use contract::{Arn, Call, Fault};
use dispatch::{Attached, Attachments, BoxFuture};

use crate::Queues;
use crate::model::Scope;
use crate::model::name::of_arn;

impl Attachments for Queues {
    /// The policy of the queue that the ARN names. From memory.
    fn attached<'a>(&'a self, call: &'a Call, resource: &'a Arn) -> BoxFuture<'a, Result<Attached, Fault>> {
        Box::pin(async move {
            let scope = Scope::of(call);
            let desk = of_arn(&scope, &resource.to_string()).and_then(|name| self.table.get(&scope, name));
            Ok(match desk.and_then(|desk| desk.queue().policy.clone()) {
                Some(policy) => Attached::Grants(policy),
                None => Attached::Absent,
            })
        })
    }
}
