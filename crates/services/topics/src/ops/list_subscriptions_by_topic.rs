//! `ListSubscriptionsByTopic`: of one topic.

use contract::{Arn, Call, Effect, Fault, Handle};
use uuid::Uuid;
use wire::sns::{ListSubscriptionsByTopic, ListSubscriptionsByTopicInput, ListSubscriptionsByTopicResponse};

use super::list_subscriptions::show;
use super::{page, resource};
use crate::Topics;
use crate::error::Error;
use crate::model::Scope;

impl Handle<ListSubscriptionsByTopic> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListSubscriptionsByTopicInput) -> Arn {
        resource(call, &input.topic_arn)
    }

    async fn handle(
        &self,
        call: &Call,
        input: ListSubscriptionsByTopicInput,
    ) -> Result<ListSubscriptionsByTopicResponse, Fault> {
        let hall = self.hall(&Scope::of(call), "TopicArn", &input.topic_arn)?;
        let after = page::read(input.next_token.as_deref())?;
        let after = after.map(|id| Uuid::try_parse(&id)).transpose();
        let after = after.map_err(|_| Error::because("NextToken", "Invalid or expired next token"))?;
        let (found, next_token) = page::cut(hall.shown(after, page::PAGE + 1), |one| one.id.to_string());
        let subscriptions = found.iter().map(|one| show(one)).collect();
        Ok(ListSubscriptionsByTopicResponse { subscriptions: Some(subscriptions), next_token })
    }
}
