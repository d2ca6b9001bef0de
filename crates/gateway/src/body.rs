//! A request's body, whole.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use contract::{Cause, Fault};
use http_body_util::BodyExt;

use crate::refusal::Refusal;
use crate::{BODY_BYTES_MAX, BodyError};

/// Reads all of it. A body that came in one piece is not copied.
pub(crate) async fn read<B>(body: B) -> Result<Bytes, Refusal>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<BodyError>,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    // Refused by its announcement, before any of it is read.
    let announced = body.size_hint().lower();
    if announced > BODY_BYTES_MAX as u64 {
        return Err(Refusal::TooLarge);
    }
    let mut body = pin!(body);
    let (mut first, mut whole) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(error.into()))?;
        // Trailers say nothing that a function could be told.
        let Ok(data) = frame.into_data() else { continue };
        let so_far = first.len() + whole.len();
        if so_far + data.len() > BODY_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        if so_far == 0 {
            first = data;
            continue;
        }
        if whole.is_empty() {
            whole.reserve((announced as usize).max(so_far + data.len()));
            whole.extend_from_slice(&first);
            first = Bytes::new();
        }
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// The door says what went wrong by a fault; anybody else's error is told as the client's doing.
fn broken(error: BodyError) -> Refusal {
    Refusal::Body(match error.downcast::<Fault>() {
        Ok(fault) => *fault,
        Err(error) => Fault::new(Cause::Invalid, "BadRequestException", format!("The body broke off: {error}.")),
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn frames(
        parts: Vec<Result<&'static str, BodyError>>,
    ) -> impl http_body::Body<Data = Bytes, Error = BodyError> + Send {
        let frames = parts.into_iter().map(|part| part.map(|text| Frame::data(Bytes::from_static(text.as_bytes()))));
        StreamBody::new(futures_util::stream::iter(frames.collect::<Vec<_>>()))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_or_refused() {
        for (parts, expected) in [
            (vec![], ""),
            (vec!["one"], "one"),
            (vec!["", "one"], "one"),
            (vec!["one", "", "two", "three"], "onetwothree"),
        ] {
            let body = frames(parts.into_iter().map(Ok).collect());
            assert_eq!(read(body).await.expect("whole"), expected);
        }
        let fault = Fault { status: Some(408), ..Fault::new(Cause::TimedOut, "RequestTimeout", "too slow") };
        let stalled = frames(vec![Ok("one"), Err(Box::new(fault.clone()))]);
        assert_eq!(read(stalled).await, Err(Refusal::Body(fault)));
        let Err(Refusal::Body(fault)) = read(frames(vec![Err("gone".into())])).await else { panic!("not refused") };
        assert_eq!(fault.message, "The body broke off: gone.");
    }

    #[tokio::test]
    async fn a_body_that_came_in_one_piece_is_not_copied() {
        let sent = Bytes::from(vec![b'x'; 100]);
        let read = read(Full::<Bytes>::new(sent.clone()).map_err(|never: Infallible| match never {})).await;
        assert_eq!(read.expect("whole").as_ptr(), sent.as_ptr());
    }
}
