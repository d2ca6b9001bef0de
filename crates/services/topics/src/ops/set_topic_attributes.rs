//! `SetTopicAttributes`: one of them.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::sns::{SetTopicAttributes, SetTopicAttributesInput};

use super::resource;
use crate::Topics;
use crate::model::Scope;

impl Handle<SetTopicAttributes> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &SetTopicAttributesInput) -> Arn {
        resource(call, &input.topic_arn)
    }

    async fn handle(&self, call: &Call, input: SetTopicAttributesInput) -> Result<Empty, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let hall = self.hall(&Scope::of(call), "TopicArn", &input.topic_arn)?;
        let (name, value) = (&input.attribute_name, input.attribute_value.as_deref().unwrap_or_default());
        self.change(&hall, |topic| topic.settings.apply(name, value)).await?;
        Ok(Empty {})
    }
}
