//! `DeletePipe`: nothing more is received; what is in hand gets through. The pipe is gone with the answer.

use contract::{Arn, Call, Effect, Fault, Handle};
use mapping::stream::Checkpoint;
use wire::pipes::{DeletePipe, DeletePipeRequest, DeletePipeResponse};

use super::{Refusal, resource, time};
use crate::model::Scope;
use crate::{Pipes, faults, store};

impl Handle<DeletePipe> for Pipes {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeletePipeRequest) -> Arn {
        resource(call, &input.name)
    }

    async fn handle(&self, call: &Call, input: DeletePipeRequest) -> Result<DeletePipeResponse, Fault> {
        let (scope, name) = (&Scope::of(call), input.name.as_str());
        let _one_at_a_time = self.changing.lock().await;
        let pipe = self
            .store
            .transact(|tx| async move {
                let pipe = store::get(&tx, scope, name).await?.ok_or_else(|| faults::missing(name))?;
                store::delete(&tx, scope, name);
                if !pipe.reader.is_empty() {
                    Checkpoint::forget_all(&tx, &pipe.reader).await?;
                }
                Ok::<_, Refusal>(pipe)
            })
            .await
            .map_err(|refusal| refusal.0)?;
        self.table.settle(scope, name, None, self.tools.get());
        Ok(DeletePipeResponse {
            arn: Some(scope.arn(name).to_string()),
            desired_state: Some("DELETED".into()),
            current_state: Some("DELETING".into()),
            creation_time: time(pipe.created_ms),
            last_modified_time: time(pipe.modified_ms),
            name: Some(pipe.name),
        })
    }
}
