//! The policies of topics, for dispatch, which decides who may call.

use contract::{Arn, Call, Fault};
use dispatch::{Attached, Attachments, BoxFuture};

use crate::Topics;
use crate::model::Scope;

impl Attachments for Topics {
    /// The policy of the topic that the ARN names, or whose subscription it names. From memory.
    fn attached<'a>(&'a self, call: &'a Call, resource: &'a Arn) -> BoxFuture<'a, Result<Attached, Fault>> {
        Box::pin(async move {
            let name = resource.resource.split(':').next().unwrap_or_default();
            let hall = self.table.get(&Scope::of(call), name);
            Ok(match hall.and_then(|hall| hall.topic().policy.clone()) {
                Some(policy) => Attached::Grants(policy),
                None => Attached::Absent,
            })
        })
    }
}
