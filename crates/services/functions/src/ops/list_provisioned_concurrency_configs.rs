//! `ListProvisionedConcurrencyConfigs`: of a function's versions and aliases. At most 50 a page.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{
    ListProvisionedConcurrencyConfigs, ListProvisionedConcurrencyConfigsRequest,
    ListProvisionedConcurrencyConfigsResponse, ProvisionedConcurrencyConfigListItem,
};

use super::lookup;
use super::view::{provision_time, signed};
use crate::name::{Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, page};

impl Handle<ListProvisionedConcurrencyConfigs> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListProvisionedConcurrencyConfigsRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(
        &self,
        call: &Call,
        input: ListProvisionedConcurrencyConfigsRequest,
    ) -> Result<ListProvisionedConcurrencyConfigsResponse, Fault> {
        let scope = &Scope::of(call);
        let name = &Reference::parse_unqualified(scope, &input.function_name)?;
        let request = page::Request::read(input.marker.as_deref(), input.max_items)?;
        let (snapshot, place) = (self.store.snapshot(), Place::new(scope, name));
        lookup::function(&snapshot, &place).await?;
        let all = place.provisions(&snapshot).await.map_err(Refusal::from)?;
        // Pages go by the text of their names, and not by the order of the versions.
        let mut all: Vec<_> = all.into_iter().map(|(qualifier, one)| (qualifier.to_string(), qualifier, one)).collect();
        all.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        let (items, next_marker) = request.take(all, |(text, ..)| text.clone());
        let shown = items.into_iter().map(|(_, qualifier, provision)| {
            let progress = self.progress(&place, &qualifier, provision);
            ProvisionedConcurrencyConfigListItem {
                function_arn: Some(scope.arn_qualified(name, &qualifier)),
                requested_provisioned_concurrent_executions: Some(signed(provision.wanted)),
                available_provisioned_concurrent_executions: Some(signed(progress.available)),
                allocated_provisioned_concurrent_executions: Some(signed(progress.allocated)),
                status: Some(progress.status),
                status_reason: progress.reason,
                last_modified: Some(provision_time(provision.modified_ms)),
            }
        });
        Ok(ListProvisionedConcurrencyConfigsResponse {
            provisioned_concurrency_configs: Some(shown.collect()),
            next_marker,
        })
    }
}
