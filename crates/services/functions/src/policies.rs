//! The policies of functions, for dispatch, which decides who may call.

use contract::{Arn, Call, Fault};
use dispatch::{Attached, Attachments};
use futures_util::future::BoxFuture;

use crate::Functions;
use crate::name::{Reference, Scope};

impl Attachments for Functions {
    /// The policy of the function, version or alias that the ARN names. From memory.
    fn attached<'a>(&'a self, call: &'a Call, resource: &'a Arn) -> BoxFuture<'a, Result<Attached, Fault>> {
        Box::pin(async move { Ok(self.policy_of(call, resource)) })
    }
}

impl Functions {
    fn policy_of(&self, call: &Call, resource: &Arn) -> Attached {
        let scope = Scope::of(call);
        let Ok(reference) = Reference::parse(&scope, &resource.to_string()) else { return Attached::Absent };
        let active = self.table.get(&scope, reference.name.as_str());
        match active.and_then(|active| active.policy(reference.qualifier.as_ref()).cloned()) {
            Some(policy) => Attached::Grants(policy),
            None => Attached::Absent,
        }
    }
}
