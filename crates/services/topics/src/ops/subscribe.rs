//! `Subscribe`: who gets a topic's messages from now on. Where the same endpoint is subscribed with the same attributes already, gives
//! that.
//!
//! Queues, functions, phones and devices count at once; addresses and people are asked first, and have two days to answer.

use contract::{Arn, Call, Effect, Fault, Handle};
use delivery::{Delivery, LaneId, Sender};
use wire::sns::{Subscribe, SubscribeInput, SubscribeResponse};

use super::resource;
use crate::Topics;
use crate::error::Error;
use crate::fanout::{Out, post, retry};
use crate::model::envelope::Confirmation;
use crate::model::patience::DeliveryPolicy;
use crate::model::subscription::{Wishes, id_of};
use crate::model::{Protocol, Scope, Standing, Subscription, Topic};
use crate::store::Letter;
use crate::table::Hall;

const SUBSCRIPTIONS_MAX: usize = 100_000;
const FILTERS_MAX: usize = 200;

/// How long is waited for a confirmation.
pub(super) const CONFIRM_MS: i64 = 2 * 24 * 3_600 * 1_000;

/// What AWS shows instead of the ARN of what is not confirmed yet.
pub(super) const PENDING: &str = "pending confirmation";

impl Handle<Subscribe> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &SubscribeInput) -> Arn {
        resource(call, &input.topic_arn)
    }

    async fn handle(&self, call: &Call, input: SubscribeInput) -> Result<SubscribeResponse, Fault> {
        let scope = Scope::of(call);
        let hall = self.hall(&scope, "TopicArn", &input.topic_arn)?;
        let protocol = Protocol::parse(&input.protocol)?;
        let endpoint = input.endpoint.filter(|text| !text.is_empty());
        let endpoint = endpoint.ok_or_else(|| Error::Invalid("Endpoint".to_owned()))?;
        protocol.check(&endpoint, hall.topic().is_fifo())?;
        let wishes = Wishes::read(protocol, "Attributes Reason: ", &input.attributes.unwrap_or_default())?;
        if protocol == Protocol::Application {
            self.device(&scope, "Endpoint", &endpoint).await.map_err(|error| match error {
                Error::EndpointMissing => Error::because("Endpoint", "Endpoint does not exist for endpoint arn"),
                other => other,
            })?;
        }
        let _one_at_a_time = self.managing.lock().await;
        let subscription = match hall.at(protocol, &endpoint) {
            Some(there) if !there.wishes.agrees(&wishes) => {
                let why = "Subscription already exists with different attributes";
                return Err(Error::because("Attributes", why).into());
            }
            Some(there) if there.is_confirmed() => (*there).clone(),
            // Who did not answer is asked again.
            Some(there) => {
                self.keep(call, &hall, Subscription { standing: self.pending(), ..(*there).clone() }).await?
            }
            None => {
                admit(&hall, &wishes)?;
                let standing = match protocol.asks_first() {
                    true => self.pending(),
                    false => Standing::Confirmed { authenticated: true, guarded: false },
                };
                let subscription = Subscription {
                    id: id_of(&hall.topic().arn(), protocol, &endpoint),
                    scope,
                    topic: hall.topic().name.clone(),
                    protocol,
                    endpoint,
                    standing,
                    wishes,
                    base_url: call.base_url().to_owned(),
                };
                self.keep(call, &hall, subscription).await?
            }
        };
        let whole = subscription.is_confirmed() || input.return_subscription_arn.unwrap_or_default();
        let arn = if whole { subscription.arn() } else { PENDING.to_owned() };
        Ok(SubscribeResponse { subscription_arn: Some(arn) })
    }
}

fn admit(hall: &Hall, wishes: &Wishes) -> Result<(), Error> {
    let counted = hall.count();
    if counted.all >= SUBSCRIPTIONS_MAX {
        return Err(Error::SubscriptionLimit(SUBSCRIPTIONS_MAX));
    }
    admit_filter(hall, wishes)
}

/// A topic may have so many filter policies.
pub(super) fn admit_filter(hall: &Hall, wishes: &Wishes) -> Result<(), Error> {
    match wishes.filter.is_some() && hall.count().with_filter >= FILTERS_MAX {
        true => Err(Error::FilterLimit(FILTERS_MAX)),
        false => Ok(()),
    }
}

impl Topics {
    /// Two days for an answer.
    pub(super) fn pending(&self) -> Standing {
        const HEX: &str = "0123456789abcdef";
        Standing::Pending { token: self.random.text(HEX, 256), until_ms: self.clock.now_ms() + CONFIRM_MS }
    }

    /// Keeps a subscription, and asks whoever must be asked.
    async fn keep(&self, call: &Call, hall: &Hall, subscription: Subscription) -> Result<Subscription, Error> {
        let topic = hall.topic();
        // Made now, so that no publisher waits for it.
        self.signer().await?;
        let asked = self.asking(&self.sender(call), &topic, &subscription, "SubscriptionConfirmation").await?;
        self.cellar.put_subscription(&topic, &subscription, |tx| asked.iter().for_each(|out| out.put(tx))).await?;
        self.refresh_subscription(topic.id, subscription.id).await?;
        self.wrote_letters(asked.iter().filter(|out| matches!(out, Out::Letter(..))).count()).await;
        Ok(subscription)
    }

    /// What asks whoever is at an endpoint whether they want what comes, or tells that nothing comes any more. None where nobody is
    /// asked.
    pub(super) async fn asking(
        &self,
        sender: &Sender,
        topic: &Topic,
        subscription: &Subscription,
        kind: &'static str,
    ) -> Result<Option<Out>, Error> {
        let Some((token, _)) = subscription.token().filter(|_| subscription.protocol.asks_first()) else {
            return Ok(None);
        };
        let (id, now_ms, topic_arn) = (self.random.uuid(), self.clock.now_ms(), topic.arn());
        let base_url = &subscription.base_url;
        let asked = Confirmation { kind, id, now_ms, topic_arn: &topic_arn, token, base_url };
        if matches!(subscription.protocol, Protocol::Http | Protocol::Https) {
            let seal = self.sign(topic, &asked.signed_text()).await?;
            let post = post(topic, subscription, kind, &id.to_string(), asked.json(&seal));
            let (patience, _) = DeliveryPolicy::effective(&topic.settings.delivery, &subscription.wishes.delivery);
            let lane = LaneId::any("subscription", subscription.arn());
            let delivery = Delivery { retry: retry(&patience), ..Delivery::http(sender.clone(), lane, &post) };
            return Ok(Some(Out::Delivery(Box::new(delivery))));
        }
        let body = match subscription.protocol {
            Protocol::EmailJson => {
                let seal = self.sign(topic, &asked.signed_text()).await?;
                asked.json(&seal)
            }
            _ => format!("{}\n\n{}\n", asked.text(), asked.subscribe_url()),
        };
        let subject = match kind {
            "SubscriptionConfirmation" => "AWS Notification - Subscription Confirmation",
            _ => "AWS Notification - Unsubscribe Confirmation",
        };
        Ok(Some(self.mailed(
            sender,
            Letter {
                id: self.random.uuid(),
                message: id,
                protocol: subscription.protocol.as_str().to_owned(),
                to: subscription.endpoint.clone(),
                subject: Some(subject.to_owned()),
                body,
                topic: Some(topic_arn.clone()),
                at_ms: now_ms,
            },
        )))
    }
}
