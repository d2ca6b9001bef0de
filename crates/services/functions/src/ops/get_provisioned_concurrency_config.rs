//! `GetProvisionedConcurrencyConfig`: how far what was asked for has come.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{
    GetProvisionedConcurrencyConfig, GetProvisionedConcurrencyConfigRequest, GetProvisionedConcurrencyConfigResponse,
    ProvisionedConcurrencyStatusEnum as Status,
};

use super::lookup;
use super::view::{provision_time, signed};
use crate::model::{Provision, provision};
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Read, Refusal};
use crate::{Functions, faults};

impl Handle<GetProvisionedConcurrencyConfig> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetProvisionedConcurrencyConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, Some(&input.qualifier))
    }

    async fn handle(
        &self,
        call: &Call,
        input: GetProvisionedConcurrencyConfigRequest,
    ) -> Result<GetProvisionedConcurrencyConfigResponse, Fault> {
        let scope = &Scope::of(call);
        let reference = provisioned(scope, &input.function_name, &input.qualifier)?;
        let (snapshot, place) = (self.store.snapshot(), Place::new(scope, &reference.name));
        let qualifier = reference.or_latest();
        check_there(&snapshot, &place, &qualifier).await?;
        let provision = place.provision(&snapshot, &qualifier).await.map_err(Refusal::from)?;
        let provision = provision.ok_or_else(faults::nothing_provisioned)?;
        let progress = self.progress(&place, &qualifier, provision);
        Ok(GetProvisionedConcurrencyConfigResponse {
            requested_provisioned_concurrent_executions: Some(signed(provision.wanted)),
            available_provisioned_concurrent_executions: Some(signed(progress.available)),
            allocated_provisioned_concurrent_executions: Some(signed(progress.allocated)),
            last_modified: Some(provision_time(provision.modified_ms)),
            status: Some(progress.status),
            status_reason: progress.reason,
        })
    }
}

/// What a version or alias is called by; `$LATEST` is refused.
pub(super) fn provisioned(scope: &Scope, function: &str, qualifier: &str) -> Result<Reference, Fault> {
    let reference = Reference::parse_qualified(scope, function, Some(qualifier))?;
    match reference.or_latest() {
        Qualifier::Latest => {
            Err(faults::invalid("The function resource provided must be an alias or a published version."))
        }
        Qualifier::Version(_) | Qualifier::Alias(_) => Ok(reference),
    }
}

/// Refuses a function, version or alias that is not there.
pub(super) async fn check_there(read: &impl Read, place: &Place<'_>, qualifier: &Qualifier) -> Result<(), Refusal> {
    lookup::function(read, place).await?;
    let arn = || place.scope.arn_qualified(place.name, qualifier);
    match qualifier {
        Qualifier::Latest => Ok(()),
        Qualifier::Version(number) => match place.version(read, *number).await? {
            Some(_) => Ok(()),
            None => Err(faults::function_not_found(arn()).into()),
        },
        Qualifier::Alias(name) => match place.alias(read, name).await? {
            Some(_) => Ok(()),
            None => Err(faults::not_found(format!("Cannot find alias arn: {}", arn())).into()),
        },
    }
}

/// How far it has come.
pub(super) struct Progress {
    pub(super) allocated: u32,
    pub(super) available: u32,
    pub(super) status: Status,
    pub(super) reason: Option<String>,
}

impl Functions {
    /// How far it has come on this node.
    pub(super) fn progress(&self, place: &Place<'_>, qualifier: &Qualifier, wanted: Provision) -> Progress {
        let (mut allocated, mut available, mut failure) = (0, 0, None);
        if let Some(active) = self.table.get(place.scope, place.name.as_str()) {
            let shares = match qualifier {
                Qualifier::Latest => Vec::new(),
                Qualifier::Version(number) => vec![(*number, wanted.wanted)],
                Qualifier::Alias(name) => {
                    active.alias(name).map_or_else(Vec::new, |alias| provision::divide(alias, wanted.wanted))
                }
            };
            for (number, share) in shares {
                let there = self.provisioned(&active, number);
                allocated += there.allocated.min(share);
                available += there.available.min(share);
                failure = failure.or(there.failure);
            }
        }
        let (status, reason) = match failure {
            _ if available >= wanted.wanted => (Status::Ready, None),
            Some(reason) => (Status::Failed, Some(reason)),
            None => (Status::InProgress, None),
        };
        Progress { allocated, available, status, reason }
    }
}
