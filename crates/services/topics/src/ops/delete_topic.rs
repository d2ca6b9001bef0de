//! `DeleteTopic`: a topic and its subscriptions. Silent where there is none, as AWS is.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::sns::{DeleteTopic, DeleteTopicInput};

use super::resource;
use crate::Topics;
use crate::error::Error;
use crate::model::Scope;

impl Handle<DeleteTopic> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteTopicInput) -> Arn {
        resource(call, &input.topic_arn)
    }

    async fn handle(&self, call: &Call, input: DeleteTopicInput) -> Result<Empty, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let hall = match self.hall(&Scope::of(call), "TopicArn", &input.topic_arn) {
            Err(Error::TopicMissing) => return Ok(Empty {}),
            hall => hall?,
        };
        let topic = hall.topic();
        self.cellar.delete(&topic).await?;
        self.refresh_topic(&topic.scope, topic.name.as_str()).await?;
        self.sweep();
        Ok(Empty {})
    }
}
