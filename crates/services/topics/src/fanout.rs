//! From a message to its deliveries: who wants it, what it looks like there, and how it is brought.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::{Arn, Call, Region};
use delivery::{Acting, DeadLetter, Delivery, Fill, LaneId, Post, Retry, Sender, Task};
use serde_json::{Value, json};

use crate::Topics;
use crate::error::Error;
use crate::model::attribute;
use crate::model::envelope::{Envelope, Seal};
use crate::model::patience::DeliveryPolicy;
use crate::model::subscription::Subscription;
use crate::model::{Message, Patience, Protocol, Topic};
use crate::store::{Letter, Letters};
use crate::table::Hall;

/// The most bytes of deliveries that one transaction takes.
pub const BATCH_BYTES_MAX: usize = 6 << 20;
/// The most deliveries that one transaction takes.
pub const BATCH_COUNT_MAX: usize = 2_000;

/// The principal that deliveries act as.
pub(crate) const PRINCIPAL: &str = "sns.amazonaws.com";

/// What goes out.
#[derive(Clone, Debug)]
pub(crate) enum Out {
    /// To a program.
    Delivery(Box<Delivery>),
    /// To a person: it lies in the outbox, and somebody may send it on as mail.
    Letter(Box<Letter>, Option<Box<Delivery>>),
}

impl Out {
    fn bytes(&self) -> usize {
        match self {
            Self::Delivery(delivery) => {
                delivery.parcel.len()
                    + delivery.dead_letter.as_ref().and_then(|dead| dead.body.as_ref()).map_or(0, String::len)
            }
            Self::Letter(letter, mail) => letter.body.len() + mail.as_ref().map_or(0, |mail| mail.parcel.len()),
        }
    }

    /// Puts it in the transaction that makes it true.
    pub(crate) fn put(&self, tx: &::store::Transaction) {
        match self {
            Self::Delivery(delivery) => delivery::put(tx, delivery),
            Self::Letter(letter, mail) => {
                Letters::put(tx, letter);
                mail.iter().for_each(|mail| delivery::put(tx, mail));
            }
        }
    }
}

/// What a message looks like to the subscriptions of a topic, made once for all of them.
struct Looks<'a> {
    topic: &'a Topic,
    topic_arn: &'a str,
    message: &'a Message,
    seals: HashMap<&'a str, Option<Seal>>,
}

impl Topics {
    /// All that goes out for a message to a topic.
    pub(crate) async fn outs(&self, sender: &Sender, hall: &Hall, message: &Message) -> Result<Vec<Out>, Error> {
        let topic = hall.topic();
        let topic_arn = topic.arn();
        // The body as JSON, read once, and only if somebody asks.
        let body = std::cell::OnceCell::new();
        let read = || serde_json::from_str::<Value>(message.body.to("default")).ok();
        let wanted = hall.listeners(|one| {
            one.is_confirmed()
                && one.wishes.filter.as_ref().is_none_or(|filter| match filter.scope() {
                    crate::model::FilterScope::MessageAttributes => filter.wants(None, &message.attributes),
                    crate::model::FilterScope::MessageBody => {
                        filter.wants(body.get_or_init(read).as_ref(), &message.attributes)
                    }
                })
        });
        drop(body);
        let mut looks = Looks { topic: &topic, topic_arn: &topic_arn, message, seals: HashMap::new() };
        let mut outs = Vec::with_capacity(wanted.len());
        for subscription in &wanted {
            outs.extend(self.out(sender, &mut looks, subscription).await?);
        }
        Ok(outs)
    }

