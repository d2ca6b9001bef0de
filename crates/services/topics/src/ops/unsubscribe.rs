//! `Unsubscribe`: nothing comes any more. Silent where there is no such subscription, as AWS is. Who is asked before a subscription
//! counts is also told of its end, and can take it back for two days.
//!
//! Who has the address for it may call it without proving anything, but for subscriptions that were confirmed otherwise.

use contract::{Arn, Call, Effect, Fault, Handle, Principal};
use wire::Empty;
use wire::sns::{Unsubscribe, UnsubscribeInput};

use super::resource;
use crate::Topics;
use crate::error::Error;
use crate::model::{Scope, Standing, Subscription};

impl Handle<Unsubscribe> for Topics {
    const EFFECT: Effect = Effect::Write;
    const ALWAYS_ALLOWED: bool = true;

    fn resource(&self, call: &Call, input: &UnsubscribeInput) -> Arn {
        resource(call, &input.subscription_arn)
    }

    async fn handle(&self, call: &Call, input: UnsubscribeInput) -> Result<Empty, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let scope = Scope::of(call);
        let (topic, id) = match scope.subscription(&input.subscription_arn) {
            Err(Error::SubscriptionMissing) => return Ok(Empty {}),
            found => found?,
        };
        let Some(hall) = self.table.get(&scope, topic) else { return Ok(Empty {}) };
        let Some(found) = hall.listener(id).filter(|found| found.is_shown()) else { return Ok(Empty {}) };
        let topic = hall.topic();
        match &found.standing {
            Standing::Pending { .. } => {
                let why = "This operation can not be performed on a subscription that is pending confirmation";
                return Err(Error::because("SubscriptionArn", why).into());
            }
            Standing::Confirmed { guarded: true, .. } if !is_known(call) => {
                return Err(Error::NotAuthorized("Only its owner may end this subscription".to_owned()).into());
            }
            Standing::Confirmed { .. } | Standing::Left { .. } => {}
        }
        if found.protocol.asks_first() {
            let Standing::Pending { token, until_ms } = self.pending() else { return Err(Fault::internal()) };
            let left = Subscription { standing: Standing::Left { token, until_ms }, ..(*found).clone() };
            let told = self.asking(&self.sender(call), &topic, &left, "UnsubscribeConfirmation").await?;
            self.cellar.put_subscription(&topic, &left, |tx| told.iter().for_each(|out| out.put(tx))).await?;
            self.cellar.remove_subscriptions(&topic, &[], 1).await?;
        } else {
            self.cellar.remove_subscriptions(&topic, &[id], 1).await?;
        }
        self.refresh_subscription(topic.id, id).await?;
        self.refresh_topic(&topic.scope, topic.name.as_str()).await?;
        Ok(Empty {})
    }
}

fn is_known(call: &Call) -> bool {
    match &call.principal {
        Principal::Root | Principal::Role { .. } | Principal::Service { .. } => true,
        Principal::Open { access_key } => access_key.is_some(),
        Principal::Anonymous => false,
    }
}
