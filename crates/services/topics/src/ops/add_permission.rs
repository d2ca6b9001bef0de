//! `AddPermission`: one statement more in the topic's policy, under a label.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::sns::{AddPermission, AddPermissionInput};

use super::resource;
use crate::Topics;
use crate::model::{Scope, permission};

impl Handle<AddPermission> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &AddPermissionInput) -> Arn {
        resource(call, &input.topic_arn)
    }

    async fn handle(&self, call: &Call, input: AddPermissionInput) -> Result<Empty, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let hall = self.hall(&Scope::of(call), "TopicArn", &input.topic_arn)?;
        let (label, accounts, actions) = (&input.label, &input.aws_account_id, &input.action_name);
        self.change(&hall, |topic| permission::add(topic, label, accounts, actions)).await?;
        Ok(Empty {})
    }
}
