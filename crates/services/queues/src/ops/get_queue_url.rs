//! `GetQueueUrl`: the address of a queue, from its name.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sqs::{GetQueueUrl, GetQueueUrlRequest, GetQueueUrlResult};

use crate::Queues;
use crate::error::Error;
use crate::model::Scope;

impl Handle<GetQueueUrl> for Queues {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetQueueUrlRequest) -> Arn {
        Scope::of(call).arn(if input.queue_name.is_empty() { "*" } else { &input.queue_name })
    }

    async fn handle(&self, call: &Call, input: GetQueueUrlRequest) -> Result<GetQueueUrlResult, Fault> {
        let scope = Scope::of(call);
        let owner = input.queue_owner_aws_account_id.filter(|owner| !owner.is_empty());
        if owner.is_some_and(|owner| owner != scope.account.to_string()) {
            return Err(Error::QueueMissing.into());
        }
        self.table.get(&scope, &input.queue_name).ok_or(Error::QueueMissing)?;
        Ok(GetQueueUrlResult { queue_url: Some(scope.url(call.base_url(), &input.queue_name)) })
    }
}
