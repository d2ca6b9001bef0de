//! Bodies on their way into a guest and out of it, counted. None is gathered: each part waits for its reader.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::Sleep;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::failure::Failure;
use crate::meter::Ending;
use crate::shared::Spoiled;
use crate::supervise::deadline;

/// A request's body as a guest reads it.
pub(crate) fn into_guest<B>(body: B, ending: &Arc<Ending>) -> WasiBody
where
    B: Body<Data = Bytes> + Send + 'static,
{
    let ending = Arc::clone(ending);
    let counted = move |frame: Frame<Bytes>| {
        if let Some(data) = frame.data_ref() {
            ending.meter.bytes_in(data.len());
        }
        frame
    };
    // Why the caller's body broke off is nothing to a guest.
    body.map_frame(counted).map_err(|_| Error::ConnectionTerminated).boxed_unsync()
}

/// The body of a guest's answer. Dropping it tells the guest that nobody reads any more; it may go on without.
#[derive(Debug)]
pub struct AnswerBody {
    /// Parts that are here already.
    ready: VecDeque<Frame<Bytes>>,
    /// What is still to come, or nothing.
    rest: Option<WasiBody>,
    /// Let go at the end, so that the attempt may end before this is dropped.
    ending: Option<Arc<Ending>>,
    /// Where the guest goes on with other requests, and is therefore not ended: its time for this one.
    limit: Option<Limit>,
}

/// As much of an answer's body as is here.
pub(crate) struct Arrived {
    ready: VecDeque<Frame<Bytes>>,
    rest: Option<WasiBody>,
}

#[derive(Debug)]
struct Limit {
    time: Duration,
    alarm: Pin<Box<Sleep>>,
    spoiled: Spoiled,
}

/// Why an answer broke off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer broke off: {0}")]
pub struct BodyError(pub Failure);

impl Arrived {
    /// What is here. An error if the guest gave the body up.
    pub(crate) fn of(body: WasiBody) -> Result<Self, Failure> {
        let mut arrived = Self { ready: VecDeque::new(), rest: Some(body) };
        arrived.more()?;
        Ok(arrived)
    }

    /// Takes what has come since. An error if the guest has given it up.
    pub(crate) fn more(&mut self) -> Result<(), Failure> {
        let mut nobody = Context::from_waker(Waker::noop());
        while let Some(rest) = &mut self.rest {
            match Pin::new(rest).poll_frame(&mut nobody) {
                Poll::Ready(Some(Ok(frame))) => self.ready.push_back(frame),
                Poll::Ready(Some(Err(error))) => return Err(unfinished(&error)),
                Poll::Ready(None) => self.rest = None,
                // The guest has not ended it, or something of the host's writes it still.
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// Nothing is still to come.
    pub(crate) fn is_all(&self) -> bool {
        self.rest.is_none()
    }
}

impl AnswerBody {
    /// Of a guest that goes on.
    pub(crate) fn streaming(body: WasiBody, ending: Arc<Ending>) -> Self {
        Self { ready: VecDeque::new(), rest: Some(body), ending: Some(ending), limit: None }
    }

    /// Of a guest that has other requests as well, and is to get no more if this one takes too long.
    pub(crate) fn limited(body: WasiBody, ending: Arc<Ending>, time: Duration, spoiled: Spoiled) -> Self {
        let deadline = deadline(ending.meter.started(), time);
        let alarm = Box::pin(tokio::time::sleep_until(deadline.into()));
        Self { limit: Some(Limit { time, alarm, spoiled }), ..Self::streaming(body, ending) }
    }

    /// Of a guest that has ended: all of it is here, so that its length is known.
    pub(crate) fn complete(Arrived { ready, rest }: Arrived, ending: Arc<Ending>) -> Self {
        Self { ready, rest, ending: Some(ending), limit: None }
    }

    fn count(&self, frame: &Frame<Bytes>) {
        if let (Some(ending), Some(data)) = (&self.ending, frame.data_ref()) {
            ending.meter.bytes_out(data.len());
        }
    }

    /// Ready when its time is over, which then is why it ends.
    fn poll_too_long(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (Some(limit), Some(ending)) = (&mut self.limit, &self.ending) else { return Poll::Pending };
        ready!(limit.alarm.as_mut().poll(cx));
        limit.spoiled.set();
        ending.finish(Some(Failure::Time { limit: limit.time }));
        Poll::Ready(())
    }

    /// The end. It is a good one only if the guest did not fail: its streams close in either case.
    fn end(&mut self) -> Option<BodyError> {
        self.rest = None;
        let ending = self.ending.take()?;
        ending.failure().cloned().map(BodyError)
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(frame) = self.ready.pop_front() {
            self.count(&frame);
            return Poll::Ready(Some(Ok(frame)));
        }
        let next = match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        };
        let Poll::Ready(next) = next else {
            ready!(self.poll_too_long(cx));
            return Poll::Ready(self.end().map(Err));
        };
        Poll::Ready(match next {
            Some(Ok(frame)) => {
                self.count(&frame);
                Some(Ok(frame))
            }
            Some(Err(error)) => Some(Err(self.end().unwrap_or_else(|| BodyError(unfinished(&error))))),
            None => self.end().map(Err),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.ready.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let ready = self.ready.iter().filter_map(Frame::data_ref).map(|data| data.len() as u64).sum();
        match &self.rest {
            None => SizeHint::with_exact(ready),
            Some(rest) => {
                let rest = rest.size_hint();
                let mut hint = SizeHint::new();
                hint.set_lower(rest.lower().saturating_add(ready));
                if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(ready)) {
                    hint.set_upper(upper);
                }
                hint
            }
        }
    }
}

fn unfinished(error: &Error) -> Failure {
    Failure::Unfinished { reason: error.to_string() }
}
