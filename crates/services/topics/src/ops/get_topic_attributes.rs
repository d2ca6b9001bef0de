//! `GetTopicAttributes`: what was set, what is so by default, and what is counted.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sns::{GetTopicAttributes, GetTopicAttributesInput, GetTopicAttributesResponse};

use super::resource;
use crate::Topics;
use crate::model::Scope;

impl Handle<GetTopicAttributes> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetTopicAttributesInput) -> Arn {
        resource(call, &input.topic_arn)
    }

    async fn handle(&self, call: &Call, input: GetTopicAttributesInput) -> Result<GetTopicAttributesResponse, Fault> {
        let hall = self.hall(&Scope::of(call), "TopicArn", &input.topic_arn)?;
        let (topic, counted) = (hall.topic(), hall.count());
        let (arn, owner) = (topic.arn(), topic.scope.account.to_string());
        let mut attributes = topic.settings.show(&arn, &owner);
        for (name, value) in [
            ("TopicArn", arn),
            ("Owner", owner),
            ("SubscriptionsConfirmed", counted.confirmed.to_string()),
            ("SubscriptionsPending", counted.pending.to_string()),
            ("SubscriptionsDeleted", topic.subscriptions_deleted.to_string()),
        ] {
            attributes.insert(name.to_owned(), value);
        }
        Ok(GetTopicAttributesResponse { attributes: Some(attributes) })
    }
}
