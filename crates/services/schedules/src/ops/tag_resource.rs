//! `TagResource`: groups have tags, schedules have none.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::scheduler::{Tag, TagResource, TagResourceInput, TagResourceOutput};

use crate::Schedules;
use crate::error::Error;
use crate::model::Group;

/// How many tags a group may have.
const TAGS_MAX: usize = 50;

impl Handle<TagResource> for Schedules {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &TagResourceInput) -> Arn {
        super::tagged_resource(call, &input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: TagResourceInput) -> Result<TagResourceOutput, Fault> {
        let name = &super::tagged(call, &input.resource_arn)?;
        let (now_ms, tags) = (self.now_ms(), &input.tags);
        self.cabinet
            .change(|drawer| async move {
                let mut group = self.open_group(&drawer, name).await?;
                add(&mut group.tags, tags.clone())?;
                drawer.put_group(&Group { modified_ms: now_ms, ..group });
                Ok(())
            })
            .await?;
        Ok(TagResourceOutput {})
    }
}

/// Adds tags to those that are there.
pub(super) fn add(tags: &mut BTreeMap<String, String>, added: Vec<Tag>) -> Result<(), Error> {
    tags.extend(added.into_iter().map(|tag| (tag.key, tag.value)));
    if tags.len() > TAGS_MAX {
        return Err(Error::invalid(format!(
            "A schedule group has at most {TAGS_MAX} tags, and this makes {}.",
            tags.len()
        )));
    }
    match tags.keys().find(|key| key.to_ascii_lowercase().starts_with("aws:")) {
        Some(key) => Err(Error::invalid(format!("The tag key {key} begins with aws:, which is reserved."))),
        None => Ok(()),
    }
}
