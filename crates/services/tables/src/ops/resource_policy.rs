//! `PutResourcePolicy`, `GetResourcePolicy`, `DeleteResourcePolicy`: of a table, or of its stream.

use std::sync::Arc;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::dynamodb::{
    DeleteResourcePolicy, DeleteResourcePolicyInput, DeleteResourcePolicyOutput, GetResourcePolicy,
    GetResourcePolicyInput, GetResourcePolicyOutput, PutResourcePolicy, PutResourcePolicyInput,
    PutResourcePolicyOutput,
};

use super::resource_of_arn;
use crate::desk::Desk;
use crate::model::table::Policy;
use crate::model::{Scope, Table, name};
use crate::{Error, Tables};

const POLICY_BYTES_MAX: usize = 20 << 10;

/// All that lie with a table: its own and those of its streams, also of disabled ones as long as their records are kept. They are part of
/// the table's record, which has its settings and tags too and must not become longer than a value of the store can be.
const POLICIES_BYTES_MAX: usize = 48 << 10;

/// Sets the policy of the table or stream of that ARN. Gives its revision.
pub(super) fn put(table: &mut Table, arn: &str, text: &str, now_ms: i64) -> Result<String, Error> {
    if text.len() > POLICY_BYTES_MAX {
        return Err(Error::Invalid(format!(
            "Resource-based policy of {} bytes is longer than {POLICY_BYTES_MAX}",
            text.len()
        )));
    }
    policy::Policy::parse(text, policy::Kind::Resource)
        .map_err(|why| Error::Invalid(format!("Invalid policy document: {why}")))?;
    let old = table.policies.get(arn);
    if let Some(same) = old.filter(|old| old.text == text) {
        return Ok(same.revision.clone());
    }
    let others = table.policies.iter().filter(|(of, _)| *of != arn).map(|(_, policy)| policy.text.as_str());
    let all: usize = others.chain([text]).map(kept_bytes).sum();
    if all > POLICIES_BYTES_MAX {
        return Err(Error::Limit(format!(
            "Subscriber limit exceeded: The resource-based policies of a table and its streams take {all} bytes together, \
             which is more than {POLICIES_BYTES_MAX}"
        )));
    }
    // Revisions grow, also within a millisecond.
    let before: i64 = old.and_then(|old| old.revision.parse().ok()).unwrap_or_default();
    let revision = now_ms.max(before + 1).to_string();
    table.policies.insert(arn.to_owned(), Policy { text: text.to_owned(), revision: revision.clone() });
    Ok(revision)
}

/// How long a text is in a record.
fn kept_bytes(text: &str) -> usize {
    serde_json::Value::from(text).to_string().len()
}

/// Refuses when the policy is not at the revision that the caller thinks.
fn check_revision(table: &Table, arn: &str, expected: Option<&str>) -> Result<(), Error> {
    let found = table.policies.get(arn).map(|policy| policy.revision.as_str());
    match expected {
        None => Ok(()),
        Some("NO_POLICY") if found.is_none() => Ok(()),
        Some(expected) if found == Some(expected) => Ok(()),
        Some(_) => Err(missing(arn)),
    }
}

fn missing(arn: &str) -> Error {
    Error::PolicyMissing(format!("Resource-based policy not found for the provided ResourceArn: {arn}"))
}

impl Tables {
    /// The desk of the table or stream of that ARN. A stream that has outlived its table grants what its policy says, so that can be seen
    /// and changed still.
    fn governed(&self, call: &Call, arn: &str) -> Result<Arc<Desk>, Error> {
        let left = || {
            let (table, label) = arn.split_once("/stream/")?;
            let is_its = |desk: &Arc<Desk>| {
                let sight = desk.sight();
                sight.arn == table && sight.table.stream_of(label).is_some()
            };
            self.desks.with_left(&Scope::of(call), name::of_arn(arn)?).find(is_its)
        };
        self.tagged(call, arn).or_else(|error| left().ok_or(error))
    }
}

impl Handle<PutResourcePolicy> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &PutResourcePolicyInput) -> Arn {
        resource_of_arn(&input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: PutResourcePolicyInput) -> Result<PutResourcePolicyOutput, Fault> {
        let desk = self.governed(call, &input.resource_arn)?;
        let now_ms = self.now_ms();
        let set = |table: &mut Table| {
            check_revision(table, &input.resource_arn, input.expected_revision_id.as_deref())?;
            put(table, &input.resource_arn, &input.policy, now_ms)
        };
        let revision = self.change_or_left(&desk, set).await?;
        Ok(PutResourcePolicyOutput { revision_id: Some(revision) })
    }
}

impl Handle<GetResourcePolicy> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &GetResourcePolicyInput) -> Arn {
        resource_of_arn(&input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: GetResourcePolicyInput) -> Result<GetResourcePolicyOutput, Fault> {
        let sight = self.governed(call, &input.resource_arn)?.sight();
        let policy = sight.table.policies.get(&input.resource_arn).ok_or_else(|| missing(&input.resource_arn))?;
        Ok(GetResourcePolicyOutput { policy: Some(policy.text.clone()), revision_id: Some(policy.revision.clone()) })
    }
}

impl Handle<DeleteResourcePolicy> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &DeleteResourcePolicyInput) -> Arn {
        resource_of_arn(&input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: DeleteResourcePolicyInput) -> Result<DeleteResourcePolicyOutput, Fault> {
        let desk = self.governed(call, &input.resource_arn)?;
        let unset = |table: &mut Table| {
            check_revision(table, &input.resource_arn, input.expected_revision_id.as_deref())?;
            Ok(table.policies.remove(&input.resource_arn))
        };
        let gone = self.change_or_left(&desk, unset).await?;
        Ok(DeleteResourcePolicyOutput { revision_id: gone.map(|policy| policy.revision) })
    }
}
