//! Where guests print: [`Sink`]s, and how they look to WASI.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use base::ByteSize;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// The most that is taken from a guest at a time.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// Takes what a guest prints.
///
/// Bytes come in order, cut anywhere. A guest writes only when there is room, so that a sink says how much is kept; two streams of one
/// guest may each write up to 64 KiB at the same moment.
pub trait Sink: Send + Sync + 'static {
    /// Takes bytes. Must not block.
    fn write(&self, bytes: &[u8]) -> Result<(), SinkClosed>;

    /// Nothing if there is room; else what returns when there is. The guest's time goes on meanwhile.
    fn room(&self) -> Option<BoxFuture<'static, ()>> {
        None
    }
}

/// Nothing more is taken: the guest finds its stream closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkClosed;

/// Throws everything away.
#[derive(Clone, Copy, Debug)]
pub struct Discard;

impl Sink for Discard {
    fn write(&self, _: &[u8]) -> Result<(), SinkClosed> {
        Ok(())
    }
}

/// Keeps everything, up to a limit.
#[derive(Debug)]
pub struct Collect {
    limit: ByteSize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl Collect {
    /// Closes when there would be more than `limit`.
    pub fn new(limit: ByteSize) -> Self {
        Self { limit, kept: Mutex::new(Kept::default()) }
    }

    /// What came so far. An error if there was more than the limit.
    pub fn take(&self) -> Result<Vec<u8>, ByteSize> {
        let kept = std::mem::take(&mut *self.kept.lock().expect("nothing panics while it holds this lock"));
        if kept.overflowed { Err(self.limit) } else { Ok(kept.bytes) }
    }
}

impl Sink for Collect {
    fn write(&self, bytes: &[u8]) -> Result<(), SinkClosed> {
        let mut kept = self.kept.lock().expect("nothing panics while it holds this lock");
        if kept.overflowed || (kept.bytes.len() + bytes.len()) as u64 > self.limit.bytes() {
            kept.overflowed = true;
            return Err(SinkClosed);
        }
        kept.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

/// One of a guest's two streams. The sink behind it changes when an instance takes its next request.
#[derive(Clone)]
pub(crate) struct Output(Arc<Mutex<Arc<dyn Sink>>>);

impl Output {
    pub(crate) fn new(sink: Arc<dyn Sink>) -> Self {
        Self(Arc::new(Mutex::new(sink)))
    }

    /// From now on it goes there.
    pub(crate) fn redirect(&self, sink: Arc<dyn Sink>) {
        *self.0.lock().expect("nothing panics while it holds this lock") = sink;
    }

    fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.0.lock().expect("nothing panics while it holds this lock"))
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Writer { output: self.clone(), waiting: Mutex::new(None) })
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

/// As WASI 0.2 and preview 1 write.
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.sink().write(&bytes).map_err(|SinkClosed| StreamError::Closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(if self.sink().room().is_none() { WRITE_BYTES_MAX } else { 0 })
    }
}

/// What the `async_trait` of this trait asks for, written out: the macro is all that the crate would be used for.
impl Pollable for Output {
    fn ready<'this, 'future>(&'this mut self) -> BoxFuture<'future, ()>
    where
        'this: 'future,
    {
        Box::pin(async move {
            while let Some(room) = self.sink().room() {
                room.await;
            }
        })
    }
}

/// As WASI 0.3 writes.
struct Writer {
    output: Output,
    /// Behind a lock only because WASI wants this to be `Sync`.
    waiting: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sink = self.output.sink();
        {
            let mut waiting = self.waiting.lock().expect("nothing panics while it holds this lock");
            loop {
                if waiting.is_none() {
                    *waiting = sink.room();
                }
                let Some(room) = waiting.as_mut() else { break };
                ready!(room.as_mut().poll(cx));
                *waiting = None;
            }
        }
        let taken = &bytes[..bytes.len().min(WRITE_BYTES_MAX)];
        match sink.write(taken) {
            Ok(()) => Poll::Ready(Ok(taken.len())),
            Err(SinkClosed) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::AsyncWriteExt;
    use tokio::sync::Notify;

    use super::*;

    #[test]
    fn a_collection_ends_at_its_limit() {
        let sink = Collect::new(ByteSize(5));
        assert_eq!(sink.write(b"abc"), Ok(()));
        assert_eq!(sink.write(b"def"), Err(SinkClosed));
        assert_eq!(sink.write(b"d"), Err(SinkClosed), "nothing comes after a gap");
        assert_eq!(sink.take(), Err(ByteSize(5)));
        assert_eq!(sink.write(b"abcde"), Ok(()));
        assert_eq!(sink.take().unwrap(), b"abcde");
    }

    /// Has no room until it is told.
    #[derive(Default)]
    struct Slow {
        open: AtomicBool,
        opened: Arc<Notify>,
        collect: Mutex<Vec<u8>>,
    }

    impl Sink for Slow {
        fn write(&self, bytes: &[u8]) -> Result<(), SinkClosed> {
            assert!(self.open.load(Ordering::SeqCst), "nobody writes without room");
            self.collect.lock().unwrap().extend_from_slice(bytes);
            Ok(())
        }

        fn room(&self) -> Option<BoxFuture<'static, ()>> {
            if self.open.load(Ordering::SeqCst) {
                return None;
            }
            let opened = Arc::clone(&self.opened);
            Some(Box::pin(async move { opened.notified().await }))
        }
    }

    #[tokio::test]
    async fn guests_of_either_kind_wait_for_room() {
        let sink = Arc::new(Slow::default());
        let mut output = Output::new(Arc::clone(&sink) as Arc<dyn Sink>);
        assert_eq!(output.check_write().unwrap(), 0);
        let mut writer = Box::into_pin(output.async_stream());
        let later = async {
            tokio::task::yield_now().await;
            sink.open.store(true, Ordering::SeqCst);
            sink.opened.notify_one();
            sink.opened.notify_one();
        };
        let (written, ()) = tokio::join!(writer.write(b"three"), later);
        assert_eq!(written.unwrap(), 5);
        sink.opened.notify_one();
        output.ready().await;
        assert_eq!(output.check_write().unwrap(), WRITE_BYTES_MAX);
        output.write(Bytes::from_static(b" two")).unwrap();
        assert_eq!(*sink.collect.lock().unwrap(), b"three two");
    }
}
