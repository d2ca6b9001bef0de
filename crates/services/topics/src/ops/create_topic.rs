//! `CreateTopic`: makes a topic; where there is one of that name with the same attributes and tags, gives that.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sns::{CreateTopic, CreateTopicInput, CreateTopicResponse};

use super::protection;
use super::tags::{check_tags, read_tags};
use crate::Topics;
use crate::error::Error;
use crate::model::settings::{compile, truth};
use crate::model::{Scope, Settings, Topic, TopicName};

const TOPICS_MAX: usize = 100_000;

impl Handle<CreateTopic> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateTopicInput) -> Arn {
        Scope::of(call).arn(if input.name.is_empty() { "*" } else { &input.name })
    }

    async fn handle(&self, call: &Call, input: CreateTopicInput) -> Result<CreateTopicResponse, Fault> {
        let scope = Scope::of(call);
        let mut attributes = input.attributes.unwrap_or_default();
        let fifo = match attributes.remove("FifoTopic") {
            None => false,
            Some(text) => truth(&text).ok_or_else(|| Error::because("FifoTopic", "must be true or false"))?,
        };
        let name = TopicName::parse(&input.name, fifo)?;
        let mut settings = Settings::new(fifo);
        attributes.iter().try_for_each(|(name, value)| settings.apply(name, value)).map_err(within)?;
        let tags = read_tags(input.tags.unwrap_or_default())?;
        check_tags(&tags)?;
        let data_protection = input.data_protection_policy.filter(|text| !text.is_empty());
        data_protection.as_deref().map(protection::check).transpose()?;
        let policy = compile(settings.policy().unwrap_or_default())?;
        let id = self.random.uuid();
        let topic = Topic { id, scope, name, settings, policy, tags, data_protection, subscriptions_deleted: 0 };
        let _one_at_a_time = self.managing.lock().await;
        if self.table.get(&topic.scope, topic.name.as_str()).is_none() && self.table.all().len() >= TOPICS_MAX {
            return Err(Error::TopicLimit(TOPICS_MAX).into());
        }
        match self.cellar.create(&topic).await? {
            Ok(()) => self.refresh_topic(&topic.scope, topic.name.as_str()).await?,
            Err(there) => compare(&there, &attributes, &topic.tags)?,
        }
        Ok(CreateTopicResponse { topic_arn: Some(topic.arn()) })
    }
}

/// AWS says which parameter an attribute came in.
fn within(error: Error) -> Error {
    match error {
        Error::Invalid(why) => Error::because("Attributes", why),
        other => other,
    }
}

/// What is asked for must be so.
fn compare(there: &Topic, wanted: &BTreeMap<String, String>, tags: &BTreeMap<String, String>) -> Result<(), Error> {
    let (arn, owner) = (there.arn(), there.scope.account.to_string());
    let mut changed = there.settings.clone();
    wanted.iter().try_for_each(|(name, value)| changed.apply(name, value))?;
    if changed.show(&arn, &owner) != there.settings.show(&arn, &owner) {
        return Err(Error::because("Attributes", "Topic already exists with different attributes"));
    }
    if !tags.is_empty() && *tags != there.tags {
        return Err(Error::because("Tags", "Topic already exists with different tags"));
    }
    Ok(())
}
