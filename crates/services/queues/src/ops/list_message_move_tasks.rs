//! `ListMessageMoveTasks`: the last moves of a queue's messages, the newest first. At most ten are remembered.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sqs::{
    ListMessageMoveTasks, ListMessageMoveTasksRequest, ListMessageMoveTasksResult, ListMessageMoveTasksResultEntry,
};

use super::start_message_move_task::{handle_of, no_source, resource};
use crate::Queues;
use crate::error::Error;
use crate::model::Scope;
use crate::store::{Task, TaskStatus};

impl Handle<ListMessageMoveTasks> for Queues {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListMessageMoveTasksRequest) -> Arn {
        resource(call, &input.source_arn)
    }

    async fn handle(
        &self,
        call: &Call,
        input: ListMessageMoveTasksRequest,
    ) -> Result<ListMessageMoveTasksResult, Fault> {
        let scope = Scope::of(call);
        let limit = input.max_results.unwrap_or(1);
        let limit = usize::try_from(limit).ok().filter(|limit| (1..=10).contains(limit)).ok_or_else(|| {
            Error::InvalidValue(format!(
                "Value {limit} for parameter MaxResults is invalid. Reason: Must be between 1 and 10, if provided."
            ))
        })?;
        let source = self.desk_of_arn(&scope, &input.source_arn).ok_or_else(no_source)?;
        let tasks = self.cellar.tasks_of(&scope, source.queue().name.as_str()).await?;
        Ok(ListMessageMoveTasksResult { results: Some(tasks.into_iter().take(limit).map(shown).collect()) })
    }
}

fn shown(task: Task) -> ListMessageMoveTasksResultEntry {
    let count = |number: u64| Some(i64::try_from(number).unwrap_or(i64::MAX));
    ListMessageMoveTasksResultEntry {
        // Only what runs can be cancelled.
        task_handle: (task.status == TaskStatus::Running).then(|| handle_of(&task)),
        status: Some(task.status.as_str().to_owned()),
        source_arn: Some(task.scope.arn(&task.source).to_string()),
        destination_arn: task.destination,
        max_number_of_messages_per_second: task.rate_max.and_then(|rate| i32::try_from(rate).ok()),
        approximate_number_of_messages_moved: count(task.moved),
        approximate_number_of_messages_to_move: count(task.to_move),
        failure_reason: task.failure,
        started_timestamp: count(task.started_ms),
    }
}
