//! `ListDeadLetterSourceQueues`: the queues whose dead letters come here.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sqs::{ListDeadLetterSourceQueues, ListDeadLetterSourceQueuesRequest, ListDeadLetterSourceQueuesResult};

use super::page::Asked;
use super::resource;
use crate::Queues;
use crate::model::Scope;

impl Handle<ListDeadLetterSourceQueues> for Queues {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListDeadLetterSourceQueuesRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(
        &self,
        call: &Call,
        input: ListDeadLetterSourceQueuesRequest,
    ) -> Result<ListDeadLetterSourceQueuesResult, Fault> {
        let scope = Scope::of(call);
        let arn = self.desk(&scope, &input.queue_url)?.queue().arn();
        let asked = Asked::read(input.next_token.as_deref(), input.max_results)?;
        let found = self.table.list(&scope, asked.after.as_deref(), asked.limit + 1, |queue| {
            queue.settings.redrive.as_ref().is_some_and(|redrive| redrive.target == arn)
        });
        let (names, next_token) = asked.cut(found.iter().map(|queue| queue.name.to_string()).collect());
        let queue_urls = names.iter().map(|name| scope.url(call.base_url(), name)).collect();
        Ok(ListDeadLetterSourceQueuesResult { queue_urls, next_token })
    }
}
