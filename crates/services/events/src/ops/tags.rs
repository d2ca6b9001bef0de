//! Tags of buses and rules.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::events as aws;

use crate::Events;
use crate::error::Error;
use crate::model::Scope;
use crate::model::name::rule_of;
use crate::store::RuleRecord;

const TAGS_MAX: usize = 50;

/// Tags and more tags.
pub(super) fn read_tags(
    mut tags: BTreeMap<String, String>,
    more: &[aws::Tag],
) -> Result<BTreeMap<String, String>, Error> {
    tags.extend(more.iter().map(|tag| (tag.key.clone(), tag.value.clone())));
    if tags.len() > TAGS_MAX {
        return Err(Error::Limit);
    }
    Ok(tags)
}

/// What can be tagged.
enum Tagged {
    Bus(String),
    Rule(String, String),
}

fn tagged(text: &str) -> Result<Tagged, Error> {
    let missing = || Error::Missing(format!("{text} does not exist."));
    let arn = Arn::parse(text).ok_or_else(missing)?;
    match (arn.resource.strip_prefix("event-bus/"), rule_of(&arn.resource)) {
        (Some(bus), _) => Ok(Tagged::Bus(bus.to_owned())),
        (None, Some((bus, rule))) => Ok(Tagged::Rule(bus.to_owned(), rule.to_owned())),
        (None, None) => Err(missing()),
    }
}

fn resource(arn: &str) -> Arn {
    Arn::parse(arn).unwrap_or_else(Arn::any)
}

impl Handle<aws::TagResource> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &aws::TagResourceRequest) -> Arn {
        resource(&input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: aws::TagResourceRequest) -> Result<aws::TagResourceResponse, Fault> {
        self.change_tags(call, &input.resource_arn, |tags| read_tags(tags, &input.tags)).await?;
        Ok(aws::TagResourceResponse {})
    }
}

impl Handle<aws::UntagResource> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &aws::UntagResourceRequest) -> Arn {
        resource(&input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: aws::UntagResourceRequest) -> Result<aws::UntagResourceResponse, Fault> {
        let untag = |mut tags: BTreeMap<String, String>| {
            tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(tags)
        };
        self.change_tags(call, &input.resource_arn, untag).await?;
        Ok(aws::UntagResourceResponse {})
    }
}

impl Handle<aws::ListTagsForResource> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &aws::ListTagsForResourceRequest) -> Arn {
        resource(&input.resource_arn)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::ListTagsForResourceRequest,
    ) -> Result<aws::ListTagsForResourceResponse, Fault> {
        let scope = Scope::of(call);
        let tags = match tagged(&input.resource_arn)? {
            Tagged::Bus(bus) => self.table.look(&scope, &bus, |bus| bus.record.tags.clone())?,
            Tagged::Rule(bus, rule) => self.table.rule(&scope, &bus, &rule)?.record.tags,
        };
        let tags = tags.into_iter().map(|(key, value)| aws::Tag { key, value }).collect();
        Ok(aws::ListTagsForResourceResponse { tags: Some(tags) })
    }
}

impl Events {
    async fn change_tags(
        &self,
        call: &Call,
        arn: &str,
        change: impl FnOnce(BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Error> + Send,
    ) -> Result<(), Error> {
        let scope = Scope::of(call);
        match tagged(arn)? {
            Tagged::Bus(bus) => {
                let changed = self.change_bus(&scope, &bus, |record| {
                    record.tags = change(std::mem::take(&mut record.tags))?;
                    Ok(())
                });
                changed.await.map(|_| ())
            }
            Tagged::Rule(bus, name) => {
                let _one_at_a_time = self.managing.lock().await;
                let rule = self.table.rule(&scope, &bus, &name)?.record;
                let record = RuleRecord { tags: change(rule.tags.clone())?, ..rule };
                self.put_rule(&scope, &bus, &name, &record).await
            }
        }
    }
}
