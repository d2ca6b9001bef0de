//! `SetSubscriptionAttributes`: one of them.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::sns::{SetSubscriptionAttributes, SetSubscriptionAttributesInput};

use super::resource;
use super::subscribe::admit_filter;
use crate::Topics;
use crate::error::Error;
use crate::model::Scope;

impl Handle<SetSubscriptionAttributes> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &SetSubscriptionAttributesInput) -> Arn {
        resource(call, &input.subscription_arn)
    }

    async fn handle(&self, call: &Call, input: SetSubscriptionAttributesInput) -> Result<Empty, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let scope = Scope::of(call);
        let (topic, id) = scope.subscription(&input.subscription_arn)?;
        let hall = self.table.get(&scope, topic).ok_or(Error::SubscriptionMissing)?;
        let found = hall.listener(id).filter(|found| found.is_shown()).ok_or(Error::SubscriptionMissing)?;
        let mut changed = (*found).clone();
        let value = input.attribute_value.as_deref().unwrap_or_default();
        changed.wishes.apply(found.protocol, "", &input.attribute_name, value)?;
        if found.wishes.filter.is_none() {
            admit_filter(&hall, &changed.wishes)?;
        }
        let topic = hall.topic();
        self.cellar.put_subscription(&topic, &changed, |_| {}).await?;
        self.refresh_subscription(topic.id, id).await?;
        Ok(Empty {})
    }
}
