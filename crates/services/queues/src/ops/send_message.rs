//! `SendMessage`: one message into a queue. Acknowledged when it is on disk.
//!
//! Limits: 1 MiB, or what the queue says, of body and attributes together; ten attributes.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sqs::{SendMessage, SendMessageRequest, SendMessageResult};

use super::outgoing::{Given, sequence_number};
use super::resource;
use crate::Queues;
use crate::error::Error;
use crate::keeper::Command;
use crate::model::Scope;

impl Handle<SendMessage> for Queues {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &SendMessageRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: SendMessageRequest) -> Result<SendMessageResult, Fault> {
        let desk = self.desk(&Scope::of(call), &input.queue_url)?;
        let queue = desk.queue();
        let given = Given {
            body: input.message_body,
            delay_s: input.delay_seconds,
            attributes: input.message_attributes,
            system_attributes: input.message_system_attributes,
            deduplication_id: input.message_deduplication_id,
            group: input.message_group_id,
        };
        let (message, sums) = self.outgoing(call, &queue, given)?;
        let sent = desk.ask(|answer| Command::Send { messages: vec![message], answer }).await?;
        let sent = sent.into_iter().next().unwrap_or(Err(Error::Internal))?;
        Ok(SendMessageResult {
            md5_of_message_body: Some(sums.body),
            md5_of_message_attributes: sums.attributes,
            md5_of_message_system_attributes: sums.system_attributes,
            message_id: Some(sent.id.to_string()),
            sequence_number: queue.is_fifo().then(|| sequence_number(sent.number)),
        })
    }
}
