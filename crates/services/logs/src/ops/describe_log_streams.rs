//! `DescribeLogStreams`: in order of names, or of the latest event.
//!
//! `storedBytes` is always 0, as it is at AWS since 2019.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::logs::{DescribeLogStreams, DescribeLogStreamsRequest, DescribeLogStreamsResponse, LogStream, OrderBy};

use super::names::{bad_token, count, either, either_resource, read_token, stream_arn, token, wire_ms};
use crate::error::Error;
use crate::model::{Direction, Position, Stream, ingested_ms};
use crate::store::StreamOrder;
use crate::{Logs, scope};

const LIMIT_DEFAULT: usize = 50;

impl Handle<DescribeLogStreams> for Logs {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &DescribeLogStreamsRequest) -> Arn {
        either_resource(call, &input.log_group_name, &input.log_group_identifier)
    }

    async fn handle(&self, call: &Call, input: DescribeLogStreamsRequest) -> Result<DescribeLogStreamsResponse, Fault> {
        let name = either(call, &input.log_group_name, &input.log_group_identifier)?;
        let order = order(&input)?;
        let direction = if input.descending == Some(true) { Direction::Backward } else { Direction::Forward };
        let (snapshot, scope) = (self.archive.snapshot(), scope(call));
        let group = self.archive.group(&snapshot, &scope, name).await?;
        let limit = count(input.limit, LIMIT_DEFAULT);
        let list = self.archive.streams(&snapshot, &scope, group.id, &order, direction, limit).await?;
        let next_token = list.streams.last().filter(|_| list.has_more).map(|last| {
            let time_ms = last.span.map_or(0, |span| span.last_ms);
            token(&match order {
                StreamOrder::Name { .. } => format!("n/{}", last.name),
                StreamOrder::LastEvent { .. } => format!("t/{time_ms}/{}", last.name),
            })
        });
        let log_streams = list.streams.into_iter().map(|stream| described(call, name, stream)).collect();
        Ok(DescribeLogStreamsResponse { log_streams: Some(log_streams), next_token })
    }
}

fn order(input: &DescribeLogStreamsRequest) -> Result<StreamOrder, Error> {
    let after = input.next_token.as_deref().map(read_token).transpose()?;
    let by_time = input.order_by == Some(OrderBy::LastEventTime);
    match (by_time, &input.log_stream_name_prefix) {
        (true, Some(_)) => Err(Error::Invalid("Cannot order by LastEventTime with a logStreamNamePrefix.".into())),
        (true, None) => {
            let place = |text: String| {
                let (time, name) = text.strip_prefix("t/")?.split_once('/')?;
                Some((time.parse().ok()?, name.to_owned()))
            };
            let after = after.map(|text| place(text).ok_or_else(bad_token)).transpose()?;
            Ok(StreamOrder::LastEvent { after })
        }
        (false, prefix) => {
            let place = |text: String| text.strip_prefix("n/").map(str::to_owned).ok_or_else(bad_token);
            let after = after.map(place).transpose()?;
            Ok(StreamOrder::Name { prefix: prefix.clone().unwrap_or_default(), after })
        }
    }
}

fn described(call: &Call, group: &str, stream: Stream) -> LogStream {
    let arn = Some(stream_arn(call, group, &stream.name).to_string());
    let token = |batch| Position { time_ms: ingested_ms(batch), batch, stream: stream.id, index: 0 }.to_string();
    LogStream {
        log_stream_name: Some(stream.name),
        creation_time: Some(wire_ms(stream.created_ms)),
        first_event_timestamp: stream.span.map(|span| wire_ms(span.first_ms)),
        last_event_timestamp: stream.span.map(|span| wire_ms(span.last_ms)),
        last_ingestion_time: stream.span.map(|span| wire_ms(ingested_ms(span.last_batch))),
        upload_sequence_token: stream.span.map(|span| token(span.last_batch)),
        arn,
        stored_bytes: Some(0),
    }
}
