//! WASI 0.2: an instance for each request, which ends with it; or with its last one, where the component's owner lets it answer several,
//! one after the other.

mod instance;

pub(crate) use instance::{Instance, Resting};

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use base::task::{self, Kind};
use http::{Request, Response};
use tokio::sync::oneshot::{self, error::TryRecvError};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

use crate::body::{AnswerBody, Arrived};
use crate::engine::Place;
use crate::failure::{self, Failed, Failure};
use crate::guest::Guest;
use crate::meter::Ending;
use crate::service::Context;
use crate::settings::Limits;
use crate::supervise::{Supervised, TimeUp};

/// What a guest gives: its answer, or an error instead.
type Given = Result<Response<WasiBody>, ErrorCode>;
/// How a guest's work ended. Its instance comes along, so that why it ended is known before its streams close; and its place, which is
/// free when the instance is.
type Worked = (wasmtime::Result<()>, Instance, Place);

/// Has `request` answered by an instance that rests, or by a new one.
///
/// The guest runs within this call until it has given the head of its answer. Most have written all of it by then and end with the
/// call; for others the work goes on in a task.
pub(crate) async fn answer(
    context: &Arc<Context>,
    program: &ProxyPre<Guest>,
    resting: &Resting,
    request: Request<WasiBody>,
    limits: Limits,
    ending: Arc<Ending>,
) -> Result<Response<AnswerBody>, Failed> {
    let place = context.engine.place().map_err(Failed::at_once)?;
    let (give, mut given) = oneshot::channel();
    let time = limits.time;
    let rested = resting.take(&limits, &ending);
    let work = {
        let (context, program, ending) = (Arc::clone(context), program.clone(), Arc::clone(&ending));
        async move {
            let mut instance = rested.unwrap_or_else(|| Instance::new(&context, &program, limits, ending));
            let worked = instance.answer(&program, request, give).await;
            (worked, instance, place)
        }
    };
    let mut supervised =
        Supervised::new(Box::pin(work), Arc::clone(context.engine.ticker()), Arc::clone(&ending), time);
    let first = poll_fn(|cx| {
        if let Poll::Ready(ended) = Pin::new(&mut supervised).poll(cx) {
            return Poll::Ready(First::Ended(ended));
        }
        match given.try_recv() {
            Ok(given) => Poll::Ready(First::Answered(given)),
            // It let go of its answer without giving one, and goes on: that is said when it has ended.
            Err(TryRecvError::Empty | TryRecvError::Closed) => Poll::Pending,
        }
    })
    .await;
    match first {
        First::Ended(ended) => {
            let (failure, instance) = conclude(&ending, ended, time);
            // It would count as somebody who has still to do with the attempt.
            drop(supervised);
            let usage = ending.meter.usage();
            let failed = |failure| Failed { failure, usage };
            let answer = match (failure, given.try_recv()) {
                (Some(failure), _) => Err(failure),
                (None, Ok(given)) => given.map_err(refused),
                (None, Err(TryRecvError::Empty | TryRecvError::Closed)) => Err(Failure::NoAnswer),
            };
            let (head, body) = answer.map_err(failed)?.into_parts();
            let mut arrived = Arrived::of(body).map_err(failed)?;
            let goes_on = |instance: &Instance| instance.taken() < context.settings.reuse_max_single;
            match instance.filter(|(instance, _)| arrived.is_all() && goes_on(instance)) {
                Some((instance, place)) => resting.keep(context, instance, place, &ending),
                // With the instance its streams are gone, and what it left unfinished is told from what is on its way.
                None => arrived.more().map_err(failed)?,
            }
            Ok(Response::from_parts(head, AnswerBody::complete(arrived, ending)))
        }
        First::Answered(given) => {
            let streaming = Arc::clone(&ending);
            let usage = ending.meter.usage();
            task::spawn(Kind::Work, "wasm guest", async move {
                // Kept until all is said, like its store: a guest that is late still holds its streams.
                let ended = (&mut supervised).await;
                conclude(&ending, ended, time);
            });
            let answer = given.map_err(|code| Failed { failure: refused(code), usage })?;
            Ok(answer.map(|body| AnswerBody::streaming(body, streaming)))
        }
    }
}

enum First {
    Ended(Result<Worked, TimeUp>),
    Answered(Given),
}

/// Says how the guest ended, and only then lets its streams close: who reads them learns why. Gives back an instance that ended well.
fn conclude(
    ending: &Ending,
    ended: Result<Worked, TimeUp>,
    time: Duration,
) -> (Option<Failure>, Option<(Instance, Place)>) {
    let (failure, instance) = match ended {
        Ok((Ok(()), instance, place)) => (None, Some((instance, place))),
        Ok((Err(error), instance, place)) => {
            let failure = failure::of_guest(&error, instance.memory().refused());
            // Programs that end by `exit(0)` after their answer have done well.
            let failure = Some(failure).filter(|failure| *failure != Failure::Exit { status: 0 });
            ending.finish(failure.clone());
            drop(instance);
            drop(place);
            return (failure, None);
        }
        Err(TimeUp) => (Some(Failure::Time { limit: time }), None),
    };
    ending.finish(failure.clone());
    (failure, instance)
}

fn refused(code: ErrorCode) -> Failure {
    Failure::Refused { code: code.to_string() }
}
