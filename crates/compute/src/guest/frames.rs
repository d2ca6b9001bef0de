//! Frames between compute and a managed guest: a header of twelve bytes, a small text, and a body passed through untouched.
//!
//! `kind, 0, 0, 0, text length (u32, little endian), body length (u32, little endian), text, body`. The guest is hostile: every
//! length is checked before anything is kept for it.

use std::io::Write;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

use super::RESPONSE_BYTES_MAX;
use crate::invocation::Invocation;

/// The length of a header.
pub(crate) const HEADER_BYTES: usize = 12;
/// What the longest deadline takes, with its divider.
const DEADLINE_BYTES_MAX: usize = 21;
/// The longest text of a guest's frame.
pub(crate) const TEXT_BYTES_MAX: usize = 4096;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To the guest: who you are. Text: the handler. Body: the environment as a JSON object.
    Init,
    /// To the guest: an invocation. Text: its facts, divided by NUL. Body: the event.
    Invoke,
    /// From the guest: initialised.
    Ready,
    /// From the guest: not initialised. Body: the error document.
    InitError,
    /// From the guest. Text: the request id, as with all answers. Body: the result.
    Result,
    /// From the guest: an answer. Body: the error document.
    Error,
    /// From the guest, which ends now: an answer. Body: the error document.
    Fatal,
    /// From the guest: an answer, because the result was too large to send.
    TooLarge,
    /// From the guest. Body: one event of the log.
    Log,
    /// From the guest. Body: text that it printed, not yet in lines.
    Text,
    /// From the guest: a piece of the result, before an answer.
    Piece,
}

const KINDS: [(u8, Kind); 11] = [
    (1, Kind::Init),
    (2, Kind::Invoke),
    (16, Kind::Ready),
    (17, Kind::InitError),
    (18, Kind::Result),
    (19, Kind::Error),
    (20, Kind::Fatal),
    (21, Kind::TooLarge),
    (22, Kind::Log),
    (23, Kind::Text),
    (24, Kind::Piece),
];

impl Kind {
    /// True if it belongs to a call, and says to which.
    pub(crate) fn is_answer(self) -> bool {
        matches!(self, Self::Piece | Self::Result | Self::Error | Self::Fatal | Self::TooLarge)
    }

    fn number(self) -> u8 {
        KINDS.iter().find(|(_, kind)| *kind == self).expect("every kind is in the table").0
    }
}

/// A frame that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) text: Bytes,
    pub(crate) body: Bytes,
}

/// What is wrong with bytes that are no frame.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame of the unknown kind {kind}")]
    Kind { kind: u8 },
    #[error("a frame with a text of {bytes} bytes, over {TEXT_BYTES_MAX}")]
    Text { bytes: usize },
    #[error("a frame with a body of {bytes} bytes, over {RESPONSE_BYTES_MAX}")]
    Body { bytes: usize },
}

/// The start of a frame whose body follows by itself.
pub(crate) fn head(kind: Kind, text: &[u8], body_bytes: usize) -> Bytes {
    let mut head = BytesMut::with_capacity(HEADER_BYTES + text.len());
    head.put_u32_le(u32::from(kind.number()));
    head.put_u32_le(u32::try_from(text.len()).expect("our texts are short"));
    head.put_u32_le(u32::try_from(body_bytes).expect("events are far below 4 GiB"));
    head.put_slice(text);
    head.freeze()
}

/// The start of an invocation; its payload follows by itself.
pub(crate) fn invoke(invocation: &Invocation, deadline_ms: i64) -> Bytes {
    let facts = facts(invocation);
    let mut head = BytesMut::with_capacity(invoke_bytes(invocation) - invocation.payload.len());
    head.put_slice(&[0; HEADER_BYTES]);
    for (at, fact) in facts.into_iter().enumerate() {
        if at > 0 {
            head.put_u8(0);
        }
        if at == 1 {
            write!((&mut head).writer(), "{deadline_ms}\0").expect("writing to memory does not fail");
        }
        head.put_slice(fact.as_bytes());
    }
    let text = u32::try_from(head.len() - HEADER_BYTES).expect("our texts are short");
    let body = u32::try_from(invocation.payload.len()).expect("events are far below 4 GiB");
    head[0..4].copy_from_slice(&u32::from(Kind::Invoke.number()).to_le_bytes());
    head[4..8].copy_from_slice(&text.to_le_bytes());
    head[8..12].copy_from_slice(&body.to_le_bytes());
    head.freeze()
}

/// How long an invocation is at most as a frame.
pub(crate) fn invoke_bytes(invocation: &Invocation) -> usize {
    let facts: usize = facts(invocation).iter().map(|fact| fact.len() + 1).sum();
    HEADER_BYTES + facts + DEADLINE_BYTES_MAX + invocation.payload.len()
}

/// The request id of an invocation that lies in one piece.
pub(crate) fn invoked(frame: &[u8]) -> Option<&str> {
    let text = frame.get(HEADER_BYTES..)?;
    let id = text.split(|byte| *byte == 0).next()?;
    std::str::from_utf8(id).ok()
}

