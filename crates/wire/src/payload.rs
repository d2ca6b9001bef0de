//! A body that need not be in memory at once: bytes that are there, or a stream that is read while it comes.
//!
//! In shapes it stands where a model says that a blob is streaming. A stream can be taken once, by whoever holds any clone of it.
//! Documents (JSON inside the node) carry bytes that are there; of a stream they say nothing, for nobody waits in them.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use contract::Fault;
use futures_util::Stream;

/// The pieces of a body. It ends early with the fault that the client is to be told.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Fault>> + Send>>;

/// A body.
#[derive(Clone)]
pub struct Payload(State);

#[derive(Clone)]
enum State {
    Whole(Bytes),
    Stream(Arc<Flow>),
}

struct Flow {
    stream: Mutex<Option<ByteStream>>,
    bytes: Option<u64>,
    trailers: Trailers,
    posted: bool,
}

/// What a client says after a body, such as a checksum that it knew only then. Empty until the body has ended.
#[derive(Clone, Debug, Default)]
pub struct Trailers(Arc<Mutex<Vec<(String, String)>>>);

impl Trailers {
    /// Adds one; the name in lower case.
    pub fn add(&self, name: String, value: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, value));
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

impl Payload {
    /// A stream of that many bytes, where it is known.
    pub fn stream(stream: ByteStream, bytes: Option<u64>) -> Self {
        Self::with_trailers(stream, bytes, Trailers::default())
    }

    /// The same, with trailers that are known when it has ended.
    pub fn with_trailers(stream: ByteStream, bytes: Option<u64>, trailers: Trailers) -> Self {
        Self(State::Stream(Arc::new(Flow { stream: Mutex::new(Some(stream)), bytes, trailers, posted: false })))
    }

    /// The file of a form, whose end is known when it is there.
    pub fn posted(stream: ByteStream) -> Self {
        let (stream, trailers) = (Mutex::new(Some(stream)), Trailers::default());
        Self(State::Stream(Arc::new(Flow { stream, bytes: None, trailers, posted: true })))
    }

    /// Whether it is the file of a form: of such objects another event is told.
    pub fn is_posted(&self) -> bool {
        match &self.0 {
            State::Whole(_) => false,
            State::Stream(flow) => flow.posted,
        }
    }

    /// The length, where it is known.
    pub fn bytes(&self) -> Option<u64> {
        match &self.0 {
            State::Whole(bytes) => Some(bytes.len() as u64),
            State::Stream(flow) => flow.bytes,
        }
    }

    /// The body, if it is there.
    pub fn whole(&self) -> Option<&Bytes> {
        match &self.0 {
            State::Whole(bytes) => Some(bytes),
            State::Stream(_) => None,
        }
    }

    /// The stream, if it is one that nobody has taken.
    pub fn take_stream(&self) -> Option<ByteStream> {
        match &self.0 {
            State::Whole(_) => None,
            State::Stream(flow) => flow.stream.lock().unwrap_or_else(PoisonError::into_inner).take(),
        }
    }

    /// What is said after the body.
    pub fn trailers(&self) -> Trailers {
        match &self.0 {
            State::Whole(_) => Trailers::default(),
            State::Stream(flow) => flow.trailers.clone(),
        }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self(State::Whole(bytes))
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

impl PartialEq for Payload {
    /// Two streams are equal if they are the same one.
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (State::Whole(one), State::Whole(two)) => one == two,
            (State::Stream(one), State::Stream(two)) => Arc::ptr_eq(one, two),
            (State::Whole(_), State::Stream(_)) | (State::Stream(_), State::Whole(_)) => false,
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes() {
            Some(bytes) => write!(f, "Payload({bytes} bytes)"),
            None => f.write_str("Payload(unknown length)"),
        }
    }
}
