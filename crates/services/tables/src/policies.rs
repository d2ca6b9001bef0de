//! The policies of tables and streams, for dispatch, which decides who may call.

use contract::{Arn, Call, Fault};
use dispatch::{Attached, Attachments, BoxFuture};

use crate::Tables;
use crate::model::{Scope, name};

impl Attachments for Tables {
    /// The policy of the table or stream that the ARN names; an index has its table's. From memory.
    fn attached<'a>(&'a self, call: &'a Call, resource: &'a Arn) -> BoxFuture<'a, Result<Attached, Fault>> {
        Box::pin(async move {
            let arn = resource.to_string();
            let desk = name::of_arn(&arn).and_then(|name| self.desks.get(&Scope::of(call), name));
            let Some(sight) = desk.map(|desk| desk.sight()) else { return Ok(Attached::Absent) };
            let of = if arn.contains("/stream/") { &arn } else { &sight.arn };
            Ok(match sight.policies.get(of) {
                Some(policy) => Attached::Grants(policy.clone()),
                None => Attached::Absent,
            })
        })
    }
}
