//! An invocation whose result is handed on while the function makes it.
//!
//! What the function never got to run for is a fault, as with any call: nothing is answered before there is a first piece, or the end.
//! Whoever goes away ends nothing: the attempt runs to its end. Whoever stays and does not read keeps nothing beyond the function's time
//! limit: from its first piece on the attempt runs by itself.

use std::io;
use std::sync::Arc;

use ::compute::{FunctionError, Invocation, Outcome, PieceReader, Pieces, RunFault};
use base::task::{self, Kind};
use bytes::Bytes;
use contract::{Call, Fault};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, Stream};
use tokio::sync::oneshot;

use crate::Functions;
use crate::active::{Active, Runner, Target};
use crate::invoke::{Event, fault_of, tell_failure};
use crate::name::Qualifier;

/// An invocation whose result comes in pieces.
pub struct Streaming {
    function: String,
    pub(crate) version: String,
    reader: PieceReader,
    /// A piece that was waited for.
    first: Option<Bytes>,
    state: State,
}

enum State {
    Runs(oneshot::Receiver<Result<Outcome, RunFault>>),
    /// Pieces may be left.
    Ended(Result<Outcome, RunFault>),
    Told,
}

/// What a caller is told next.
pub(crate) enum Part {
    /// A piece of the result.
    Piece(Bytes),
    /// That this was all.
    End(Ending),
}

/// How it ended.
pub(crate) struct Ending {
    /// The error's type and its document, if it is one.
    pub(crate) error: Option<(String, String)>,
    /// The end of the log, if it was wanted.
    pub(crate) log_tail: Option<Vec<u8>>,
}

/// How an invocation began to answer.
pub enum Begun {
    /// With all that it had to say.
    Whole(Outcome),
    /// With a first piece.
    Pieces(Streaming),
}

impl Functions {
    /// Invokes what an address led to, whose answer is wanted while it is made; for the gateway. Else as [`Functions::invoke_target`].
    pub async fn stream_target(&self, call: &Call, target: &Target, event: Event) -> Result<Begun, Fault> {
        let streaming = self.stream(call, &target.active, target.qualifier.as_ref(), event).await?;
        Ok(match streaming {
            Streaming { first: None, state: State::Ended(ended), .. } => {
                let outcome = ended.map_err(fault_of)?;
                if outcome.error.is_some() {
                    tell_failure(target.active.name.as_str(), &outcome.payload);
                }
                Begun::Whole(outcome)
            }
            pieces => Begun::Pieces(pieces),
        })
    }

    /// Runs one invocation, and answers when its result begins.
    pub(crate) async fn stream(
        &self,
        call: &Call,
        active: &Arc<Active>,
        qualifier: Option<&Qualifier>,
        event: Event,
    ) -> Result<Streaming, Fault> {
        let active = &self.renewed(active, qualifier).await?;
        let (runner, mut invocation) = self.admitted(call, active, qualifier, event)?;
        let (pieces, mut reader) = Pieces::new();
        invocation.pieces = Some(pieces);
        let invocation = Arc::new(invocation);
        let begun = match self.begin(runner, &invocation, &mut reader).await? {
            Err(RunFault::CodeMissing { .. }) => {
                self.unpack_again(runner).await?;
                self.begin(runner, &invocation, &mut reader).await?
            }
            begun => begun,
        };
        let (first, state) = begun.map_err(fault_of)?;
        let (function, version) = (active.name.to_string(), runner.version.clone());
        Ok(Streaming { function, version, reader, first, state })
    }

    /// Waits for a first piece, or the end.
    async fn begin(
        &self,
        runner: &Runner,
        invocation: &Arc<Invocation>,
        reader: &mut PieceReader,
    ) -> Result<Result<(Option<Bytes>, State), RunFault>, Fault> {
        let (compute, image) = (self.compute.clone(), Arc::clone(self.image(runner).await?));
        let invocation = Arc::clone(invocation);
        let mut run: BoxFuture<'static, _> = Box::pin(async move { compute.run(&image, invocation).await });
        Ok(tokio::select! {
            biased;
            Some(piece) = reader.next() => Ok((Some(piece), State::Runs(by_itself(run)))),
            // Both may have come at once.
            ended = &mut run => ended.map(|outcome| (reader.ready(), State::Ended(Ok(outcome)))),
        })
    }
}

/// Runs on whether anybody looks or not: who reads slowly must not keep it from noticing that its time is over.
fn by_itself(run: BoxFuture<'static, Result<Outcome, RunFault>>) -> oneshot::Receiver<Result<Outcome, RunFault>> {
    let (tell, told) = oneshot::channel();
    task::spawn(Kind::Work, "streamed invocation", async move {
        let _nobody_waits = tell.send(run.await);
    });
    told
}

impl Streaming {
    /// The pieces alone, for who is told no more of a failure than that they end early. Whoever runs the node is told of it.
    pub fn pieces(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        stream::unfold(Some(self), |streaming| async move {
            let mut streaming = streaming?;
            match streaming.next().await? {
                Part::Piece(piece) => Some((Ok(piece), Some(streaming))),
                Part::End(Ending { error: Some((kind, document)), .. }) => {
                    tell_failure(&streaming.function, &document.into());
                    let torn = io::Error::other(format!("the function failed in the middle of its answer: {kind}"));
                    Some((Err(torn), None))
                }
                Part::End(Ending { error: None, .. }) => None,
            }
        })
    }

    /// What comes next; nothing after the end.
    pub(crate) async fn next(&mut self) -> Option<Part> {
        if let Some(piece) = self.first.take() {
            return Some(Part::Piece(piece));
        }
        if let State::Runs(run) = &mut self.state {
            tokio::select! {
                biased;
                Some(piece) = self.reader.next() => return Some(Part::Piece(piece)),
                // It is cut off only where the node stops.
                ended = run => self.state = State::Ended(ended.unwrap_or(Err(RunFault::Stopping))),
            }
        }
        if let Some(piece) = self.reader.ready() {
            return Some(Part::Piece(piece));
        }
        match &mut self.state {
            // What was made as a whole is one piece.
            State::Ended(ended) => match ended {
                Ok(outcome) if outcome.error.is_none() && !outcome.payload.is_empty() => {
                    Some(Part::Piece(std::mem::take(&mut outcome.payload)))
                }
                Ok(_) | Err(_) => {
                    let State::Ended(ended) = std::mem::replace(&mut self.state, State::Told) else { return None };
                    Some(Part::End(Ending::of(ended)))
                }
            },
            State::Runs(_) | State::Told => None,
        }
    }
}

impl Ending {
    fn of(ended: Result<Outcome, RunFault>) -> Self {
        match ended {
            Ok(Outcome { error: None, log_tail, .. }) => Self { error: None, log_tail },
            Ok(Outcome { error: Some(error), payload, log_tail, .. }) => {
                let details = String::from_utf8_lossy(&payload).into_owned();
                Self { error: Some((error_type(&payload, error), details)), log_tail }
            }
            Err(fault) => {
                let fault = fault_of(fault);
                Self { error: Some((fault.code, fault.message)), log_tail: None }
            }
        }
    }
}

/// What an error document calls its error; else what is known of it.
fn error_type(document: &Bytes, error: FunctionError) -> String {
    #[derive(serde::Deserialize)]
    struct Document {
        #[serde(rename = "errorType")]
        error_type: String,
    }
    serde_json::from_slice::<Document>(document).map_or_else(|_| error.name().to_owned(), |found| found.error_type)
}
