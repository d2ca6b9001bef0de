//! WASI 0.3: instances that answer many requests, one after the other or several at once.
//!
//! An instance is a task (`worker`). For each request that it has room for there is a token: idle ones lie with the service, the one
//! used last on top; a request takes one, is sent along with it, and the worker puts it back when there is room again. When the service
//! is gone, so are the tokens, and the instances end.

mod board;
mod worker;

pub(crate) use board::Spoiled;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use base::task::{self, Kind};
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use tokio::sync::{mpsc, oneshot};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::body::AnswerBody;
use crate::failure::{Failed, Failure};
use crate::guest::Guest;
use crate::meter::Ending;
use crate::service::Context;
use crate::settings::Limits;
use crate::supervise::deadline;

/// The instances of a service that have room.
#[derive(Clone, Default)]
pub(crate) struct Warm(Arc<Mutex<Vec<Token>>>);

/// The right to send an instance one more request.
type Token = mpsc::Sender<Job>;

/// A request on its way to an instance.
struct Job {
    work: Work,
    ending: Arc<Ending>,
    deadline: Instant,
    token: Token,
    reply: oneshot::Sender<Reply>,
}

/// What is asked, and within what limits.
struct Work {
    request: Request<WasiBody>,
    limits: Limits,
}

enum Reply {
    Answer(Response<WasiBody>, Spoiled),
    Failure(Failure),
    /// The instance ended before it looked at the request.
    Untouched(Work),
}

impl Warm {
    /// Has `request` answered by an instance that has room, or by a new one.
    pub(crate) async fn answer(
        &self,
        context: &Arc<Context>,
        program: &ServicePre<Guest>,
        request: Request<WasiBody>,
        limits: Limits,
        ending: Arc<Ending>,
    ) -> Result<Response<AnswerBody>, Failed> {
        let deadline = deadline(ending.meter.started(), limits.time);
        let failed = |failure| Failed { failure, usage: ending.meter.usage() };
        let time = limits.time;
        let mut work = Work { request: absolute(request), limits };
        loop {
            let (reply, replied) = oneshot::channel();
            let make = |token| Job { work, ending: Arc::clone(&ending), deadline, token, reply };
            self.send(context, program, make).map_err(failed)?;
            work = match replied.await {
                Ok(Reply::Answer(answer, spoiled)) => {
                    let ending = Arc::clone(&ending);
                    return Ok(answer.map(|body| match context.settings.concurrency {
                        0 | 1 => AnswerBody::streaming(body, ending),
                        _ => AnswerBody::limited(body, ending, time, spoiled),
                    }));
                }
                Ok(Reply::Failure(failure)) => return Err(failed(failure)),
                Ok(Reply::Untouched(work)) => work,
                // The task itself is gone: the node stops.
                Err(_) => return Err(failed(Failure::CutOff)),
            };
        }
    }

    fn send(
        &self,
        context: &Arc<Context>,
        program: &ServicePre<Guest>,
        make: impl FnOnce(Token) -> Job,
    ) -> Result<(), Failure> {
        let Some(token) = self.take() else { return self.start(context, program, make) };
        let sender = token.clone();
        // There is room for each token that there is.
        sender.try_send(make(token)).or_else(|error| {
            let (mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job)) = error;
            job.give_back();
            Ok(())
        })
    }

    /// Makes an instance, and has it begin with this job.
    fn start(
        &self,
        context: &Arc<Context>,
        program: &ServicePre<Guest>,
        make: impl FnOnce(Token) -> Job,
    ) -> Result<(), Failure> {
        let place = context.engine.place()?;
        let room = context.settings.concurrency.max(1);
        let (token, jobs) = mpsc::channel(room as usize);
        for _ in 1..room {
            self.put_back(token.clone());
        }
        let worker = worker::Worker::new(Arc::clone(context), program.clone(), Arc::downgrade(&self.0), jobs, place);
        task::spawn(Kind::Work, "wasm instance", worker.run(make(token)));
        Ok(())
    }

    /// The token of an instance that lives, used last.
    fn take(&self) -> Option<Token> {
        let mut tokens = self.0.lock().expect("nothing panics while it holds this lock");
        std::iter::from_fn(|| tokens.pop()).find(|token| !token.is_closed())
    }

    fn put_back(&self, token: Token) {
        self.0.lock().expect("nothing panics while it holds this lock").push(token);
    }

    /// Throws away tokens of instances that have ended.
    fn sweep(&self) {
        self.0.lock().expect("nothing panics while it holds this lock").retain(|token| !token.is_closed());
    }
}

impl Job {
    /// To whoever sent it: the instance has ended.
    fn give_back(self) {
        // Nobody has to wait for it any more.
        let _ = self.reply.send(Reply::Untouched(self.work));
    }
}

/// WASI 0.3 tells the guest its host by the URI alone.
fn absolute(mut request: Request<WasiBody>) -> Request<WasiBody> {
    let mut parts = request.uri().clone().into_parts();
    if parts.authority.is_some() {
        return request;
    }
    let host = request.headers().get(http::header::HOST);
    parts.authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    parts.scheme.get_or_insert(Scheme::HTTP);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}
