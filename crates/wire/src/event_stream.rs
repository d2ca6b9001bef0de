//! Event streams: bodies made of messages, one for each event, in the framing that AWS's clients read (`application/vnd.amazon.eventstream`).
//!
//! A message is its length and that of its headers, with a checksum over both; the headers, each a short name and a text; the
//! payload, of which clients take 16 MiB at most; and a checksum over all. An event is a member of the operation's union of events: the
//! member's name is the event's type, and what it holds is the payload, as bytes where the event is bytes, else in the protocol's own
//! form.
//!
//! In shapes such a body is a [`crate::Payload`], which the handler fills with what [`event`] makes. Nothing reads event streams: the
//! node only answers with them.

use bytes::{BufMut, Bytes, BytesMut};

use crate::server::{Role, rest_body};
use crate::{Protocol, Shape};

/// What such a body is.
pub const MEDIA_TYPE: &str = "application/vnd.amazon.eventstream";

/// The mark of a header whose value is text.
const TEXT: u8 = 7;
/// Two lengths and their checksum.
const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;

/// One event, of a union of which one member is set. Nothing if none is.
pub fn event(protocol: Protocol, events: &dyn Shape) -> Bytes {
    let Some((at, value)) = crate::writer::present(events).next() else { return Bytes::new() };
    let body = value.as_shape().and_then(|shape| rest_body(protocol, shape, "", Role::Answer));
    let headers = [(":message-type", "event"), (":event-type", at.wire)];
    match body {
        Some((payload, kind)) => {
            let [message, event] = headers;
            self::message(&[message, event, (":content-type", kind.as_str())], &payload)
        }
        None => message(&headers, &[]),
    }
}

/// A message of these headers. A value that is longer than a header can be is cut.
fn message(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut head = BytesMut::new();
    for (name, value) in headers {
        let value = &value[..value.floor_char_boundary(usize::from(u16::MAX))];
        head.put_u8(u8::try_from(name.len()).expect("the names are ours, and short"));
        head.put_slice(name.as_bytes());
        head.put_u8(TEXT);
        head.put_u16(u16::try_from(value.len()).expect("it was cut to fit"));
        head.put_slice(value.as_bytes());
    }
    let bytes = PRELUDE_BYTES + head.len() + payload.len() + CHECKSUM_BYTES;
    let mut all = BytesMut::with_capacity(bytes);
    all.put_u32(u32::try_from(bytes).expect("answers are far below 4 GiB"));
    all.put_u32(u32::try_from(head.len()).expect("headers are few and short"));
    all.put_u32(crc32fast::hash(&all));
    all.put_slice(&head);
    all.put_slice(payload);
    all.put_u32(crc32fast::hash(&all));
    all.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lambda::{
        InvokeResponseStreamUpdate, InvokeWithResponseStreamCompleteEvent, InvokeWithResponseStreamResponseEvent,
    };

    /// Takes a message apart again: its headers and its payload.
    fn read(message: &[u8]) -> (Vec<(String, String)>, Vec<u8>) {
        let number = |at: usize| u32::from_be_bytes(message[at..at + 4].try_into().expect("four bytes"));
        let (bytes, head) = (number(0) as usize, number(4) as usize);
        assert_eq!(bytes, message.len());
        assert_eq!(number(8), crc32fast::hash(&message[..8]));
        assert_eq!(number(bytes - 4), crc32fast::hash(&message[..bytes - 4]));
        let (mut headers, mut rest) = (Vec::new(), &message[12..12 + head]);
        while let Some((name, after)) = rest.split_first() {
            let (name, after) = after.split_at(usize::from(*name));
            assert_eq!(after[0], TEXT);
            let (value, after) = after[3..].split_at(usize::from(u16::from_be_bytes([after[1], after[2]])));
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it is text");
            headers.push((text(name), text(value)));
            rest = after;
        }
        (headers, message[12 + head..bytes - 4].to_vec())
    }

    #[test]
    fn events_are_messages() {
        type Event = InvokeWithResponseStreamResponseEvent;
        let complete = |code: Option<&str>| InvokeWithResponseStreamCompleteEvent {
            error_code: code.map(str::to_owned),
            ..InvokeWithResponseStreamCompleteEvent::default()
        };
        let chunk = InvokeResponseStreamUpdate { payload: Some(Bytes::from_static(b"abc")) };
        for (event, name, kind, payload) in [
            (Event::PayloadChunk(chunk), "PayloadChunk", "application/octet-stream", "abc"),
            (Event::InvokeComplete(complete(None)), "InvokeComplete", "application/json", "{}"),
            (
                Event::InvokeComplete(complete(Some("Unhandled"))),
                "InvokeComplete",
                "application/json",
                r#"{"ErrorCode":"Unhandled"}"#,
            ),
        ] {
            let (headers, found) = read(&super::event(Protocol::RestJson, &event));
            let expected = [(":message-type", "event"), (":event-type", name), (":content-type", kind)];
            assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
            assert_eq!(String::from_utf8_lossy(&found), payload);
        }
        assert!(super::event(Protocol::RestJson, &Event::Unset).is_empty());
    }

    #[test]
    fn what_is_too_long_for_a_header_is_cut() {
        let long = "ü".repeat(40_000);
        let (headers, payload) = read(&message(&[("name", &long)], b""));
        assert_eq!((headers[0].1.len(), payload.len()), (65_534, 0));
    }
}
