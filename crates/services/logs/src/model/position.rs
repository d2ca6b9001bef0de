//! Where an event stands among all events of its group. The order is AWS's: by timestamp, then by ingestion.
//!
//! Positions are what tokens and event ids are made of, so their form is kept for ever.

use std::fmt;
use std::str::FromStr;

use super::StreamId;

/// The place of an event. Unique within its group, and never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The event's timestamp, in milliseconds.
    pub time_ms: u64,
    /// The number of the batch that it came with; unique within the stream.
    pub batch: u64,
    /// Its stream.
    pub stream: StreamId,
    /// Its number within the batch, from 1: so there is room before the first.
    pub index: u32,
}

const TIME_DIGITS: usize = 13;
const BATCH_DIGITS: usize = 20;
const STREAM_DIGITS: usize = 13;
const INDEX_DIGITS: usize = 10;

impl Position {
    /// How many digits its text has: as many as AWS's event ids.
    pub const DIGITS: usize = TIME_DIGITS + BATCH_DIGITS + STREAM_DIGITS + INDEX_DIGITS;

    /// The latest timestamp that a position can hold (the year 2286).
    pub const TIME_MS_MAX: u64 = 9_999_999_999_999;

    /// Before every event from `time_ms` on.
    pub fn start_of(time_ms: u64) -> Self {
        Self { time_ms: time_ms.min(Self::TIME_MS_MAX), batch: 0, stream: StreamId(0), index: 0 }
    }

    /// The gap right before this event.
    #[must_use]
    pub fn before(self) -> Self {
        Self { index: self.index.saturating_sub(1), ..self }
    }

    /// The gap right after this event, for those who look back from there.
    #[must_use]
    pub fn after(self) -> Self {
        Self { index: self.index.saturating_add(1), ..self }
    }
}

/// 56 digits, whose order is that of the positions.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:013}{:020}{:013}{:010}", self.time_ms, self.batch, self.stream.0, self.index)
    }
}

/// Not a position: a token or an id that we did not hand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position has 56 digits")]
pub struct PositionError;

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        if text.len() != Self::DIGITS || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PositionError);
        }
        let (time, rest) = text.split_at(TIME_DIGITS);
        let (batch, rest) = rest.split_at(BATCH_DIGITS);
        let (stream, index) = rest.split_at(STREAM_DIGITS);
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| PositionError);
        Ok(Self {
            time_ms: number(time)?,
            batch: number(batch)?,
            stream: StreamId(number(stream)?),
            index: index.parse().map_err(|_| PositionError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_order_agree() {
        let position =
            Position { time_ms: 1_700_000_000_123, batch: 1_700_000_000_456_789, stream: StreamId(7), index: 3 };
        let text = position.to_string();
        assert_eq!(text, "17000000001230000170000000045678900000000000070000000003");
        assert_eq!(text.parse(), Ok(position));
        let later = [
            Position { time_ms: position.time_ms + 1, batch: 0, ..position },
            Position { batch: position.batch + 1, index: 1, ..position },
            Position { stream: StreamId(8), index: 1, ..position },
            position.after(),
        ];
        for later in later {
            assert!(later > position && later.to_string() > text);
        }
        assert!(position.before() < position);
        assert!(
            Position::start_of(position.time_ms) < position && Position::start_of(u64::MAX).to_string().len() == 56
        );
    }

    #[test]
    fn other_texts_are_no_positions() {
        let too_large = format!("{}99999999999999999999{}", "0".repeat(13), "0".repeat(23));
        for text in ["", "1", "x", &"9".repeat(55), &"9".repeat(57), &"+".repeat(56), &too_large, &"é".repeat(28)] {
            assert_eq!(text.parse::<Position>(), Err(PositionError), "{text}");
        }
    }
}