    /// Puts everything in transactions, as few as there may be; `first` is put in the first one.
    pub(crate) async fn commit(
        &self,
        outs: &[Out],
        first: impl Fn(&::store::Transaction) + Send + Sync,
    ) -> Result<(), Error> {
        let first = &first;
        let mut rest = outs;
        let mut is_first = true;
        while is_first || !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(BATCH_COUNT_MAX).take_while(|out| {
                bytes += out.bytes();
                bytes <= BATCH_BYTES_MAX
            });
            let count = fits.count().max(1).min(rest.len());
            let (batch, later) = rest.split_at(count);
            self.cellar
                .store
                .transact(|tx| async move {
                    if is_first {
                        first(&tx);
                    }
                    batch.iter().for_each(|out| out.put(&tx));
                    Ok::<_, Error>(())
                })
                .await?;
            (rest, is_first) = (later, false);
        }
        self.wrote_letters(outs.iter().filter(|out| matches!(out, Out::Letter(..))).count()).await;
        Ok(())
    }

    async fn out<'a>(
        &self,
        sender: &Sender,
        looks: &mut Looks<'a>,
        subscription: &Subscription,
    ) -> Result<Option<Out>, Error> {
        let message = looks.message;
        let text = message.body.to(subscription.protocol.as_str());
        let envelope =
            |this: &mut Looks<'a>, seal: Option<Seal>| Envelope { message, text, topic_arn: this.topic_arn, seal };
        Ok(match subscription.protocol {
            Protocol::Sqs if subscription.wishes.raw => {
                Some(to_queue(sender, looks, subscription, text.to_owned(), attribute::for_queue(&message.attributes)))
            }
            Protocol::Sqs => {
                let seal = self.seal(looks, text).await?;
                let body = envelope(looks, seal).json(&subscription.arn(), &subscription.base_url);
                Some(to_queue(sender, looks, subscription, body, json!({})))
            }
            Protocol::Lambda => {
                let seal = self.seal(looks, text).await?;
                let envelope = envelope(looks, seal);
                let event = envelope.event(&subscription.arn(), &subscription.base_url).to_string();
                let body = || envelope.json(&subscription.arn(), &subscription.base_url);
                Some(to_function(sender, message, subscription, &event, body))
            }
            Protocol::Http | Protocol::Https => {
                let raw = subscription.wishes.raw;
                let body = match raw {
                    true => text.to_owned(),
                    false => {
                        let seal = self.seal(looks, text).await?;
                        envelope(looks, seal).json(&subscription.arn(), &subscription.base_url)
                    }
                };
                let post = post(looks.topic, subscription, "Notification", &message.id.to_string(), body);
                let post = if raw { post.header("x-amz-sns-rawdelivery", "true") } else { post };
                Some(to_address(sender, looks.topic, subscription, message, post))
            }
            Protocol::Email | Protocol::EmailJson | Protocol::Sms => {
                let body = match subscription.protocol {
                    Protocol::EmailJson => {
                        let seal = self.seal(looks, text).await?;
                        envelope(looks, seal).json(&subscription.arn(), &subscription.base_url)
                    }
                    Protocol::Email => letter_text(text, subscription),
                    _ => text.to_owned(),
                };
                let subject = match subscription.protocol {
                    Protocol::Sms => None,
                    _ => Some(message.subject.clone().unwrap_or_else(|| "AWS Notification Message".to_owned())),
                };
                Some(self.letter(sender, message, subscription, subject, body))
            }
            Protocol::Application => self.push_out(sender, message, Some(subscription), &subscription.endpoint).await?,
        })
    }

    /// The signature of what a message says to a protocol: made once. Topics with order have none.
    async fn seal<'a>(&self, looks: &mut Looks<'a>, text: &'a str) -> Result<Option<Seal>, Error> {
        if looks.topic.is_fifo() {
            return Ok(None);
        }
        if let Some(seal) = looks.seals.get(text) {
            return Ok(seal.clone());
        }
        let signed = Envelope::signed_text(looks.message, text, looks.topic_arn);
        let seal = Some(self.sign(looks.topic, &signed).await?);
        looks.seals.insert(text, seal.clone());
        Ok(seal)
    }

    pub(crate) async fn sign(&self, topic: &Topic, text: &str) -> Result<Seal, Error> {
        self.signer().await?.seal(topic.settings.signature, text).map_err(|error| {
            tracing::error!(%error, "a message could not be signed");
            Error::Internal
        })
    }

    fn letter(
        &self,
        sender: &Sender,
        message: &Message,
        subscription: &Subscription,
        subject: Option<String>,
        body: String,
    ) -> Out {
        let letter = Letter {
            id: self.random.uuid(),
            message: message.id,
            protocol: subscription.protocol.as_str().to_owned(),
            to: subscription.endpoint.clone(),
            subject,
            body,
            topic: Some(subscription.topic_arn()),
            at_ms: message.published_ms,
        };
        match subscription.protocol {
            Protocol::Email | Protocol::EmailJson => self.mailed(sender, letter),
            _ => Out::Letter(Box::new(letter), None),
        }
    }

    /// A letter that is sent on as mail where there is somebody who does that.
    pub(crate) fn mailed(&self, sender: &Sender, letter: Letter) -> Out {
        let mail = self.mail.map(|carrier| {
            let parcel = serde_json::to_vec(&letter).expect("text and numbers are JSON");
            let lane = LaneId::any("mail", &letter.to);
            let delivery = Delivery::new(sender.clone(), lane, carrier, parcel.into());
            Box::new(Delivery { retry: retry(&Patience::PEOPLE), ..delivery })
        });
        Out::Letter(Box::new(letter), mail)
    }

    /// From where a publication comes.
    pub(crate) fn sender(&self, call: &Call) -> Sender {
        Sender::of(call, self.clock.now_ms())
    }
}

