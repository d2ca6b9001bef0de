//! `CreateLogStream`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::logs::{CreateLogStream, CreateLogStreamRequest};

use super::names::group_resource;
use crate::{Logs, scope};

impl Handle<CreateLogStream> for Logs {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateLogStreamRequest) -> Arn {
        group_resource(call, &input.log_group_name)
    }

    async fn handle(&self, call: &Call, input: CreateLogStreamRequest) -> Result<Empty, Fault> {
        self.archive.create_stream(&scope(call), &input.log_group_name, &input.log_stream_name).await?;
        Ok(Empty)
    }
}
