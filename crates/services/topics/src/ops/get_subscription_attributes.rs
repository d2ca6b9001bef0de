//! `GetSubscriptionAttributes`: what was set, and what is so by default.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sns::{GetSubscriptionAttributes, GetSubscriptionAttributesInput, GetSubscriptionAttributesResponse};

use super::resource;
use crate::Topics;
use crate::error::Error;
use crate::model::Scope;

impl Handle<GetSubscriptionAttributes> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetSubscriptionAttributesInput) -> Arn {
        resource(call, &input.subscription_arn)
    }

    async fn handle(
        &self,
        call: &Call,
        input: GetSubscriptionAttributesInput,
    ) -> Result<GetSubscriptionAttributesResponse, Fault> {
        let scope = Scope::of(call);
        let (topic, id) = scope.subscription(&input.subscription_arn)?;
        let hall = self.table.get(&scope, topic).ok_or(Error::SubscriptionMissing)?;
        let found = hall.listener(id).filter(|found| found.is_shown()).ok_or(Error::SubscriptionMissing)?;
        Ok(GetSubscriptionAttributesResponse { attributes: Some(found.show(&hall.topic())) })
    }
}
