//! `GetLogEvents`: one stream, from either end, forward and backward.
//!
//! A token is a gap between two events and the direction to go from there: `f/` and `b/`, then a position. There always
//! are two tokens; at the end of the stream the one that was given comes back, which is how clients know. Tokens do not
//! expire. The direction of a token counts, whatever `startFromHead` says.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::logs::{GetLogEvents, GetLogEventsRequest, GetLogEventsResponse, OutputLogEvent};

use super::names::{bad_token, count, either, from_wire_ms, stream_arn, wire_ms};
use crate::error::Error;
use crate::model::{Collector, Direction, Event, Position, ingested_ms};
use crate::pattern::Pattern;
use crate::store::{Query, Sought};
use crate::{Logs, scope};

impl Handle<GetLogEvents> for Logs {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetLogEventsRequest) -> Arn {
        let group = either(call, &input.log_group_name, &input.log_group_identifier).unwrap_or("*");
        stream_arn(call, group, &input.log_stream_name)
    }

    async fn handle(&self, call: &Call, input: GetLogEventsRequest) -> Result<GetLogEventsResponse, Fault> {
        let name = either(call, &input.log_group_name, &input.log_group_identifier)?;
        let token = input.next_token.as_deref().map(Token::parse).transpose()?;
        let (snapshot, scope) = (self.archive.snapshot(), scope(call));
        let group = self.archive.group(&snapshot, &scope, name).await?;
        let stream = self.archive.stream(&snapshot, &scope, group.id, &input.log_stream_name).await?;
        let direction = match token {
            Some(token) => token.direction,
            None if input.start_from_head == Some(true) => Direction::Forward,
            None => Direction::Backward,
        };
        let from_ms = input.start_time.map_or(0, from_wire_ms);
        let query = Query {
            group: group.id,
            sought: Sought::Streams(vec![(stream.id, stream.name)]),
            from_ms: from_ms.max(group.expired_before_ms(self.archive.now_ms())),
            until_ms: input.end_time.map_or(u64::MAX, from_wire_ms),
            start: token.map(|token| token.gap),
            direction,
            limit: count(input.limit, Collector::EVENTS_MAX),
            pattern: &Pattern::EVERYTHING,
        };
        let found = self.archive.events(&snapshot, &scope, &query).await?;
        let (backward, forward) = around(&found.events, token);
        Ok(GetLogEventsResponse {
            events: Some(found.events.into_iter().map(output).collect()),
            next_forward_token: Some(forward.to_string()),
            next_backward_token: Some(backward.to_string()),
        })
    }
}

/// The tokens on both sides of a page.
fn around(events: &[Event], given: Option<Token>) -> (Token, Token) {
    let (before, after) = match (events.first(), events.last(), given) {
        (Some(first), Some(last), _) => (first.position, last.position),
        // Nothing there: both sides are the gap that was asked from. Whoever turns around sees the event at its edge.
        (_, _, Some(Token { direction: Direction::Forward, gap })) => (gap.after(), gap),
        (_, _, Some(Token { direction: Direction::Backward, gap })) => (gap, gap.before()),
        // Nothing at all: whatever comes, comes after this.
        (_, _, None) => (Position::start_of(0), Position::start_of(0)),
    };
    (Token { direction: Direction::Backward, gap: before }, Token { direction: Direction::Forward, gap: after })
}

fn output(event: Event) -> OutputLogEvent {
    OutputLogEvent {
        timestamp: Some(wire_ms(event.position.time_ms)),
        ingestion_time: Some(wire_ms(ingested_ms(event.position.batch))),
        message: Some(event.message),
    }
}

#[derive(Clone, Copy, Debug)]
struct Token {
    direction: Direction,
    gap: Position,
}

impl Token {
    fn parse(text: &str) -> Result<Self, Error> {
        let (direction, digits) = match text.split_at_checked(2) {
            Some(("f/", digits)) => (Direction::Forward, digits),
            Some(("b/", digits)) => (Direction::Backward, digits),
            Some(_) | None => return Err(bad_token()),
        };
        Ok(Self { direction, gap: digits.parse().map_err(|_| bad_token())? })
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letter = match self.direction {
            Direction::Forward => 'f',
            Direction::Backward => 'b',
        };
        write!(f, "{letter}/{}", self.gap)
    }
}
