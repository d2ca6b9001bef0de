//! The operations, one file each where they are more than a few lines, and what several of them share.

mod add_permission;
mod confirm_subscription;
mod create_topic;
mod delete_topic;
mod endpoints;
mod get_subscription_attributes;
mod get_topic_attributes;
mod list_subscriptions;
mod list_subscriptions_by_topic;
mod list_topics;
mod page;
mod phones;
mod platform_applications;
mod protection;
mod publish;
mod publish_batch;
mod remove_permission;
mod set_subscription_attributes;
mod set_topic_attributes;
mod short_messages;
mod subscribe;
mod tags;
mod unsubscribe;

use std::sync::Arc;

use contract::{Arn, Call};
use dispatch::Registry;
use wire::sns::{
    AddPermission, CheckIfPhoneNumberIsOptedOut, ConfirmSubscription, CreatePlatformApplication,
    CreatePlatformEndpoint, CreateSMSSandboxPhoneNumber, CreateTopic, DeleteEndpoint, DeletePlatformApplication,
    DeleteSMSSandboxPhoneNumber, DeleteTopic, GetDataProtectionPolicy, GetEndpointAttributes,
    GetPlatformApplicationAttributes, GetSMSAttributes, GetSMSSandboxAccountStatus, GetSubscriptionAttributes,
    GetTopicAttributes, ListEndpointsByPlatformApplication, ListOriginationNumbers, ListPhoneNumbersOptedOut,
    ListPlatformApplications, ListSMSSandboxPhoneNumbers, ListSubscriptions, ListSubscriptionsByTopic,
    ListTagsForResource, ListTopics, OptInPhoneNumber, Publish, PublishBatch, PutDataProtectionPolicy,
    RemovePermission, SetEndpointAttributes, SetPlatformApplicationAttributes, SetSMSAttributes,
    SetSubscriptionAttributes, SetTopicAttributes, Subscribe, TagResource, Unsubscribe, UntagResource,
    VerifySMSSandboxPhoneNumber,
};

use crate::Topics;
use crate::error::Error;
use crate::model::{Scope, Topic};
use crate::table::Hall;

/// Names every operation that is served.
pub fn register(registry: &mut Registry, topics: &Arc<Topics>) {
    registry.add::<AddPermission, _>(topics);
    registry.add::<CheckIfPhoneNumberIsOptedOut, _>(topics);
    registry.add::<ConfirmSubscription, _>(topics);
    registry.add::<CreatePlatformApplication, _>(topics);
    registry.add::<CreatePlatformEndpoint, _>(topics);
    registry.add::<CreateSMSSandboxPhoneNumber, _>(topics);
    registry.add::<CreateTopic, _>(topics);
    registry.add::<DeleteEndpoint, _>(topics);
    registry.add::<DeletePlatformApplication, _>(topics);
    registry.add::<DeleteSMSSandboxPhoneNumber, _>(topics);
    registry.add::<DeleteTopic, _>(topics);
    registry.add::<GetDataProtectionPolicy, _>(topics);
    registry.add::<GetEndpointAttributes, _>(topics);
    registry.add::<GetPlatformApplicationAttributes, _>(topics);
    registry.add::<GetSMSAttributes, _>(topics);
    registry.add::<GetSMSSandboxAccountStatus, _>(topics);
    registry.add::<GetSubscriptionAttributes, _>(topics);
    registry.add::<GetTopicAttributes, _>(topics);
    registry.add::<ListEndpointsByPlatformApplication, _>(topics);
    registry.add::<ListOriginationNumbers, _>(topics);
    registry.add::<ListPhoneNumbersOptedOut, _>(topics);
    registry.add::<ListPlatformApplications, _>(topics);
    registry.add::<ListSMSSandboxPhoneNumbers, _>(topics);
    registry.add::<ListSubscriptions, _>(topics);
    registry.add::<ListSubscriptionsByTopic, _>(topics);
    registry.add::<ListTagsForResource, _>(topics);
    registry.add::<ListTopics, _>(topics);
    registry.add::<OptInPhoneNumber, _>(topics);
    registry.add::<Publish, _>(topics);
    registry.add::<PublishBatch, _>(topics);
    registry.add::<PutDataProtectionPolicy, _>(topics);
    registry.add::<RemovePermission, _>(topics);
    registry.add::<SetEndpointAttributes, _>(topics);
    registry.add::<SetPlatformApplicationAttributes, _>(topics);
    registry.add::<SetSMSAttributes, _>(topics);
    registry.add::<SetSubscriptionAttributes, _>(topics);
    registry.add::<SetTopicAttributes, _>(topics);
    registry.add::<Subscribe, _>(topics);
    registry.add::<TagResource, _>(topics);
    registry.add::<Unsubscribe, _>(topics);
    registry.add::<UntagResource, _>(topics);
    registry.add::<VerifySMSSandboxPhoneNumber, _>(topics);
}

/// What an ARN names, for policies and the audit line.
fn resource(call: &Call, arn: &str) -> Arn {
    Arn::parse(arn).unwrap_or_else(|| everything(call))
}

/// All of this service that there is.
fn everything(call: &Call) -> Arn {
    Scope::of(call).arn("*")
}

impl Topics {
    /// Changes a topic, in the store and then in memory.
    async fn change(
        &self,
        hall: &Hall,
        change: impl Fn(&mut Topic) -> Result<(), Error> + Send + Sync,
    ) -> Result<(), Error> {
        let topic = hall.topic();
        self.cellar.change(&topic, change).await?;
        self.refresh_topic(&topic.scope, topic.name.as_str()).await
    }
}
