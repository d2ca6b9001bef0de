//! Bodies of requests and responses.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_lc_rs::digest;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

/// A response's body.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;
/// Why a body ended early.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body that is there already.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A request's body, as it comes. It ends with an error if the client stalls, or if its bytes are not those that were signed.
pub struct RequestBody {
    source: Source,
    stall_max: Duration,
    /// Made when the client is first waited for: most bodies are there with their head.
    stall: Option<Pin<Box<Sleep>>>,
    /// Bytes that came while it ran.
    progress: usize,
    signed: Option<Signed>,
}

/// What a client must send in the time that a body may stall: a byte now and then is no progress.
const PROGRESS_MIN: usize = 16 << 10;

enum Source {
    Live(Incoming),
    Whole(Option<Bytes>),
}

struct Signed {
    so_far: digest::Context,
    sha256: String,
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the body stalled: a client must send {PROGRESS_MIN} bytes in every {0:?}")]
    Stalled(Duration),
    #[error("the body is not the one that was signed: its SHA-256 is another")]
    NotSigned,
    #[error("the body broke off: {0}")]
    Broken(BodyError),
}

impl RequestBody {
    pub(crate) fn live(incoming: Incoming, stall_max: Duration) -> Self {
        Self { source: Source::Live(incoming), stall_max, stall: None, progress: 0, signed: None }
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { source: Source::Whole(Some(bytes)), stall_max: Duration::MAX, stall: None, progress: 0, signed: None }
    }

    /// The same, checked against the hash that was signed when it ends.
    pub(crate) fn signed(mut self, sha256: String) -> Self {
        self.signed = Some(Signed { so_far: digest::Context::new(&digest::SHA256), sha256 });
        self
    }

    /// All of it.
    pub(crate) async fn read(self, limit: usize) -> Result<Bytes, ReadError> {
        if http_body::Body::is_end_stream(&self) {
            return Ok(Bytes::new());
        }
        // Refused by its announcement, before any of it is read.
        if http_body::Body::size_hint(&self).lower() > limit as u64 {
            return Err(ReadError::TooLarge { limit });
        }
        match Limited::new(self, limit).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(ReadError::TooLarge { limit }),
            Err(error) => Err(match error.downcast::<ReadError>() {
                Ok(known) => *known,
                Err(other) => ReadError::Broken(other),
            }),
        }
    }

    fn poll_source(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let incoming = match &mut self.source {
            Source::Whole(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Live(incoming) => incoming,
        };
        if let Poll::Ready(frame) = http_body::Body::poll_frame(Pin::new(incoming), context) {
            if let Some(Ok(frame)) = &frame {
                self.progress += frame.data_ref().map_or(0, Bytes::len);
            }
            if self.progress >= PROGRESS_MIN {
                (self.progress, self.stall) = (0, None);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let stall =
            self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + self.stall_max)));
        ready!(stall.as_mut().poll(context));
        Poll::Ready(Some(Err(ReadError::Stalled(self.stall_max).into())))
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(self.poll_source(context));
        let Some(signed) = &mut self.signed else { return Poll::Ready(frame) };
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    signed.so_far.update(data);
                }
            }
            Some(Err(_)) => {}
            None => {
                let Some(Signed { so_far, sha256 }) = self.signed.take() else { return Poll::Ready(None) };
                if !hex::encode(so_far.finish()).eq_ignore_ascii_case(&sha256) {
                    return Poll::Ready(Some(Err(ReadError::NotSigned.into())));
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        // What was signed is known only at the end.
        self.signed.is_none()
            && match &self.source {
                Source::Live(incoming) => incoming.is_end_stream(),
                Source::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Live(incoming) => incoming.size_hint(),
            Source::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_was_not_signed_ends_with_an_error() {
        let hello = hex::encode(digest::digest(&digest::SHA256, b"hello"));
        let body = |text: &'static str| RequestBody::whole(Bytes::from_static(text.as_bytes()));
        assert_eq!(body("hello").signed(hello.clone()).read(5).await.ok().as_deref(), Some(&b"hello"[..]));
        assert!(matches!(body("hallo").signed(hello.clone()).read(5).await, Err(ReadError::NotSigned)));
        assert!(matches!(body("").signed(hello).read(5).await, Err(ReadError::NotSigned)));
        assert!(matches!(body("hello").read(4).await, Err(ReadError::TooLarge { limit: 4 })));
    }
}
