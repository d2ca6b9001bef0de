//! `RemovePermission`: takes the statement of that label out of the topic's policy.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::sns::{RemovePermission, RemovePermissionInput};

use super::resource;
use crate::Topics;
use crate::model::{Scope, permission};

impl Handle<RemovePermission> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &RemovePermissionInput) -> Arn {
        resource(call, &input.topic_arn)
    }

    async fn handle(&self, call: &Call, input: RemovePermissionInput) -> Result<Empty, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let hall = self.hall(&Scope::of(call), "TopicArn", &input.topic_arn)?;
        self.change(&hall, |topic| permission::remove(topic, &input.label)).await?;
        Ok(Empty {})
    }
}
