//! `PublishVersion`: freezes `$LATEST`. Where nothing has changed since the newest version, that one is the answer.

use contract::{Arn, Call, Effect, Fault, Handle};
use store::Transaction;
use wire::lambda::{FunctionConfiguration, PublishVersion, PublishVersionRequest};

use super::input::{self, Unserved};
use super::lookup;
use super::view::Shown;
use crate::model::{Function, Version, package};
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<PublishVersion> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &PublishVersionRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(&self, call: &Call, input: PublishVersionRequest) -> Result<FunctionConfiguration, Fault> {
        let scope = &Scope::of(call);
        let name = &Reference::parse_unqualified(scope, &input.function_name)?;
        input::refuse(&[Unserved {
            member: "PublishTo",
            used: input.publish_to.is_some(),
            instead: "publish numbered versions.",
        }])?;
        let place = &Place::new(scope, name);
        let input = &input;
        let committed = self
            .store
            .transact(|tx| async move {
                let mut function = lookup::function(&tx, place).await?;
                lookup::check_revision(input.revision_id.as_deref(), &function.latest.revision)?;
                check_code(input.code_sha256.as_deref(), &function.latest)?;
                let before = function.latest.clone();
                let published = publish(self, &tx, place, &mut function, input.description.clone()).await?;
                place.put_function(&tx, &self.blobs, Some(&before), &function).await?;
                Ok::<_, Refusal>(published)
            })
            .await;
        let (number, version) = &self.settle(scope, name, committed).await?;
        let qualifier = &Qualifier::Version(*number);
        Ok(Shown { scope, name, qualifier: Some(qualifier), number: Some(*number), version }.configuration())
    }
}

/// Publishes within a transaction, whose caller stores the function afterwards.
pub(crate) async fn publish(
    functions: &Functions,
    tx: &Transaction,
    place: &Place<'_>,
    function: &mut Function,
    description: Option<String>,
) -> Result<(u64, Version), Refusal> {
    if let Some(newest) = function.version_next.checked_sub(1).filter(|newest| *newest > 0)
        && let Some(version) = place.version(tx, newest).await?
        && version.content == function.latest.content
    {
        return Ok((newest, version));
    }
    let stored = functions.table.scope(place.scope).code_bytes();
    package::check_storage(stored, function.latest.code.bytes())?;
    let (number, version) = function.publish(description, functions.now_ms(), functions.random.uuid());
    place.put_version(tx, &functions.blobs, number, &version).await?;
    Ok((number, version))
}

fn check_code(wanted: Option<&str>, latest: &Version) -> Result<(), Fault> {
    let current = latest.code.sha256();
    match wanted {
        Some(wanted) if !wanted.is_empty() && wanted != current => Err(faults::invalid(format!(
            "CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({current}). Please try again with the \
             CodeSHA256 in $LATEST."
        ))),
        Some(_) | None => Ok(()),
    }
}
