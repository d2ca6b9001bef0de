//! An answer that comes while the function makes it: its pieces are the body, as they are.
//!
//! What is said about it may stand before it, as Lambda has it: status, headers and cookies as a JSON object, and eight zero bytes. An
//! answer that begins otherwise is all body, with status 200. An answer that begins with JSON is held back until it is known which of
//! the two it is, for [`PRELUDE_BYTES_MAX`] at most.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Either};

use crate::reply::{self, Malformed};
use crate::{Body, BodyError, through};

/// The longest that can be said about an answer.
const PRELUDE_BYTES_MAX: usize = 64 << 10;
/// What stands between that and the answer.
const DIVIDER: [u8; 8] = [0; 8];

/// What the beginning of an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    /// What is said about it has so many bytes.
    Prelude(usize),
    Body,
    /// It takes more to know.
    Unknown,
}

/// The response, as soon as it begins. Its body ends early where the function fails.
pub(crate) async fn response(mut body: Body) -> Result<Response<Body>, Malformed> {
    let mut begun = BytesMut::new();
    let prelude = loop {
        match beginning(&begun) {
            Beginning::Prelude(bytes) => {
                let prelude = begun.split_to(bytes).freeze();
                begun.advance(DIVIDER.len());
                break Some(prelude);
            }
            Beginning::Body => break None,
            Beginning::Unknown => match body.frame().await {
                Some(Ok(frame)) => begun.extend_from_slice(&frame.into_data().unwrap_or_default()),
                // Whoever sends the body on hears of it again: it ends there.
                Some(Err(error)) => return Err(Malformed::Form(error.to_string())),
                None => break None,
            },
        }
    };
    let mut response = match prelude {
        Some(prelude) => reply::read_head(&prelude)?.map(|_| through::whole(Bytes::new())),
        None => {
            let mut response = Response::new(through::whole(Bytes::new()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            response
        }
    };
    let has_none = [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED];
    if !has_none.contains(&response.status()) {
        let joined = Joined { first: Some(begun.freeze()).filter(|first| !first.is_empty()), rest: body };
        *response.body_mut() = Either::Right(joined.boxed_unsync());
    }
    Ok(response)
}

fn beginning(bytes: &[u8]) -> Beginning {
    match bytes.first() {
        None => return Beginning::Unknown,
        Some(b'{') => {}
        Some(_) => return Beginning::Body,
    }
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<serde::de::IgnoredAny>();
    let is_long = bytes.len() > PRELUDE_BYTES_MAX + DIVIDER.len();
    match values.next() {
        Some(Ok(_)) => {
            let at = values.byte_offset();
            let rest = &bytes[at..];
            match rest.len() {
                _ if rest.starts_with(&DIVIDER) => Beginning::Prelude(at),
                length if length < DIVIDER.len() && DIVIDER.starts_with(rest) && !is_long => Beginning::Unknown,
                _ => Beginning::Body,
            }
        }
        Some(Err(error)) if error.is_eof() && !is_long => Beginning::Unknown,
        Some(Err(_)) | None => Beginning::Body,
    }
}

/// What was read already, and what is still to come.
struct Joined {
    first: Option<Bytes>,
    rest: Body,
}

impl http_body::Body for Joined {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None => Pin::new(&mut self.rest).poll_frame(cx).map_err(Into::into),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_said_need_not_be_everything() {
        for (said, status, header, cookie) in [
            (r#"{"statusCode":201,"headers":{"x-a":"b"}}"#, 201, Some("b"), None),
            (r#"{"headers":{"x-a":"b"},"cookies":["c=1"]}"#, 200, Some("b"), Some("c=1")),
            ("{}", 200, None, None),
        ] {
            let answer = format!("{said}\0\0\0\0\0\0\0\0body");
            let response = response(through::whole(answer.into())).await.expect("it is a response");
            let value = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            assert_eq!((response.status().as_u16(), value("x-a"), value("set-cookie")), (status, header, cookie));
            assert_eq!(response.into_body().collect().await.expect("it is whole").to_bytes(), "body");
        }
        let wrong = format!("{}\0\0\0\0\0\0\0\0", r#"{"statusCode":99}"#);
        assert_eq!(response(through::whole(wrong.into())).await.map(drop), Err(Malformed::Status(99)));
    }

    #[test]
    fn what_is_said_about_an_answer_is_told_from_the_answer() {
        let zeros = "\0\0\0\0\0\0\0\0";
        for (bytes, expected) in [
            (String::new(), Beginning::Unknown),
            ("text".into(), Beginning::Body),
            ("{\"statusCode\":200".into(), Beginning::Unknown),
            ("{}".into(), Beginning::Unknown),
            ("{}\0\0\0".into(), Beginning::Unknown),
            (format!("{{}}{zeros}"), Beginning::Prelude(2)),
            (format!("{{\"a\":{{}}}}{zeros}body"), Beginning::Prelude(8)),
            ("{}\n{}".into(), Beginning::Body),
            ("{]".into(), Beginning::Body),
            (format!("{{\"a\":\"{}", "x".repeat(PRELUDE_BYTES_MAX + 8)), Beginning::Body),
        ] {
            assert_eq!(beginning(bytes.as_bytes()), expected, "{}", &bytes[..bytes.len().min(40)]);
        }
    }
}
