//! `TagResource`, `UntagResource`, `ListTagsOfResource`.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::dynamodb::{
    ListTagsOfResource, ListTagsOfResourceInput, ListTagsOfResourceOutput, Tag, TagResource, TagResourceInput,
    UntagResource, UntagResourceInput,
};

use super::resource_of_arn;
use crate::desk::Desk;
use crate::model::{Scope, name};
use crate::{Error, Tables};

/// Tags of one table.
const TAGS_MAX: usize = 50;

/// Tags as a map; two of one key are refused.
pub(super) fn read(given: &[Tag]) -> Result<BTreeMap<String, String>, Error> {
    let mut tags = BTreeMap::new();
    for Tag { key, value } in given {
        if key.starts_with("aws:") {
            return Err(Error::Invalid(format!("Tag keys that begin with aws: are reserved: {key}")));
        }
        if tags.insert(key.clone(), value.clone()).is_some() {
            return Err(Error::Invalid(format!("Duplicate tag keys are not allowed: {key}")));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    match tags.len() {
        count if count > TAGS_MAX => {
            Err(Error::Invalid(format!("Too many tags: {count}; a table has at most {TAGS_MAX}")))
        }
        _ => Ok(()),
    }
}

impl Tables {
    /// The table whose own ARN this is, or that of one of its streams. Policies were asked about this very ARN, so nothing else that begins
    /// with the table's will do.
    pub(super) fn tagged(&self, call: &Call, arn: &str) -> Result<Arc<Desk>, Error> {
        let scope = Scope::of(call);
        let invalid = || Error::Invalid(format!("Invalid TableArn: Invalid ResourceArn provided as input {arn}"));
        let parsed = Arn::parse(arn).filter(|arn| arn.service == "dynamodb").ok_or_else(invalid)?;
        let name = name::of_arn(arn).ok_or_else(invalid)?;
        let own = parsed.region == scope.region.as_str() && parsed.account == scope.account.to_string();
        let desk = own.then(|| self.desks.get(&scope, name)).flatten();
        let is_named = |desk: &Arc<Desk>| {
            let sight = desk.sight();
            match arn.strip_prefix(&sight.arn) {
                Some("") => true,
                Some(rest) => rest.strip_prefix("/stream/").is_some_and(|label| sight.table.stream_of(label).is_some()),
                None => false,
            }
        };
        desk.filter(is_named)
            .ok_or_else(|| Error::Missing(format!("Requested resource not found: ResourcArn: {arn} not found")))
    }
}

impl Handle<TagResource> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &TagResourceInput) -> Arn {
        resource_of_arn(&input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: TagResourceInput) -> Result<Empty, Fault> {
        let desk = self.tagged(call, &input.resource_arn)?;
        let new = read(&input.tags)?;
        self.change(&desk, |table| {
            table.tags.extend(new);
            check_count(&table.tags)
        })
        .await?;
        Ok(Empty)
    }
}

impl Handle<UntagResource> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &UntagResourceInput) -> Arn {
        resource_of_arn(&input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: UntagResourceInput) -> Result<Empty, Fault> {
        let desk = self.tagged(call, &input.resource_arn)?;
        self.change(&desk, |table| {
            table.tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(())
        })
        .await?;
        Ok(Empty)
    }
}

impl Handle<ListTagsOfResource> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &ListTagsOfResourceInput) -> Arn {
        resource_of_arn(&input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: ListTagsOfResourceInput) -> Result<ListTagsOfResourceOutput, Fault> {
        let desk = self.tagged(call, &input.resource_arn)?;
        let tags = desk.sight().table.tags.clone();
        let tags = tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
        Ok(ListTagsOfResourceOutput { tags: Some(tags), next_token: None })
    }
}
