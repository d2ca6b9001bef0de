//! The policies of tables and streams, for dispatch, which decides who may call.

use contract::{Arn, Call, Cause, Fault, Principal};
use dispatch::{Asked, Attached, Attachments, BoxFuture, Told};

use crate::Tables;
use crate::model::{Scope, name};
use crate::ops::particulars;

impl Attachments for Tables {
    /// The policy of the table or stream that the ARN names; an index has its table's, and a stream may outlive its table. From memory.
    fn attached<'a>(&'a self, call: &'a Call, resource: &'a Arn) -> BoxFuture<'a, Result<Attached, Fault>> {
        Box::pin(async move {
            let arn = resource.to_string();
            let (scope, Some(name)) = (Scope::of(call), name::of_arn(&arn)) else { return Ok(Attached::Absent) };
            let policy = match arn.contains("/stream/") {
                true => {
                    let mut desks = self.desks.with_left(&scope, name);
                    desks.find_map(|desk| desk.sight().policies.get(&arn).cloned())
                }
                false => self.desks.get(&scope, name).and_then(|desk| {
                    let sight = desk.sight();
                    sight.policies.get(&sight.arn).cloned()
                }),
            };
            Ok(policy.map_or(Attached::Absent, Attached::Grants))
        })
    }

    /// DynamoDB's own condition keys, where a policy asks for any. One that nobody tells would let everybody through: `ForAllValues` holds
    /// of it. So whoever is under a policy with such a key is refused.
    fn told<'a>(&'a self, asked: Asked<'a>) -> BoxFuture<'a, Result<Told, Fault>> {
        Box::pin(async move {
            let attached = self.attached(asked.call, asked.resource).await?;
            let of_resource = match &attached {
                Attached::Grants(policy) | Attached::Required(policy) => Some(policy.condition_keys()),
                Attached::Absent => None,
            };
            let wanted: Vec<&str> = of_resource.into_iter().flatten().chain(asked.identity.condition_keys()).collect();
            let mut own = wanted.into_iter().filter(|key| is_own(key)).peekable();
            let keys = match own.peek() {
                Some(_) => {
                    if let Some(key) = own.find(|key| !particulars::is_told(key)).filter(|_| !is_owner(asked.call)) {
                        return Err(not_told(key));
                    }
                    self.particulars(&asked)?
                }
                None => Vec::new(),
            };
            Ok(Told { attached, actions: None, keys })
        })
    }
}

fn is_own(key: &str) -> bool {
    let prefix = particulars::PREFIX;
    key.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Whoever owns the account is not locked out of a table by what nobody can tell.
fn is_owner(call: &Call) -> bool {
    matches!(call.principal, Principal::Root | Principal::Open { .. })
}

fn not_told(key: &str) -> Fault {
    let why = format!(
        "A policy of the caller's or of the table has a condition on {key}. This node does not tell this key, so it lets nobody through who \
         is under such a policy: take the condition out, or give the tenants tables of their own."
    );
    Fault::new(Cause::Denied, "AccessDeniedException", why)
}
