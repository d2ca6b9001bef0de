//! `ConfirmSubscription`: whoever holds the token says yes. Everybody may call it: the token is the proof.

use contract::{Arn, Call, Effect, Fault, Handle, Principal};
use wire::sns::{ConfirmSubscription, ConfirmSubscriptionInput, ConfirmSubscriptionResponse};

use super::resource;
use super::subscribe::admit_filter;
use crate::Topics;
use crate::error::Error;
use crate::model::settings::truth;
use crate::model::{Scope, Standing, Subscription};

impl Handle<ConfirmSubscription> for Topics {
    const EFFECT: Effect = Effect::Write;
    const ALWAYS_ALLOWED: bool = true;

    fn resource(&self, call: &Call, input: &ConfirmSubscriptionInput) -> Arn {
        resource(call, &input.topic_arn)
    }

    async fn handle(&self, call: &Call, input: ConfirmSubscriptionInput) -> Result<ConfirmSubscriptionResponse, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let hall = self.hall(&Scope::of(call), "TopicArn", &input.topic_arn)?;
        let now_ms = self.clock.now_ms();
        let found = hall.listeners(|one| one.token().is_some_and(|(token, _)| token == input.token));
        let Some(found) = found.into_iter().next() else {
            return Err(Error::Invalid("Token".to_owned()).into());
        };
        if found.token().is_some_and(|(_, until_ms)| until_ms <= now_ms) {
            return Err(Error::Invalid("Token expired".to_owned()).into());
        }
        if matches!(found.standing, Standing::Left { .. }) {
            admit_filter(&hall, &found.wishes)?;
        }
        let authenticated = match call.principal {
            Principal::Root | Principal::Role { .. } => true,
            Principal::Open { ref access_key } => access_key.is_some(),
            Principal::Service { .. } | Principal::Anonymous => false,
        };
        let guarded = input.authenticate_on_unsubscribe.as_deref().and_then(truth).unwrap_or_default();
        let standing = Standing::Confirmed { authenticated, guarded: guarded && authenticated };
        let confirmed = Subscription { standing, ..(*found).clone() };
        let topic = hall.topic();
        self.cellar.put_subscription(&topic, &confirmed, |_| {}).await?;
        self.refresh_subscription(topic.id, confirmed.id).await?;
        Ok(ConfirmSubscriptionResponse { subscription_arn: Some(confirmed.arn()) })
    }
}
