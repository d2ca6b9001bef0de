//! WASI 0.2: an instance for each request, which ends with it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use base::task::{self, Kind};
use http::{Request, Response};
use tokio::sync::oneshot::{self, error::TryRecvError};
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

use crate::body::AnswerBody;
use crate::engine::Place;
use crate::failure::{self, Failed, Failure};
use crate::guest::{self, Guest, HasMemory};
use crate::memory::Memory;
use crate::meter::Ending;
use crate::output::Output;
use crate::service::Context;
use crate::settings::Limits;
use crate::supervise::{Supervised, TimeUp};

/// What a guest gives: its answer, or an error instead.
type Given = Result<Response<WasiBody>, ErrorCode>;
/// How a guest's work ended. Its store comes along, so that why it ended is known before its streams close; and its place, which is
/// free when the store is.
type Worked = (wasmtime::Result<()>, Store<Guest>, Place);

/// Has `request` answered by a new instance.
///
/// The guest runs within this call until it has given the head of its answer. Most have written all of it by then and end with the
/// call; for others the work goes on in a task.
pub(crate) async fn answer(
    context: &Arc<Context>,
    program: &ProxyPre<Guest>,
    request: Request<WasiBody>,
    limits: Limits,
    ending: Arc<Ending>,
) -> Result<Response<AnswerBody>, Failed> {
    let place = context.engine.place().map_err(Failed::at_once)?;
    let (give, mut given) = oneshot::channel();
    let time = limits.time;
    let work = {
        let (context, program, ending) = (Arc::clone(context), program.clone(), Arc::clone(&ending));
        async move {
            let mut store = store(&context, &program, limits, ending);
            let worked = work(&program, &mut store, request, give).await;
            (worked, store, place)
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
            let failure = conclude(&ending, ended, time);
            let usage = ending.meter.usage();
            let failed = |failure| Failed { failure, usage };
            let answer = match (failure, given.try_recv()) {
                (Some(failure), _) => Err(failure),
                (None, Ok(given)) => given.map_err(refused),
                (None, Err(TryRecvError::Empty | TryRecvError::Closed)) => Err(Failure::NoAnswer),
            };
            let (head, body) = answer.map_err(failed)?.into_parts();
            Ok(Response::from_parts(head, AnswerBody::complete(body, ending).map_err(failed)?))
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

/// A store for one instance.
pub(crate) fn store(context: &Context, program: &ProxyPre<Guest>, limits: Limits, ending: Arc<Ending>) -> Store<Guest> {
    let settings = &context.settings;
    let wasi = guest::wasi(settings, Output::new(limits.stdout), Output::new(limits.stderr)).build();
    let memory = Memory::new(Arc::clone(context.engine.budget()), settings, ending);
    guest::store(program.engine(), Guest::new(memory, wasi, Arc::clone(&context.reach)))
}

async fn work(
    program: &ProxyPre<Guest>,
    store: &mut Store<Guest>,
    request: Request<WasiBody>,
    give: oneshot::Sender<Given>,
) -> wasmtime::Result<()> {
    let proxy = program.instantiate_async(&mut *store).await?;
    let scheme = match request.uri().scheme_str() {
        Some("https") => Scheme::Https,
        _ => Scheme::Http,
    };
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(scheme, request)?;
    let out = http.new_response_outparam(give)?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, out).await
}

/// Says how the guest ended, and only then lets its streams close: who reads them learns why.
fn conclude(ending: &Ending, ended: Result<Worked, TimeUp>, time: Duration) -> Option<Failure> {
    let failure = match &ended {
        Ok((Ok(()), ..)) => None,
        Ok((Err(error), store, _)) => {
            let failure = failure::of_guest(error, store.data().memory().refused());
            // Programs that end by `exit(0)` after their answer have done well.
            Some(failure).filter(|failure| *failure != Failure::Exit { status: 0 })
        }
        Err(TimeUp) => Some(Failure::Time { limit: time }),
    };
    ending.finish(failure.clone());
    if let Ok((_, store, place)) = ended {
        drop(store);
        drop(place);
    }
    failure
}

fn refused(code: ErrorCode) -> Failure {
    Failure::Refused { code: code.to_string() }
}
