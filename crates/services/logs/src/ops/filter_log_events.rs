//! `FilterLogEvents`: many streams, interleaved in order of time, and what a pattern finds in them.
//!
//! A page that has looked through much returns what it found so far, perhaps nothing, with a token: clients go on until
//! there is none. The token is the position after which to go on. `interleaved` is ignored and `searchedLogStreams` is
//! empty, as at AWS since 2019 and 2020. The end of the time range is part of it, other than in `GetLogEvents`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::logs::{FilterLogEvents, FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent};

use super::names::{bad_token, count, either, either_resource, from_wire_ms, wire_ms};
use crate::error::Error;
use crate::model::{Collector, Direction, Position, ingested_ms};
use crate::pattern::Pattern;
use crate::store::{Query, Sought};
use crate::{Logs, scope};

impl Handle<FilterLogEvents> for Logs {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &FilterLogEventsRequest) -> Arn {
        either_resource(call, &input.log_group_name, &input.log_group_identifier)
    }

    async fn handle(&self, call: &Call, input: FilterLogEventsRequest) -> Result<FilterLogEventsResponse, Fault> {
        let name = either(call, &input.log_group_name, &input.log_group_identifier)?;
        let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default()).map_err(Error::from)?;
        let start: Option<Position> =
            input.next_token.as_deref().map(|token| token.parse().map_err(|_| bad_token())).transpose()?;
        let (snapshot, scope) = (self.archive.snapshot(), scope(call));
        let group = self.archive.group(&snapshot, &scope, name).await?;
        let sought = match (input.log_stream_names, input.log_stream_name_prefix) {
            (Some(_), Some(_)) => {
                let message = "LogStream name prefix and LogStream names are mutually exclusive parameters.";
                return Err(Error::Invalid(message.into()).into());
            }
            (Some(mut names), None) => {
                names.sort_unstable();
                names.dedup();
                let mut streams = Vec::with_capacity(names.len());
                for name in names {
                    let stream = self.archive.stream(&snapshot, &scope, group.id, &name).await?;
                    streams.push((stream.id, name));
                }
                Sought::Streams(streams)
            }
            (None, prefix) => Sought::Prefix(prefix.unwrap_or_default()),
        };
        let from_ms = input.start_time.map_or(0, from_wire_ms);
        let query = Query {
            group: group.id,
            sought,
            from_ms: from_ms.max(group.expired_before_ms(self.archive.now_ms())),
            until_ms: input.end_time.map_or(u64::MAX, |end| from_wire_ms(end).saturating_add(1)),
            start,
            direction: Direction::Forward,
            limit: count(input.limit, Collector::EVENTS_MAX),
            pattern: &pattern,
        };
        let found = self.archive.events(&snapshot, &scope, &query).await?;
        let events = found.events.into_iter().map(|event| FilteredLogEvent {
            log_stream_name: found.names.get(&event.position.stream).cloned(),
            timestamp: Some(wire_ms(event.position.time_ms)),
            ingestion_time: Some(wire_ms(ingested_ms(event.position.batch))),
            event_id: Some(event.position.to_string()),
            message: Some(event.message),
        });
        Ok(FilterLogEventsResponse {
            events: Some(events.collect()),
            searched_log_streams: Some(Vec::new()),
            next_token: found.next.map(|position| position.to_string()),
        })
    }
}
