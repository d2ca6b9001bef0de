//! `DeleteLogStream`. Answers at once, however much there is; the background takes it away.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::logs::{DeleteLogStream, DeleteLogStreamRequest};

use super::names::stream_arn;
use crate::{Logs, scope};

impl Handle<DeleteLogStream> for Logs {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteLogStreamRequest) -> Arn {
        stream_arn(call, &input.log_group_name, &input.log_stream_name)
    }

    async fn handle(&self, call: &Call, input: DeleteLogStreamRequest) -> Result<Empty, Fault> {
        self.archive.delete_stream(&scope(call), &input.log_group_name, &input.log_stream_name).await?;
        Ok(Empty)
    }
}
