//! The operations, one file each, and what several of them share.

mod add_permission;
mod batch;
mod cancel_message_move_task;
mod change_message_visibility;
mod change_message_visibility_batch;
mod create_queue;
mod delete_message;
mod delete_message_batch;
mod delete_queue;
mod get_queue_attributes;
mod get_queue_url;
mod list_dead_letter_source_queues;
mod list_message_move_tasks;
mod list_queue_tags;
mod list_queues;
mod outgoing;
mod page;
mod purge_queue;
mod receive_message;
mod remove_permission;
mod send_message;
mod send_message_batch;
mod set_queue_attributes;
mod start_message_move_task;
mod tag_queue;
mod untag_queue;

use std::sync::Arc;

use contract::{Arn, Call};
use dispatch::Registry;
use wire::sqs::{
    AddPermission, CancelMessageMoveTask, ChangeMessageVisibility, ChangeMessageVisibilityBatch, CreateQueue,
    DeleteMessage, DeleteMessageBatch, DeleteQueue, GetQueueAttributes, GetQueueUrl, ListDeadLetterSourceQueues,
    ListMessageMoveTasks, ListQueueTags, ListQueues, PurgeQueue, ReceiveMessage, RemovePermission, SendMessage,
    SendMessageBatch, SetQueueAttributes, StartMessageMoveTask, TagQueue, UntagQueue,
};

use crate::Queues;
use crate::error::Error;
use crate::keeper::Desk;
use crate::model::name::of_url;
use crate::model::{Receipt, Scope};

/// Names every operation that is served.
pub fn register(registry: &mut Registry, queues: &Arc<Queues>) {
    registry.add::<AddPermission, _>(queues);
    registry.add::<CancelMessageMoveTask, _>(queues);
    registry.add::<ChangeMessageVisibility, _>(queues);
    registry.add::<ChangeMessageVisibilityBatch, _>(queues);
    registry.add::<CreateQueue, _>(queues);
    registry.add::<DeleteMessage, _>(queues);
    registry.add::<DeleteMessageBatch, _>(queues);
    registry.add::<DeleteQueue, _>(queues);
    registry.add::<GetQueueAttributes, _>(queues);
    registry.add::<GetQueueUrl, _>(queues);
    registry.add::<ListDeadLetterSourceQueues, _>(queues);
    registry.add::<ListMessageMoveTasks, _>(queues);
    registry.add::<ListQueueTags, _>(queues);
    registry.add::<ListQueues, _>(queues);
    registry.add::<PurgeQueue, _>(queues);
    registry.add::<ReceiveMessage, _>(queues);
    registry.add::<RemovePermission, _>(queues);
    registry.add::<SendMessage, _>(queues);
    registry.add::<SendMessageBatch, _>(queues);
    registry.add::<SetQueueAttributes, _>(queues);
    registry.add::<StartMessageMoveTask, _>(queues);
    registry.add::<TagQueue, _>(queues);
    registry.add::<UntagQueue, _>(queues);
}

/// The ARN of the queue that an address names.
fn resource(call: &Call, url: &str) -> Arn {
    let scope = Scope::of(call);
    match of_url(&scope, url) {
        Some(name) => scope.arn(name),
        None => scope.arn(url.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("*")),
    }
}

/// The receipt that a handle is, for this queue.
fn receipt(desk: &Desk, handle: &str) -> Result<Receipt, Error> {
    let receipt = Receipt::parse(handle).filter(|receipt| receipt.queue == desk.queue().id);
    receipt.ok_or_else(|| Error::ReceiptInvalid(handle.to_owned()))
}

/// The first character of a text that no message may have.
pub(crate) fn forbidden_character(text: &str) -> Option<u32> {
    let allowed = |c: char| match c {
        '\t' | '\n' | '\r' => true,
        c => c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'),
    };
    text.chars().find(|c| !allowed(*c)).map(u32::from)
}
