//! `GetPolicy`: the resource policy of a function, version or alias, as a document.

use contract::{Arn, Call, Effect, Fault, Handle};
use store::Transaction;
use uuid::Uuid;
use wire::lambda::{GetPolicy, GetPolicyRequest, GetPolicyResponse};

use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Read, Refusal};
use crate::{Functions, faults};

impl Handle<GetPolicy> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetPolicyRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(&self, call: &Call, input: GetPolicyRequest) -> Result<GetPolicyResponse, Fault> {
        let scope = &Scope::of(call);
        let reference = Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        let snapshot = self.store.snapshot();
        let (place, qualifier) = (Place::new(scope, &reference.name), reference.qualifier.as_ref());
        let revision = revision_of(&snapshot, &place, qualifier).await?;
        let policy = place.policy(&snapshot, qualifier).await.map_err(Refusal::from)?;
        match (policy, revision) {
            (Some(policy), Some(revision)) => Ok(GetPolicyResponse {
                policy: Some(policy.document(&scope.arn_of(&reference))),
                revision_id: Some(revision.to_string()),
            }),
            (None, _) | (_, None) => Err(faults::nothing_there()),
        }
    }
}

/// The revision that a policy shares with what it belongs to; none if that is not there.
pub(super) async fn revision_of(
    read: &impl Read,
    place: &Place<'_>,
    qualifier: Option<&Qualifier>,
) -> Result<Option<Uuid>, Refusal> {
    Ok(match qualifier {
        None | Some(Qualifier::Latest) => place.function(read).await?.map(|function| function.latest.revision),
        Some(Qualifier::Version(number)) => place.version(read, *number).await?.map(|version| version.revision),
        Some(Qualifier::Alias(alias)) => place.alias(read, alias).await?.map(|alias| alias.revision),
    })
}

/// A new revision for what a policy belongs to.
pub(super) async fn touch(
    functions: &Functions,
    tx: &Transaction,
    place: &Place<'_>,
    qualifier: Option<&Qualifier>,
) -> Result<(), Refusal> {
    let revision = functions.random.uuid();
    match qualifier {
        None | Some(Qualifier::Latest) => {
            if let Some(mut function) = place.function(tx).await? {
                let before = function.latest.clone();
                function.latest.revision = revision;
                place.put_function(tx, &functions.blobs, Some(&before), &function).await?;
            }
        }
        Some(Qualifier::Version(number)) => {
            if let Some(mut version) = place.version(tx, *number).await? {
                version.revision = revision;
                place.put_version(tx, &functions.blobs, *number, &version).await?;
            }
        }
        Some(Qualifier::Alias(name)) => {
            if let Some(mut alias) = place.alias(tx, name).await? {
                alias.revision = revision;
                place.put_alias(tx, name, &alias);
            }
        }
    }
    Ok(())
}
