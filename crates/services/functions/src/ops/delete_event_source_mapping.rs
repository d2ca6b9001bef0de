//! `DeleteEventSourceMapping`: nothing more is received; what is in hand is handled. The mapping is gone with the answer, which AWS takes
//! a while for.

use contract::{Arn, Call, Effect, Fault, Handle};
use mapping::stream::Checkpoint;
use wire::lambda::{DeleteEventSourceMapping, DeleteEventSourceMappingRequest, EventSourceMappingConfiguration};

use super::get_event_source_mapping::resource;
use super::mapping_view::{Moment, id, shown};
use crate::name::Scope;
use crate::store::{Refusal, mapping as stored};
use crate::{Functions, faults};

impl Handle<DeleteEventSourceMapping> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteEventSourceMappingRequest) -> Arn {
        resource(call, &input.uuid)
    }

    async fn handle(
        &self,
        call: &Call,
        input: DeleteEventSourceMappingRequest,
    ) -> Result<EventSourceMappingConfiguration, Fault> {
        let (scope, id) = (&Scope::of(call), id(&input.uuid)?);
        let _one_at_a_time = self.mappings.changing.lock().await;
        let gone = self
            .store
            .transact(|tx| async move {
                let found = stored::get(&tx, scope, &id).await?.ok_or_else(faults::nothing_there)?;
                stored::delete(&tx, scope, &id);
                if let Some(stream) = &found.settings.stream {
                    Checkpoint::forget_all(&tx, &stream.reader.to_string()).await?;
                }
                Ok::<_, Refusal>(found)
            })
            .await?;
        self.settle_mapping(scope, id, None);
        Ok(shown(scope, &gone, Moment::Deleted))
    }
}
