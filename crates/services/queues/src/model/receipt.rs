//! Receipt handles: which message, and which receive of it.
//!
//! The handle names the message's number and its random id, so that nobody makes one who has not seen the message, and a handle
//! of one queue opens nothing in another.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use super::QueueId;

/// What a handle says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The queue.
    pub queue: QueueId,
    /// The message's number in it.
    pub number: u64,
    /// The message's id.
    pub id: Uuid,
    /// The how-manieth receive it was.
    pub receive: u32,
}

/// Raised when the form changes; old handles are refused then, as handles end with their visibility time-out anyway.
const VERSION: u8 = 1;
const BYTES: usize = 1 + 8 + 8 + 16 + 4;

impl Receipt {
    /// The handle.
    pub fn to_handle(self) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(VERSION);
        bytes.extend(self.queue.0.to_be_bytes());
        bytes.extend(self.number.to_be_bytes());
        bytes.extend(self.id.as_bytes());
        bytes.extend(self.receive.to_be_bytes());
        STANDARD.encode(bytes)
    }

    /// Reads a handle; none if it is not one of ours.
    pub fn parse(handle: &str) -> Option<Self> {
        let bytes: [u8; BYTES] = STANDARD.decode(handle).ok()?.try_into().ok()?;
        let (version, rest) = bytes.split_first()?;
        let (queue, rest) = rest.split_first_chunk::<8>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (receive, _) = rest.split_first_chunk::<4>()?;
        (*version == VERSION).then(|| Self {
            queue: QueueId(u64::from_be_bytes(*queue)),
            number: u64::from_be_bytes(*number),
            id: Uuid::from_bytes(*id),
            receive: u32::from_be_bytes(*receive),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_read_back_and_others_are_not() {
        let receipt = Receipt { queue: QueueId(7), number: u64::MAX, id: Uuid::from_u128(5), receive: 3 };
        assert_eq!(Receipt::parse(&receipt.to_handle()), Some(receipt));
        for other in ["", "abc", "AAAA", "!", &STANDARD.encode([2; BYTES]), &STANDARD.encode([1; BYTES + 1])] {
            assert_eq!(Receipt::parse(other), None, "{other}");
        }
    }
}
