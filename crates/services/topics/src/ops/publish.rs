//! `Publish`: a message to a topic, to one device, or to one phone. Acknowledged when all its deliveries are on disk.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sns::{Publish, PublishInput, PublishResponse};

use super::{everything, resource};
use crate::Topics;
use crate::desk::Published;
use crate::error::Error;
use crate::fanout::Out;
use crate::model::message::{Given, sequence_number};
use crate::model::protocol::is_phone;
use crate::model::{Message, Scope};
use crate::store::Letter;
use crate::table::Hall;

impl Handle<Publish> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &PublishInput) -> Arn {
        match input.topic_arn.as_deref().or(input.target_arn.as_deref()) {
            Some(arn) => resource(call, arn),
            None => everything(call),
        }
    }

    async fn handle(&self, call: &Call, input: PublishInput) -> Result<PublishResponse, Fault> {
        let scope = Scope::of(call);
        let given = Given {
            message: input.message,
            subject: input.subject,
            structure: input.message_structure,
            attributes: input.message_attributes,
            deduplication_id: input.message_deduplication_id,
            group: input.message_group_id,
        };
        let [topic, target, phone] =
            [input.topic_arn, input.target_arn, input.phone_number].map(|text| text.filter(|text| !text.is_empty()));
        let published = match (topic, target, phone) {
            (None, None, None) => {
                return Err(Error::because("TopicArn or TargetArn", "no value for required parameter").into());
            }
            (None, None, Some(phone)) => self.to_phone(&phone, given).await?,
            (None, Some(target), None) if target.contains(":endpoint/") => {
                self.to_device(call, &scope, &target, given).await?
            }
            (Some(arn), None, None) => self.to_topic(call, &*self.hall(&scope, "TopicArn", &arn)?, given).await?,
            (None, Some(arn), None) => self.to_topic(call, &*self.hall(&scope, "TargetArn", &arn)?, given).await?,
            _ => {
                let why = "Only one of TopicArn, TargetArn and PhoneNumber may be given";
                return Err(Error::because("TopicArn", why).into());
            }
        };
        Ok(PublishResponse {
            message_id: Some(published.id.to_string()),
            sequence_number: published.place.map(sequence_number),
        })
    }
}

impl Topics {
    /// Reads a message for a topic.
    pub(super) fn message_for(&self, hall: &Hall, given: Given) -> Result<Message, Error> {
        let topic = hall.topic();
        let text = if topic.is_fifo() { given.message.clone() } else { String::new() };
        let mut message = Message::read(given, self.random.uuid(), self.clock.now_ms())?;
        message.order(&topic, &text)?;
        Ok(message)
    }

    async fn to_topic(&self, call: &Call, hall: &Hall, given: Given) -> Result<Published, Error> {
        let message = self.message_for(hall, given)?;
        let sender = self.sender(call);
        if hall.topic().is_fifo() {
            let published = self.publish_in_order(&sender, hall, vec![message]).await;
            return published.into_iter().next().ok_or(Error::Internal)?;
        }
        let outs = self.outs(&sender, hall, &message).await?;
        if !outs.is_empty() {
            self.commit(&outs, |_| {}).await?;
        }
        Ok(Published { id: message.id, place: None })
    }

    async fn to_device(&self, call: &Call, scope: &Scope, arn: &str, given: Given) -> Result<Published, Error> {
        let message = Message::read(given, self.random.uuid(), self.clock.now_ms())?;
        let (application, endpoint) = self.device(scope, "TargetArn", arn).await.map_err(|error| match error {
            Error::EndpointMissing => Error::because("TargetArn", "No endpoint found for the target arn specified"),
            other => other,
        })?;
        if !application.is_enabled() {
            return Err(Error::ApplicationDisabled);
        }
        if !endpoint.enabled {
            return Err(Error::EndpointDisabled);
        }
        let out = self.push(&self.sender(call), &message, None, &application, &endpoint);
        self.commit(&[out], |_| {}).await?;
        Ok(Published { id: message.id, place: None })
    }

    async fn to_phone(&self, phone: &str, given: Given) -> Result<Published, Error> {
        if !is_phone(phone) {
            return Err(Error::because("PhoneNumber", format!("{phone} is not valid to publish to")));
        }
        let message = Message::read(given, self.random.uuid(), self.clock.now_ms())?;
        let letter = Letter {
            id: self.random.uuid(),
            message: message.id,
            protocol: "sms".to_owned(),
            to: phone.to_owned(),
            subject: None,
            body: message.body.to("sms").to_owned(),
            topic: None,
            at_ms: message.published_ms,
        };
        self.commit(&[Out::Letter(Box::new(letter), None)], |_| {}).await?;
        Ok(Published { id: message.id, place: None })
    }
}
