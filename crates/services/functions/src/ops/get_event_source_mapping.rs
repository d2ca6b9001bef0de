//! `GetEventSourceMapping`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{EventSourceMappingConfiguration, GetEventSourceMapping, GetEventSourceMappingRequest};

use super::mapping_view::{Moment, id, shown};
use crate::name::Scope;
use crate::store::{Refusal, mapping as stored};
use crate::{Functions, faults};

impl Handle<GetEventSourceMapping> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetEventSourceMappingRequest) -> Arn {
        resource(call, &input.uuid)
    }

    async fn handle(
        &self,
        call: &Call,
        input: GetEventSourceMappingRequest,
    ) -> Result<EventSourceMappingConfiguration, Fault> {
        let (scope, id) = (Scope::of(call), id(&input.uuid)?);
        let found = stored::get(&self.store.snapshot(), &scope, &id).await.map_err(Refusal::from)?;
        let mapping = found.ok_or_else(faults::nothing_there)?;
        Ok(shown(&scope, &mapping, Moment::Looked(self.mappings.doing(&scope, &id))))
    }
}

/// A mapping, for policies.
pub(super) fn resource(call: &Call, id: &str) -> Arn {
    Arn::new("lambda", &call.region, call.account, format!("event-source-mapping:{id}"))
}
