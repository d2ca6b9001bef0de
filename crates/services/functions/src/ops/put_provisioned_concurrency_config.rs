//! `PutProvisionedConcurrencyConfig`: so many instances of a version, or of what an alias points at, are kept ready.
//!
//! They are part of what the function reserves; where it reserves nothing, of the account's 1,000, of which 100 stay for others. It
//! answers at once, and `GetProvisionedConcurrencyConfig` tells how far it is.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{
    ProvisionedConcurrencyStatusEnum, PutProvisionedConcurrencyConfig, PutProvisionedConcurrencyConfigRequest,
    PutProvisionedConcurrencyConfigResponse,
};

use super::lookup;
use super::view::{provision_time, signed, unsigned};
use crate::active::{CONCURRENCY_MAX, UNRESERVED_MIN};
use crate::model::alias::Target;
use crate::model::{Alias, Provision};
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Read, Refusal};
use crate::{Functions, faults};

impl Handle<PutProvisionedConcurrencyConfig> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &PutProvisionedConcurrencyConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, Some(&input.qualifier))
    }

    async fn handle(
        &self,
        call: &Call,
        input: PutProvisionedConcurrencyConfigRequest,
    ) -> Result<PutProvisionedConcurrencyConfigResponse, Fault> {
        let scope = &Scope::of(call);
        let wanted = unsigned("provisionedConcurrentExecutions", input.provisioned_concurrent_executions)?;
        let reference = &Reference::parse_qualified(scope, &input.function_name, Some(&input.qualifier))?;
        let qualifier = &reference.or_latest();
        if *qualifier == Qualifier::Latest {
            return Err(faults::unpublished());
        }
        // As where it is reserved: the sum of all functions is in the table, and those who change it go one by one.
        let _one_at_a_time = self.dividing.lock().await;
        let place = &Place::new(scope, &reference.name);
        let provision = &Provision { wanted, modified_ms: self.now_ms() };
        let account = self.table.scope(scope).reserved_total();
        let committed = self
            .store
            .transact(|tx| async move {
                let function = lookup::function(&tx, place).await?;
                let before = place.provisions(&tx).await?;
                check_place(&tx, place, qualifier, &before).await?;
                let total: u32 = before.values().map(|one| one.wanted).sum();
                let own = before.get(qualifier).map_or(0, |one| one.wanted);
                let with_it = (total - own).saturating_add(wanted);
                match function.concurrency_reserved {
                    Some(reserved) => check_reserved(with_it, reserved)?,
                    None => check_account(wanted, account.saturating_sub(own))?,
                }
                place.put_provision(&tx, qualifier, provision);
                Ok::<_, Refusal>(())
            })
            .await;
        self.settle(scope, &reference.name, committed).await?;
        Ok(PutProvisionedConcurrencyConfigResponse {
            requested_provisioned_concurrent_executions: Some(signed(wanted)),
            available_provisioned_concurrent_executions: Some(0),
            allocated_provisioned_concurrent_executions: Some(0),
            status: Some(ProvisionedConcurrencyStatusEnum::InProgress),
            status_reason: None,
            last_modified: Some(provision_time(provision.modified_ms)),
        })
    }
}

/// Refuses a version or alias that is not there, and one of which something is provisioned by its other name.
async fn check_place(
    read: &impl Read,
    place: &Place<'_>,
    qualifier: &Qualifier,
    before: &BTreeMap<Qualifier, Provision>,
) -> Result<(), Refusal> {
    let arn = || place.scope.arn_qualified(place.name, qualifier);
    match qualifier {
        Qualifier::Latest => Err(faults::unpublished().into()),
        Qualifier::Version(number) => {
            if place.version(read, *number).await?.is_none() {
                return Err(faults::function_not_found(arn()).into());
            }
            let aliases = place.aliases(read).await?;
            let is_provisioned = |name: &String| before.contains_key(&Qualifier::Alias(name.clone()));
            match aliases.iter().any(|(name, alias)| alias.points_at(*number) && is_provisioned(name)) {
                true => Err(faults::conflict("Version is pointed by a Provisioned Concurrency alias").into()),
                false => Ok(()),
            }
        }
        Qualifier::Alias(name) => {
            let alias = place.alias(read, name).await?;
            let alias = alias.ok_or_else(|| faults::not_found(format!("Cannot find alias arn: {}", arn())))?;
            Ok(check_provisionable(before, &alias)?)
        }
    }
}

/// Refuses an alias that cannot have anything provisioned: it points at what may change, or at what has something already.
pub(super) fn check_provisionable(provisions: &BTreeMap<Qualifier, Provision>, alias: &Alias) -> Result<(), Fault> {
    let Target::Version(first) = alias.target else { return Err(faults::unpublished()) };
    let mut numbers = std::iter::once(first).chain(alias.routing.map(|routing| routing.version));
    match numbers.any(|number| provisions.contains_key(&Qualifier::Version(number))) {
        true => Err(faults::version_provisioned()),
        false => Ok(()),
    }
}

fn check_reserved(wanted: u32, reserved: u32) -> Result<(), Fault> {
    match wanted > reserved {
        true => Err(faults::invalid(
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
        )),
        false => Ok(()),
    }
}

/// `others` is what all else takes of the account.
fn check_account(wanted: u32, others: u32) -> Result<(), Fault> {
    if wanted > CONCURRENCY_MAX {
        return Err(faults::invalid(format!(
            "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency \
             [{CONCURRENCY_MAX}]."
        )));
    }
    if others.saturating_add(wanted) > CONCURRENCY_MAX - UNRESERVED_MIN {
        return Err(faults::invalid(format!(
            "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its \
             minimum value of [{UNRESERVED_MIN}]."
        )));
    }
    Ok(())
}
