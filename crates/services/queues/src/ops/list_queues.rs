//! `ListQueues`: the addresses of queues whose names begin so.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sqs::{ListQueues, ListQueuesRequest, ListQueuesResult};

use super::page::Asked;
use crate::Queues;
use crate::model::Scope;

impl Handle<ListQueues> for Queues {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &ListQueuesRequest) -> Arn {
        Scope::of(call).arn("*")
    }

    async fn handle(&self, call: &Call, input: ListQueuesRequest) -> Result<ListQueuesResult, Fault> {
        let scope = Scope::of(call);
        let asked = Asked::read(input.next_token.as_deref(), input.max_results)?;
        let prefix = input.queue_name_prefix.unwrap_or_default();
        let found = self
            .table
            .list(&scope, asked.after.as_deref(), asked.limit + 1, |queue| queue.name.as_str().starts_with(&prefix));
        let (names, next_token) = asked.cut(found.iter().map(|queue| queue.name.to_string()).collect());
        let urls: Vec<String> = names.iter().map(|name| scope.url(call.base_url(), name)).collect();
        Ok(ListQueuesResult { queue_urls: (!urls.is_empty()).then_some(urls), next_token })
    }
}
