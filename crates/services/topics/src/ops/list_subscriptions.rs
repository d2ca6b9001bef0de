//! `ListSubscriptions`: of all topics, topic by topic.

use contract::{Arn, Call, Effect, Fault, Handle};
use uuid::Uuid;
use wire::sns::{ListSubscriptions, ListSubscriptionsInput, ListSubscriptionsResponse, Subscription as Shown};

use super::{everything, page};
use crate::Topics;
use crate::error::Error;
use crate::model::{Scope, Subscription};

impl Handle<ListSubscriptions> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &ListSubscriptionsInput) -> Arn {
        everything(call)
    }

    async fn handle(&self, call: &Call, input: ListSubscriptionsInput) -> Result<ListSubscriptionsResponse, Fault> {
        const HALLS: usize = 100;
        let scope = Scope::of(call);
        // The token is the ARN's end: topic and id.
        let (mut from, mut after) = match page::read(input.next_token.as_deref())? {
            None => (String::new(), None),
            Some(token) => {
                let wrong = || Error::because("NextToken", "Invalid or expired next token");
                let (topic, id) = token.split_once(':').ok_or_else(wrong)?;
                (topic.to_owned(), Some(Uuid::try_parse(id).map_err(|_| wrong())?))
            }
        };
        let mut found = Vec::new();
        'all: loop {
            let halls = self.table.list_from(&scope, &from, HALLS);
            for hall in &halls {
                let name = hall.topic().name.to_string();
                let skipped = after.take().filter(|_| name == from);
                found.extend(hall.shown(skipped, page::PAGE + 1 - found.len()));
                if found.len() > page::PAGE {
                    break 'all;
                }
            }
            match halls.last() {
                // The next name that there can be.
                Some(last) if halls.len() == HALLS => from = format!("{}\0", last.topic().name),
                Some(_) | None => break,
            }
        }
        let (found, next_token) = page::cut(found, |one| format!("{}:{}", one.topic, one.id));
        let subscriptions = found.iter().map(|one| show(one)).collect();
        Ok(ListSubscriptionsResponse { subscriptions: Some(subscriptions), next_token })
    }
}

/// As listings have it.
pub(super) fn show(subscription: &Subscription) -> Shown {
    let arn = if subscription.is_pending() { "PendingConfirmation".to_owned() } else { subscription.arn() };
    Shown {
        subscription_arn: Some(arn),
        owner: Some(subscription.scope.account.to_string()),
        protocol: Some(subscription.protocol.as_str().to_owned()),
        endpoint: Some(subscription.endpoint.clone()),
        topic_arn: Some(subscription.topic_arn()),
    }
}
