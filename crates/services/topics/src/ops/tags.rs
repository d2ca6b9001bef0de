//! `TagResource`, `UntagResource` and `ListTagsForResource`, of topics.
//!
//! Limits: 50 tags, keys of 1 to 128 characters, values of up to 256.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sns::{
    ListTagsForResource, ListTagsForResourceRequest, ListTagsForResourceResponse, Tag, TagResource, TagResourceRequest,
    TagResourceResponse, UntagResource, UntagResourceRequest, UntagResourceResponse,
};

use super::resource;
use crate::Topics;
use crate::error::Error;
use crate::model::Scope;

const TAGS_MAX: usize = 50;

impl Handle<TagResource> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &TagResourceRequest) -> Arn {
        resource(call, &input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: TagResourceRequest) -> Result<TagResourceResponse, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let hall = self.hall(&Scope::of(call), "ResourceArn", &input.resource_arn).map_err(missing)?;
        let tags = &read_tags(input.tags)?;
        self.change(&hall, |topic| {
            topic.tags.extend(tags.clone());
            check_tags(&topic.tags)
        })
        .await?;
        Ok(TagResourceResponse {})
    }
}

impl Handle<UntagResource> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UntagResourceRequest) -> Arn {
        resource(call, &input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: UntagResourceRequest) -> Result<UntagResourceResponse, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let hall = self.hall(&Scope::of(call), "ResourceArn", &input.resource_arn).map_err(missing)?;
        self.change(&hall, |topic| {
            topic.tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(())
        })
        .await?;
        Ok(UntagResourceResponse {})
    }
}

impl Handle<ListTagsForResource> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListTagsForResourceRequest) -> Arn {
        resource(call, &input.resource_arn)
    }

    async fn handle(
        &self,
        call: &Call,
        input: ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceResponse, Fault> {
        let hall = self.hall(&Scope::of(call), "ResourceArn", &input.resource_arn).map_err(missing)?;
        let tags =
            hall.topic().tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect();
        Ok(ListTagsForResourceResponse { tags: Some(tags) })
    }
}

fn missing(error: Error) -> Error {
    match error {
        Error::TopicMissing => Error::ResourceMissing,
        other => other,
    }
}

/// Tags as a caller gave them: no key twice.
pub(super) fn read_tags(given: Vec<Tag>) -> Result<BTreeMap<String, String>, Error> {
    let count = given.len();
    let tags: BTreeMap<String, String> = given.into_iter().map(|tag| (tag.key, tag.value)).collect();
    match tags.len() == count {
        true => Ok(tags),
        false => Err(Error::Invalid("Duplicated keys are not allowed.".to_owned())),
    }
}

/// Checks all tags of a topic. How long they may be, the model says.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    if tags.len() > TAGS_MAX {
        return Err(Error::TagLimit);
    }
    match tags.keys().find(|key| key.to_ascii_lowercase().starts_with("aws:")) {
        Some(key) => Err(Error::because("Tags", format!("the key {key} begins with aws:, which is reserved"))),
        None => Ok(()),
    }
}
