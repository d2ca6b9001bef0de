//! `CreateQueue`: makes a queue; where there is one of that name with the same attributes, gives that.
//!
//! AWS lets a name rest for sixty seconds when its queue was deleted, because its nodes learn of it one by one. There is no such
//! reason here, so a name can be used again at once.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sqs::{CreateQueue, CreateQueueRequest, CreateQueueResult};

use super::set_queue_attributes::check_target;
use super::tag_queue::check_tags;
use crate::Queues;
use crate::error::Error;
use crate::model::settings::compile;
use crate::model::{Queue, QueueId, QueueName, Scope, Settings};

impl Handle<CreateQueue> for Queues {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateQueueRequest) -> Arn {
        Scope::of(call).arn(if input.queue_name.is_empty() { "*" } else { &input.queue_name })
    }

    async fn handle(&self, call: &Call, input: CreateQueueRequest) -> Result<CreateQueueResult, Fault> {
        let scope = Scope::of(call);
        let attributes = input.attributes.unwrap_or_default();
        let fifo = is_fifo(&attributes)?;
        let name = QueueName::parse(&input.queue_name, fifo)?;
        let mut settings = Settings::new(fifo);
        settings.apply(&attributes)?;
        let tags = input.tags.unwrap_or_default();
        check_tags(&tags)?;
        let now_ms = self.now_ms();
        let queue = Queue {
            id: QueueId(0),
            scope: scope.clone(),
            name: name.clone(),
            created_ms: now_ms,
            modified_ms: now_ms,
            policy: compile(settings.policy.as_deref().unwrap_or_default())?,
            settings,
            tags,
        };
        let url = scope.url(call.base_url(), name.as_str());
        let _one_at_a_time = self.managing.lock().await;
        check_target(self, &queue)?;
        match self.cellar.create(queue).await? {
            Ok(made) => {
                self.keep(made);
            }
            Err(there) => compare(&there, &attributes)?,
        }
        Ok(CreateQueueResult { queue_url: Some(url) })
    }
}

/// The attribute is there or it is not: to say no is no attribute of a queue.
fn is_fifo(attributes: &BTreeMap<String, String>) -> Result<bool, Error> {
    match attributes.get("FifoQueue").map(String::as_str) {
        None => Ok(false),
        Some(yes) if yes.eq_ignore_ascii_case("true") => Ok(true),
        Some(no) if no.eq_ignore_ascii_case("false") => Err(Error::UnknownAttribute("FifoQueue".to_owned())),
        Some(_) => Err(Error::InvalidAttributeValue("Invalid value for the parameter FifoQueue.".to_owned())),
    }
}

/// What is asked for must be so.
fn compare(there: &Queue, attributes: &BTreeMap<String, String>) -> Result<(), Error> {
    let mut wanted = there.settings.clone();
    wanted.apply(attributes)?;
    let (before, after) = (there.settings.show(), wanted.show());
    let different = after
        .iter()
        .find(|shown| !before.contains(shown))
        .or_else(|| before.iter().find(|shown| !after.contains(shown)));
    match different {
        Some((name, _)) => Err(Error::QueueExists((*name).to_owned())),
        None => Ok(()),
    }
}
