//! `PublishBatch`: up to ten messages, each of which may fail alone.

use std::collections::HashSet;

use contract::{Arn, Call, Cause, Effect, Fault, Handle};
use wire::sns::{
    BatchResultErrorEntry, PublishBatch, PublishBatchInput, PublishBatchRequestEntry, PublishBatchResponse,
    PublishBatchResultEntry,
};

use super::resource;
use crate::Topics;
use crate::desk::Published;
use crate::error::Error;
use crate::model::message::{BYTES_MAX, Given, bytes_of, sequence_number};
use crate::model::name::is_word;
use crate::model::{Message, Scope};
use crate::table::Hall;

const ENTRIES_MAX: usize = 10;
const ID_CHARS_MAX: usize = 80;

impl Handle<PublishBatch> for Topics {
    const EFFECT: Effect = Effect::Write;
    const ACTION: Option<&'static str> = Some("sns:Publish");

    fn resource(&self, call: &Call, input: &PublishBatchInput) -> Arn {
        resource(call, &input.topic_arn)
    }

    async fn handle(&self, call: &Call, input: PublishBatchInput) -> Result<PublishBatchResponse, Fault> {
        let hall = self.hall(&Scope::of(call), "TopicArn", &input.topic_arn)?;
        let entries = input.publish_batch_request_entries;
        check(&entries)?;
        let entries: Vec<(String, Given)> = entries.into_iter().map(given).collect();
        if entries.iter().map(|(_, given)| bytes_of(given)).sum::<usize>() > BYTES_MAX {
            return Err(Error::BatchTooLong.into());
        }
        // What every entry of a topic with order must have, is a fault of the whole.
        let ungrouped = hall.topic().is_fifo() && entries.iter().any(|(_, given)| given.group.is_none());
        if ungrouped {
            let why = "The MessageGroupId parameter is required for FIFO topics";
            return Err(Error::Invalid(why.to_owned()).into());
        }
        let (mut ids, mut messages, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for (id, given) in entries {
            match self.message_for(&hall, given) {
                Ok(message) => {
                    ids.push(id);
                    messages.push(message);
                }
                Err(error) => failed.push(refused(id, error)),
            }
        }
        let mut successful = Vec::new();
        for (id, published) in ids.into_iter().zip(self.publish_all(call, &hall, messages).await) {
            match published {
                Ok(published) => successful.push(PublishBatchResultEntry {
                    id: Some(id),
                    message_id: Some(published.id.to_string()),
                    sequence_number: published.place.map(sequence_number),
                }),
                Err(error) => failed.push(refused(id, error)),
            }
        }
        Ok(PublishBatchResponse { successful: Some(successful), failed: Some(failed) })
    }
}

impl Topics {
    async fn publish_all(&self, call: &Call, hall: &Hall, messages: Vec<Message>) -> Vec<Result<Published, Error>> {
        let sender = self.sender(call);
        if hall.topic().is_fifo() {
            return self.publish_in_order(&sender, hall, messages).await;
        }
        // All in one transaction, where they fit into one.
        let mut outs = Vec::new();
        for message in &messages {
            match self.outs(&sender, hall, message).await {
                Ok(more) => outs.extend(more),
                Err(error) => return messages.iter().map(|_| Err(error.clone())).collect(),
            }
        }
        let done = if outs.is_empty() { Ok(()) } else { self.commit(&outs, |_| {}).await };
        messages.iter().map(|message| done.clone().map(|()| Published { id: message.id, place: None })).collect()
    }
}

fn check(entries: &[PublishBatchRequestEntry]) -> Result<(), Error> {
    if entries.is_empty() {
        return Err(Error::EmptyBatch);
    }
    if entries.len() > ENTRIES_MAX {
        return Err(Error::TooManyEntries);
    }
    let mut seen = HashSet::new();
    for entry in entries {
        if !is_word(&entry.id) || entry.id.len() > ID_CHARS_MAX {
            return Err(Error::IdInvalid);
        }
        if !seen.insert(&entry.id) {
            return Err(Error::IdRepeated);
        }
    }
    Ok(())
}

fn given(entry: PublishBatchRequestEntry) -> (String, Given) {
    let given = Given {
        message: entry.message,
        subject: entry.subject,
        structure: entry.message_structure,
        attributes: entry.message_attributes,
        deduplication_id: entry.message_deduplication_id,
        group: entry.message_group_id,
    };
    (entry.id, given)
}

/// The fault of one entry.
fn refused(id: String, error: Error) -> BatchResultErrorEntry {
    let fault = Fault::from(error);
    let sender_fault =
        !matches!(fault.cause, Cause::Throttled | Cause::TimedOut | Cause::Unavailable | Cause::Internal);
    // Entries are named as query clients know them.
    let known = wire::sns::SERVICE.exception(&fault.code);
    let code = known.map_or(fault.code, |exception| exception.query_code.to_owned());
    BatchResultErrorEntry { id, sender_fault, code, message: Some(fault.message) }
}
