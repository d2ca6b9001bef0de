//! `UpdateEventSourceMapping`: other batches, another function, on or off. What is in hand is finished as it was begun.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{EventSourceMappingConfiguration, UpdateEventSourceMapping, UpdateEventSourceMappingRequest};

use super::create_event_source_mapping::refuse_twin;
use super::get_event_source_mapping::resource;
use super::lookup;
use super::mapping_view::{Moment, id, refuse_broker_updates, refuse_stream_updates, shown, updates};
use crate::model::mapping::Mapping;
use crate::name::{Reference, Scope};
use crate::store::{Refusal, mapping as stored};
use crate::{Functions, faults};

impl Handle<UpdateEventSourceMapping> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdateEventSourceMappingRequest) -> Arn {
        resource(call, &input.uuid)
    }

    async fn handle(
        &self,
        call: &Call,
        input: UpdateEventSourceMappingRequest,
    ) -> Result<EventSourceMappingConfiguration, Fault> {
        let (scope, id) = (&Scope::of(call), id(&input.uuid)?);
        let _one_at_a_time = self.mappings.changing.lock().await;
        let snapshot = self.store.snapshot();
        let before = stored::get(&snapshot, scope, &id).await.map_err(Refusal::from)?;
        let before = before.ok_or_else(faults::nothing_there)?;
        match before.settings.stream {
            Some(_) => refuse_broker_updates(&input)?,
            None => refuse_stream_updates(&input)?,
        }
        let function = match &input.function_name {
            Some(name) => Reference::parse(scope, name)?,
            None => before.function.clone(),
        };
        let after = &Mapping {
            settings: before.settings.clone().with(updates(&input)?),
            enabled: input.enabled.unwrap_or(before.enabled),
            function,
            modified_ms: self.now_ms(),
            ..before.clone()
        };
        after.settings.check(&after.source)?;
        if after.function != before.function {
            let found = lookup::find(&snapshot, scope, &after.function).await;
            let version = found.map_err(|_| faults::invalid("Function does not exist"))?.version;
            let (role, timeout_s) = (version.settings.role, version.settings.timeout_s);
            self.check_source(call, &after.source, &after.function, &role, timeout_s).await?;
        }
        self.store
            .transact(|tx| async move {
                // One mapping changes at a time, and only this service writes them.
                if stored::get(&tx, scope, &id).await?.is_none() {
                    return Err(Refusal::from(faults::nothing_there()));
                }
                let others: Vec<_> =
                    stored::of_scope(&tx, scope).await?.into_iter().filter(|other| other.id != id).collect();
                refuse_twin(scope, after, &others)?;
                stored::put(&tx, scope, after);
                Ok(())
            })
            .await?;
        self.settle_mapping(scope, id, Some(after.clone()));
        Ok(shown(scope, after, Moment::Updated { was_enabled: before.enabled }))
    }
}