/// What a guest is told beside the event and the deadline, which comes second.
fn facts(invocation: &Invocation) -> [&str; 5] {
    [
        &invocation.request_id,
        &invocation.invoked_arn,
        invocation.trace.as_deref().unwrap_or(""),
        invocation.client_context.as_deref().unwrap_or(""),
        invocation.cognito_identity.as_deref().unwrap_or(""),
    ]
}

/// Where a whole frame lies in the bytes that it begins.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) kind: Kind,
    pub(crate) text: Range<usize>,
    pub(crate) body: Range<usize>,
    /// Where the next begins.
    pub(crate) end: usize,
}

/// The frame with which the bytes begin, if it is all there. After an error nothing more can be understood.
pub(crate) fn find(bytes: &[u8]) -> Result<Option<Span>, FrameError> {
    let Some(span) = announced(bytes)? else {
        return Ok(None);
    };
    Ok((bytes.len() >= span.end).then_some(span))
}

/// The frame that the header at the front announces.
fn announced(bytes: &[u8]) -> Result<Option<Span>, FrameError> {
    if bytes.len() < HEADER_BYTES {
        return Ok(None);
    }
    let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let kind = KINDS
        .iter()
        .find(|(number, _)| u32::from(*number) == word(0))
        .map(|(_, kind)| *kind)
        .ok_or(FrameError::Kind { kind: bytes[0] })?;
    let (text, body) = (word(4) as usize, word(8) as usize);
    if text > TEXT_BYTES_MAX {
        return Err(FrameError::Text { bytes: text });
    }
    if body > RESPONSE_BYTES_MAX {
        return Err(FrameError::Body { bytes: body });
    }
    let body_at = HEADER_BYTES + text;
    let end = body_at + body;
    Ok(Some(Span { kind, text: HEADER_BYTES..body_at, body: body_at..end, end }))
}

/// Takes one frame off the front, if it is all there, and else makes room for it. After an error nothing more can be understood.
pub(crate) fn take(buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
    let Some(Span { kind, text, body, end }) = announced(buffer)? else {
        return Ok(None);
    };
    if buffer.len() < end {
        buffer.reserve(end - buffer.len());
        return Ok(None);
    }
    let frame = buffer.split_to(end).freeze();
    Ok(Some(Frame { kind, text: frame.slice(text), body: frame.slice(body) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Random;

    fn bytes(kind: u32, text: u32, body: u32, rest: &[u8]) -> BytesMut {
        let mut buffer = BytesMut::new();
        buffer.put_u32_le(kind);
        buffer.put_u32_le(text);
        buffer.put_u32_le(body);
        buffer.put_slice(rest);
        buffer
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        for (kind, text, body) in
            [(Kind::Result, &b""[..], &b"{}"[..]), (Kind::Invoke, b"a\0b", b""), (Kind::Ready, b"", b"")]
        {
            let mut whole = BytesMut::from(&head(kind, text, body.len())[..]);
            whole.put_slice(body);
            // Byte by byte, so that every cut is tried.
            let mut buffer = BytesMut::new();
            for (at, byte) in whole.iter().enumerate() {
                assert_eq!(take(&mut buffer), Ok(None), "at {at}");
                buffer.put_u8(*byte);
            }
            let frame = take(&mut buffer).unwrap().unwrap();
            assert_eq!((frame.kind, &frame.text[..], &frame.body[..]), (kind, text, body));
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn hostile_lengths_are_refused_before_anything_is_kept() {
        for (mut buffer, expected) in [
            (bytes(99, 0, 0, b""), FrameError::Kind { kind: 99 }),
            (bytes(0x1_0010, 0, 0, b""), FrameError::Kind { kind: 16 }),
            (bytes(18, 4097, 0, b""), FrameError::Text { bytes: 4097 }),
            (bytes(18, u32::MAX, u32::MAX, b""), FrameError::Text { bytes: u32::MAX as usize }),
            (bytes(18, 0, 6_291_557, b""), FrameError::Body { bytes: 6_291_557 }),
            (bytes(18, 0, u32::MAX, b""), FrameError::Body { bytes: u32::MAX as usize }),
        ] {
            assert_eq!(take(&mut buffer), Err(expected));
            assert!(buffer.capacity() < 1024);
        }
    }

    #[test]
    fn noise_never_panics_and_never_grows() {
        let random = Random::seeded(3);
        for _ in 0..20_000 {
            let mut noise = vec![0; random.below(64) as usize];
            random.fill(&mut noise);
            if noise.len() > 3 && random.below(2) == 0 {
                noise[..4].copy_from_slice(&[18, 0, 0, 0]);
            }
            let mut buffer = BytesMut::from(&noise[..]);
            while let Ok(Some(_)) = take(&mut buffer) {}
            assert!(buffer.capacity() <= HEADER_BYTES + TEXT_BYTES_MAX + 2 * RESPONSE_BYTES_MAX);
        }
    }
}
