//! `PutLogEvents`. On disk before the answer. Sequence tokens are accepted, whatever they say, and handed out, as AWS does
//! since 2023; so is an entity, which nothing here reads.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::logs::{PutLogEvents, PutLogEventsRequest, PutLogEventsResponse, RejectedLogEventsInfo};

use super::names::{from_wire_ms, stream_arn};
use crate::error::Error;
use crate::lines::Lines;
use crate::model::{Input, Position, Rejected, admit};
use crate::store::{Append, Missing};
use crate::{Logs, scope};

impl Handle<PutLogEvents> for Logs {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &PutLogEventsRequest) -> Arn {
        stream_arn(call, &input.log_group_name, &input.log_stream_name)
    }

    async fn handle(&self, call: &Call, input: PutLogEventsRequest) -> Result<PutLogEventsResponse, Fault> {
        let (scope, snapshot) = (scope(call), self.archive.snapshot());
        let group = self.archive.group(&snapshot, &scope, &input.log_group_name).await?;
        let stream = self.archive.stream(&snapshot, &scope, group.id, &input.log_stream_name).await?;
        let mut events: Vec<Input> = input
            .log_events
            .into_iter()
            .map(|event| Input { time_ms: from_wire_ms(event.timestamp), message: event.message })
            .collect();
        let now_ms = self.archive.now_ms();
        let admitted = admit(&events, now_ms, group.expired_before_ms(now_ms)).map_err(Error::from)?;
        let taken = events.drain(admitted.taken);
        let lines: Lines = taken.map(|Input { time_ms, message }| (time_ms, message)).collect();
        let last = if lines.is_empty() {
            Position { time_ms: now_ms, batch: 0, stream: stream.id, index: 0 }
        } else {
            let (group, stream) = (input.log_group_name, input.log_stream_name);
            let batch = Append { scope, group, stream, missing: Missing::Refuse, lines };
            // The intake answers every batch that it took.
            self.intake.submit(batch).await?.await.unwrap_or(Err(Error::Closed))?
        };
        Ok(PutLogEventsResponse {
            next_sequence_token: Some(last.to_string()),
            rejected_log_events_info: admitted.rejected.map(wire_rejected),
            rejected_entity_info: None,
        })
    }
}

fn wire_rejected(rejected: Rejected) -> RejectedLogEventsInfo {
    let index = |index: Option<usize>| index.and_then(|index| i32::try_from(index).ok());
    RejectedLogEventsInfo {
        too_new_log_event_start_index: index(rejected.too_new_start),
        too_old_log_event_end_index: index(rejected.too_old_end),
        expired_log_event_end_index: index(rejected.expired_end),
    }
}
