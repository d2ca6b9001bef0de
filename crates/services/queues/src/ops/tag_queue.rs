//! `TagQueue`: adds tags, or changes them.
//!
//! Limits: 50 tags, keys of 1 to 128 characters, values of up to 256.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::sqs::{TagQueue, TagQueueRequest};

use super::resource;
use crate::Queues;
use crate::error::Error;

const TAGS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

impl Handle<TagQueue> for Queues {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &TagQueueRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: TagQueueRequest) -> Result<Empty, Fault> {
        let tags = &input.tags;
        if tags.is_empty() {
            return Err(Error::MissingParameter("Tags".to_owned()).into());
        }
        self.change(call, &input.queue_url, |queue| {
            queue.tags.extend(tags.clone());
            check_tags(&queue.tags)
        })
        .await?;
        Ok(Empty {})
    }
}

/// Checks all tags of a queue.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    let refused = |why: String| Err(Error::InvalidValue(why));
    if tags.len() > TAGS_MAX {
        return refused(format!("Too many tags added for queue: the limit is {TAGS_MAX}."));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
            return refused(format!("Tag keys must be between 1 and {KEY_CHARS_MAX} characters in length."));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return refused("Tag keys must not begin with aws:, which is reserved.".to_owned());
        }
        if value.chars().count() > VALUE_CHARS_MAX {
            return refused(format!("Tag values must be between 0 and {VALUE_CHARS_MAX} characters in length."));
        }
    }
    Ok(())
}
