//! `StartMessageMoveTask`: begins to move the messages of a dead-letter queue back to where they came from, or to another queue.
//!
//! Limits: one task for each queue at a time; at most 500 messages a second.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::{Arn, Call, Effect, Fault, Handle};
use serde_json::{Value, json};
use wire::sqs::{StartMessageMoveTask, StartMessageMoveTaskRequest, StartMessageMoveTaskResult};

use crate::Queues;
use crate::error::Error;
use crate::keeper::Command;
use crate::model::Scope;
use crate::model::name::of_arn;
use crate::store::{Task, TaskStatus};

const RATE_MAX: u32 = 500;

impl Handle<StartMessageMoveTask> for Queues {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &StartMessageMoveTaskRequest) -> Arn {
        resource(call, &input.source_arn)
    }

    async fn handle(
        &self,
        call: &Call,
        input: StartMessageMoveTaskRequest,
    ) -> Result<StartMessageMoveTaskResult, Fault> {
        let scope = Scope::of(call);
        let rate_max = rate(input.max_number_of_messages_per_second)?;
        let _one_at_a_time = self.managing.lock().await;
        let source = self.desk_of_arn(&scope, &input.source_arn).ok_or_else(no_source)?;
        let arn = source.queue().arn();
        let is_dead_letters =
            |queue: &crate::model::Queue| queue.settings.redrive.as_ref().is_some_and(|redrive| redrive.target == arn);
        if self.table.list(&scope, None, 1, is_dead_letters).is_empty() {
            let message = "Source queue must be configured as a Dead Letter Queue.";
            return Err(Error::InvalidValue(message.to_owned()).into());
        }
        if let Some(destination) = &input.destination_arn {
            let target = self.desk_of_arn(&scope, destination).ok_or_else(|| {
                Error::ResourceMissing(
                    "The resource that you specified for the DestinationArn parameter doesn't exist.".to_owned(),
                )
            })?;
            if target.queue().id == source.queue().id {
                let message = "Source queue arn and destination queue arn must be different.";
                return Err(Error::InvalidValue(message.to_owned()).into());
            }
            if target.queue().is_fifo() != source.queue().is_fifo() {
                let message = "Source queue and destination queue must be of the same type.";
                return Err(Error::InvalidValue(message.to_owned()).into());
            }
        }
        let counted = source.ask(|answer| Command::Count { answer }).await?;
        let task = Task {
            scope,
            source: source.queue().name.to_string(),
            started_ms: self.now_ms(),
            id: self.random.uuid().to_string(),
            destination: input.destination_arn,
            rate_max,
            status: TaskStatus::Running,
            moved: 0,
            to_move: counted.visible,
            failure: None,
        };
        if !self.cellar.begin_task(&task).await? {
            return Err(Error::InvalidValue(
                "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
                    .to_owned(),
            )
            .into());
        }
        let task_handle = Some(handle_of(&task));
        let Some(queues) = self.itself.upgrade() else { return Err(Error::Internal.into()) };
        queues.run_task(task);
        Ok(StartMessageMoveTaskResult { task_handle })
    }
}

/// The ARN, if it is one of a queue.
pub(super) fn resource(call: &Call, arn: &str) -> Arn {
    let scope = Scope::of(call);
    scope.arn(of_arn(&scope, arn).unwrap_or("*"))
}

pub(super) fn no_source() -> Error {
    Error::ResourceMissing("The resource that you specified for the SourceArn parameter doesn't exist.".to_owned())
}

fn rate(given: Option<i32>) -> Result<Option<u32>, Error> {
    let Some(rate) = given else { return Ok(None) };
    match u32::try_from(rate) {
        Ok(rate @ 1..=RATE_MAX) => Ok(Some(rate)),
        Ok(_) | Err(_) => Err(Error::InvalidValue(format!(
            "Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and {RATE_MAX}, if \
             provided."
        ))),
    }
}

/// The handle by which the task is cancelled.
pub(super) fn handle_of(task: &Task) -> String {
    let source = task.scope.arn(&task.source).to_string();
    STANDARD.encode(json!({ "taskId": task.id, "sourceArn": source }).to_string())
}

/// The task's id and its queue's ARN.
pub(super) fn read_handle(handle: &str) -> Option<(String, String)> {
    let document: Value = serde_json::from_slice(&STANDARD.decode(handle).ok()?).ok()?;
    let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    Some((text("taskId")?, text("sourceArn")?))
}
