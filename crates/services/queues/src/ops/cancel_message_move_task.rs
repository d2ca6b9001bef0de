//! `CancelMessageMoveTask`: ends a move; what was moved stays where it is.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sqs::{CancelMessageMoveTask, CancelMessageMoveTaskRequest, CancelMessageMoveTaskResult};

use super::start_message_move_task::{read_handle, resource};
use crate::Queues;
use crate::error::Error;
use crate::model::Scope;
use crate::model::name::of_arn;

impl Handle<CancelMessageMoveTask> for Queues {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CancelMessageMoveTaskRequest) -> Arn {
        resource(call, &read_handle(&input.task_handle).map(|(_, arn)| arn).unwrap_or_default())
    }

    async fn handle(
        &self,
        call: &Call,
        input: CancelMessageMoveTaskRequest,
    ) -> Result<CancelMessageMoveTaskResult, Fault> {
        let scope = Scope::of(call);
        let (id, arn) = read_handle(&input.task_handle)
            .ok_or_else(|| Error::InvalidValue("Value for parameter TaskHandle is invalid.".to_owned()))?;
        let missing = || Error::ResourceMissing("Task does not exist.".to_owned());
        let source = of_arn(&scope, &arn).ok_or_else(missing)?;
        let task = self.cellar.cancel_task(&scope, source, &id).await?.ok_or_else(missing)?;
        Ok(CancelMessageMoveTaskResult {
            approximate_number_of_messages_moved: Some(i64::try_from(task.moved).unwrap_or(i64::MAX)),
        })
    }
}
