//! `GetQueueAttributes`: what was set, what is so by default, and what is counted.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sqs::{GetQueueAttributes, GetQueueAttributesRequest, GetQueueAttributesResult};

use super::resource;
use crate::Queues;
use crate::error::Error;
use crate::keeper::Command;
use crate::model::Scope;

/// Every name that can be asked for.
const NAMES: [&str; 22] = [
    "All",
    "Policy",
    "VisibilityTimeout",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
    "ApproximateNumberOfMessagesDelayed",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "FifoQueue",
    "ContentBasedDeduplication",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "DeduplicationScope",
    "FifoThroughputLimit",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
];

impl Handle<GetQueueAttributes> for Queues {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetQueueAttributesRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: GetQueueAttributesRequest) -> Result<GetQueueAttributesResult, Fault> {
        let desk = self.desk(&Scope::of(call), &input.queue_url)?;
        let names = input.attribute_names.unwrap_or_default();
        if let Some(unknown) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
            return Err(Error::UnknownAttribute(unknown.clone()).into());
        }
        let is_asked = |name: &str| names.iter().any(|asked| asked == "All" || asked == name);
        let queue = desk.queue();
        let mut known = queue.settings.show();
        known.push(("QueueArn", queue.arn()));
        known.push(("CreatedTimestamp", (queue.created_ms / 1_000).to_string()));
        known.push(("LastModifiedTimestamp", (queue.modified_ms / 1_000).to_string()));
        if NAMES.iter().any(|name| name.starts_with("Approximate") && is_asked(name)) {
            let counted = desk.ask(|answer| Command::Count { answer }).await?;
            known.push(("ApproximateNumberOfMessages", counted.visible.to_string()));
            known.push(("ApproximateNumberOfMessagesNotVisible", counted.hidden.to_string()));
            known.push(("ApproximateNumberOfMessagesDelayed", counted.delayed.to_string()));
        }
        let attributes: BTreeMap<String, String> = known
            .into_iter()
            .filter(|(name, _)| is_asked(name))
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Ok(GetQueueAttributesResult { attributes: (!attributes.is_empty()).then_some(attributes) })
    }
}
