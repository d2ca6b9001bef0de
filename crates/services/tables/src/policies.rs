//! The policies of tables and streams, for dispatch, which decides who may call.

use contract::{Arn, Call, Cause, Fault, Principal};
use dispatch::{Asked, Attached, Attachments, BoxFuture, Told};

use crate::Tables;
use crate::model::{Scope, name};

/// What DynamoDB's condition keys begin with.
const OWN_KEYS: &str = "dynamodb:";
const NOT_TOLD: &str = "A policy of the caller's or of the table has a condition on a key of DynamoDB's own, such as \
    dynamodb:LeadingKeys. This node does not tell these keys, so it lets nobody through who is under such a policy: \
    take the condition out, or give the tenants tables of their own.";

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

    /// DynamoDB's own condition keys are not told. `ForAllValues` holds of a key that nobody tells, so that a policy which keeps tenants
    /// apart by `dynamodb:LeadingKeys` would let each of them read all: whoever is under such a policy is refused instead.
    fn told<'a>(&'a self, asked: Asked<'a>) -> BoxFuture<'a, Result<Told, Fault>> {
        Box::pin(async move {
            let attached = self.attached(asked.call, asked.resource).await?;
            let of_resource = match &attached {
                Attached::Grants(policy) | Attached::Required(policy) => policy.mentions(OWN_KEYS),
                Attached::Absent => false,
            };
            let owner = matches!(asked.call.principal, Principal::Root | Principal::Open { .. });
            match !owner && (of_resource || asked.identity.mentions(OWN_KEYS)) {
                true => Err(Fault::new(Cause::Denied, "AccessDeniedException", NOT_TOLD)),
                false => Ok(Told { attached, actions: None, keys: Vec::new() }),
            }
        })
    }
}