fn to_queue(sender: &Sender, looks: &Looks<'_>, subscription: &Subscription, body: String, attributes: Value) -> Out {
    let message = looks.message;
    let mut input = json!({ "QueueUrl": subscription.endpoint, "MessageBody": body });
    if attributes.as_object().is_some_and(|attributes| !attributes.is_empty()) {
        input["MessageAttributes"] = attributes;
    }
    if let Some(group) = &message.group {
        input["MessageGroupId"] = json!(group);
    }
    if let Some(id) = message.deduplication_id.as_ref().filter(|_| subscription.endpoint.ends_with(".fifo")) {
        input["MessageDeduplicationId"] = json!(id);
    }
    let lane = match &message.group {
        Some(group) if looks.topic.is_fifo() => {
            LaneId::in_order("subscription", format!("{} {group}", subscription.arn()))
        }
        Some(_) | None => LaneId::any("subscription", subscription.arn()),
    };
    let task = Task::new("sqs", "SendMessage", input, acting(subscription));
    Out::Delivery(Box::new(Delivery {
        retry: retry(&Patience::MANAGED),
        dead_letter: dead_letter(subscription, message, None),
        ..Delivery::call(at(sender, &subscription.endpoint), lane, &task)
    }))
}

fn to_function(
    sender: &Sender,
    message: &Message,
    subscription: &Subscription,
    event: &str,
    body: impl Fn() -> String,
) -> Out {
    let input = json!({
        "FunctionName": subscription.endpoint,
        "InvocationType": "Event",
        "Payload": STANDARD.encode(event),
    });
    let task = Task::new("lambda", "Invoke", input, acting(subscription));
    let body = subscription.wishes.dead_letters.as_ref().map(|_| body());
    let lane = LaneId::any("subscription", subscription.arn());
    Out::Delivery(Box::new(Delivery {
        retry: retry(&Patience::MANAGED),
        dead_letter: dead_letter(subscription, message, body),
        ..Delivery::call(at(sender, &subscription.endpoint), lane, &task)
    }))
}

fn to_address(sender: &Sender, topic: &Topic, subscription: &Subscription, message: &Message, post: Post) -> Out {
    let (patience, _) = DeliveryPolicy::effective(&topic.settings.delivery, &subscription.wishes.delivery);
    let lane = LaneId::any("subscription", subscription.arn());
    Out::Delivery(Box::new(Delivery {
        retry: retry(&patience),
        dead_letter: dead_letter(subscription, message, Some(post.body.clone())),
        ..Delivery::http(sender.clone(), lane, &post)
    }))
}

/// A request as SNS makes it.
pub(crate) fn post(topic: &Topic, subscription: &Subscription, kind: &str, id: &str, body: String) -> Post {
    let (_, content_type) = DeliveryPolicy::effective(&topic.settings.delivery, &subscription.wishes.delivery);
    let post = Post::new(subscription.endpoint.clone(), body)
        .header("Content-Type", content_type)
        .header("User-Agent", "Amazon Simple Notification Service Agent")
        .header("x-amz-sns-message-type", kind)
        .header("x-amz-sns-message-id", id)
        .header("x-amz-sns-topic-arn", topic.arn());
    match kind {
        "SubscriptionConfirmation" => post,
        _ => post.header("x-amz-sns-subscription-arn", subscription.arn()),
    }
}

/// As whom a subscription's deliveries are made.
fn acting(subscription: &Subscription) -> Acting {
    Acting::service(PRINCIPAL, subscription.topic_arn())
}

fn dead_letter(subscription: &Subscription, message: &Message, body: Option<String>) -> Option<DeadLetter> {
    let arn = subscription.wishes.dead_letters.clone()?;
    let attributes = vec![
        ("RequestID".to_owned(), Fill::Text(message.id.to_string())),
        ("ErrorCode".to_owned(), Fill::ErrorCode),
        ("ErrorMessage".to_owned(), Fill::ErrorMessage),
    ];
    let group = message.group.clone().filter(|_| arn.ends_with(".fifo"));
    Some(DeadLetter { arn, acting: acting(subscription), body, attributes, group })
}

/// A call to what lies in another region is made there.
fn at(sender: &Sender, arn: &str) -> Sender {
    let region = Arn::parse(arn).and_then(|arn| Region::parse(&arn.region));
    Sender { region: region.unwrap_or_else(|| sender.region.clone()), ..sender.clone() }
}

pub(crate) fn retry(patience: &Patience) -> Retry {
    let first = (0..patience.retries.min(200)).find_map(|retry| patience.wait(retry).filter(|wait| !wait.is_zero()));
    let last = patience.retries.checked_sub(1).and_then(|retry| patience.wait(retry));
    Retry {
        retries_max: patience.retries,
        age_max: patience.age_max(),
        wait_first: first.unwrap_or(Duration::from_secs(1)),
        wait_max: last.or(first).unwrap_or(Duration::from_secs(1)),
    }
}

/// What a letter for people says: the message, and how it ends.
fn letter_text(text: &str, subscription: &Subscription) -> String {
    let url = crate::model::envelope::unsubscribe_url(&subscription.arn(), &subscription.base_url);
    format!(
        "{text}\n\n--\nIf you wish to stop receiving notifications from this topic, please visit the link below:\n{url}\n"
    )
}
