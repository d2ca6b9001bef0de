//! `SendMessageBatch`: up to ten messages into a queue, in their order. Each succeeds or fails by itself.
//!
//! Limits: 1 MiB in all.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sqs::{
    SendMessageBatch, SendMessageBatchRequest, SendMessageBatchRequestEntry, SendMessageBatchResult,
    SendMessageBatchResultEntry,
};

use super::outgoing::{Given, sequence_number};
use super::{batch, resource};
use crate::Queues;
use crate::error::Error;
use crate::keeper::Command;
use crate::model::Scope;
use crate::model::settings::MESSAGE_BYTES_MAX;

impl Handle<SendMessageBatch> for Queues {
    const EFFECT: Effect = Effect::Write;
    const ACTION: Option<&'static str> = Some("sqs:SendMessage");

    fn resource(&self, call: &Call, input: &SendMessageBatchRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: SendMessageBatchRequest) -> Result<SendMessageBatchResult, Fault> {
        let desk = self.desk(&Scope::of(call), &input.queue_url)?;
        let queue = desk.queue();
        batch::check("SendMessageBatchRequestEntry", input.entries.iter().map(|entry| entry.id.as_str()))?;
        let (bytes, limit) = (input.entries.iter().map(bytes_of).sum(), MESSAGE_BYTES_MAX as usize);
        if bytes > limit {
            return Err(Error::BatchTooLong { bytes, limit }.into());
        }
        let (mut ids, mut messages, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for entry in input.entries {
            let given = Given {
                body: entry.message_body,
                delay_s: entry.delay_seconds,
                attributes: entry.message_attributes,
                system_attributes: entry.message_system_attributes,
                deduplication_id: entry.message_deduplication_id,
                group: entry.message_group_id,
            };
            match self.outgoing(call, &queue, given) {
                Ok((message, sums)) => {
                    ids.push((entry.id, sums));
                    messages.push(message);
                }
                Err(error) => failed.push(batch::failed(entry.id, error)),
            }
        }
        let mut successful = Vec::with_capacity(ids.len());
        if !messages.is_empty() {
            let sent = desk.ask(|answer| Command::Send { messages, answer }).await?;
            for ((id, sums), sent) in ids.into_iter().zip(sent) {
                match sent {
                    Ok(sent) => successful.push(SendMessageBatchResultEntry {
                        id,
                        message_id: sent.id.to_string(),
                        md5_of_message_body: sums.body,
                        md5_of_message_attributes: sums.attributes,
                        md5_of_message_system_attributes: sums.system_attributes,
                        sequence_number: queue.is_fifo().then(|| sequence_number(sent.number)),
                    }),
                    Err(error) => failed.push(batch::failed(id, error)),
                }
            }
        }
        Ok(SendMessageBatchResult { successful, failed })
    }
}

/// How much an entry counts.
fn bytes_of(entry: &SendMessageBatchRequestEntry) -> usize {
    let attributes = entry.message_attributes.iter().flatten().map(|(name, value)| {
        let text = value.string_value.as_ref().map_or(0, String::len);
        let bytes = value.binary_value.as_ref().map_or(0, bytes::Bytes::len);
        name.len() + value.data_type.len() + text + bytes
    });
    entry.message_body.len() + attributes.sum::<usize>()
}
