//! One call of an in-process function, from its place to REPORT.
//!
//! The guest runs within the caller's own task, so that a quick one costs no wake-up. A caller may go away at any time; then the rest of
//! the attempt goes on in a task of its own, to its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use base::ByteSize;
use base::task::{Kind, Tasks};
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::Response;
use http_body_util::BodyExt;
use wasm::{AnswerBody, Component, Failure, Limits, Run, Service, Usage};

use crate::attempt::billed;
use crate::faults::Ending;
use crate::guest::http::Conversation;
use crate::guest::http::conversation::{Caller, Gone, Opening};
use crate::guest::http::event::{self, Form};
use crate::guest::{Event, RESPONSE_BYTES_MAX};
use crate::image::Image;
use crate::invocation::{FunctionError, Invocation, Outcome, Report, RunFault};
use crate::platform::Said;
use crate::shared::{Admission, Shared};

use super::Place;
use super::ending::Came;
use super::function::{Environment, Function, Program};
use super::scribe::Scribe;

/// Which host a request is for that does not say it.
const DEFAULT_HOST: &str = "127.0.0.1";

/// Everything that belongs to an attempt.
struct Attempt {
    shared: Arc<Shared>,
    image: Arc<Image>,
    invocation: Arc<Invocation>,
    environment: Arc<Environment>,
    scribe: Scribe,
    limit: Duration,
    init: Option<Duration>,
    /// Given back in this order, after all is said.
    _place: Place,
    admission: Admission,
}

/// Runs a function once.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    image: &Arc<Image>,
    function: &Function,
    invocation: Arc<Invocation>,
    admission: Admission,
) -> Result<Outcome, RunFault> {
    let place = match shared.wasi.place(invocation.patience).await {
        Ok(place) => place,
        Err(fault) => {
            if matches!(fault, RunFault::Throttled { .. }) {
                admission.throttled();
            }
            return Err(fault);
        }
    };
    let (environment, init) = function.environment(shared, image).await?;
    let scribe = environment.scribe(shared, image);
    let attempt = Attempt {
        limit: invocation.limit(image),
        shared: Arc::clone(shared),
        image: Arc::clone(image),
        invocation,
        environment,
        scribe,
        init,
        _place: place,
        admission,
    };
    Lasting { work: Some(Box::pin(attempt.run())), tasks: shared.tasks.clone() }.await
}

impl Attempt {
    async fn run(self) -> Result<Outcome, RunFault> {
        let Self { shared, image, invocation, environment, scribe, .. } = &self;
        shared.monitor.begin(&scribe.pulse);
        scribe.begin(invocation.log);
        scribe.say(&Said::Start { id: &invocation.request_id, version: &image.version });
        let began = Instant::now();
        let work = async {
            match &environment.program {
                Program::Http(service) => self.ask(service).await,
                Program::Command(component, settings) => self.execute(component, settings).await,
                Program::Broken(reason) => (Came::unusable(reason), Usage::default()),
            }
        };
        let (came, usage) = tokio::select! {
            biased;
            ran = work => ran,
            () = shared.wasi.is_cut() => (Came::Fault(RunFault::Stopping), Usage::default()),
        };
        self.close(&came, usage, began.elapsed())
    }

    /// Has a component answer.
    async fn ask(&self, service: &Service) -> (Came, Usage) {
        if let Some(opening) = self.invocation.conversation.as_ref().and_then(Conversation::open) {
            return self.converse(service, opening).await;
        }
        let habits = &self.environment.habits;
        let (request, form) = event::request(&self.invocation, self.deadline_ms(), habits);
        let answer = match service.handle(request, self.limits()).await {
            Ok(answer) => answer,
            Err(failed) => return (self.failed(failed.failure), failed.usage),
        };
        let read = read(answer.response).await;
        // It may go on after its answer, and print; its caller waits for that, as for any function.
        let ended = answer.attempt.ended().await;
        let came = match (ended.failure, read) {
            (Some(failure), _) => self.failed(failure),
            (None, Err(failure)) => self.failed(failure),
            (None, Ok(response)) => {
                let (head, body) = response.into_parts();
                came_of(event::answer(form, habits, &head, &body))
            }
        };
        (came, ended.usage)
    }

    /// Has a component answer a request that came as one: both bodies stream.
    async fn converse(&self, service: &Service, opening: Opening) -> (Came, Usage) {
        let habits = &self.environment.habits;
        let (mut request, mut caller) = opening.begin(DEFAULT_HOST, habits);
        event::tell(request.headers_mut(), &self.invocation, self.deadline_ms(), habits);
        let answer = match service.handle(request, self.limits()).await {
            Ok(answer) => answer,
            Err(failed) => return (self.failed(failed.failure), failed.usage),
        };
        let status = answer.response.status();
        let handed = if status.is_informational() {
            Err(Came::unanswered(status))
        } else if habits.is_failure(status, Form::Two) {
            Err(came_of(event::failure(status, b"")))
        } else {
            self.hand_over(caller.answer(answer.response), &caller).await
        };
        let ended = answer.attempt.ended().await;
        let came = match (ended.failure, handed) {
            (Some(failure), _) => self.failed(failure),
            (None, Err(came)) => came,
            (None, Ok(())) => Came::Result(Bytes::new()),
        };
        (came, ended.usage)
    }

    /// Hands a body over as it comes, as long as somebody reads.
    async fn hand_over(&self, mut body: AnswerBody, caller: &Caller) -> Result<(), Came> {
        let until = Instant::now() + self.limit;
        loop {
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                () = caller.gone() => return Ok(()),
            };
            match frame {
                None => {
                    caller.end().await;
                    return Ok(());
                }
                Some(Ok(frame)) => match tokio::time::timeout_at(until.into(), caller.send(frame)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(Gone)) => return Ok(()),
                    Err(_) => return Err(Came::Ended(Ending::TimedOut { limit: self.limit })),
                },
                Some(Err(error)) => return Err(self.failed(error.0)),
            }
        }
    }

    /// Has a command run: the event is its input, what it prints is the result.
    async fn execute(&self, component: &Component, settings: &wasm::Settings) -> (Came, Usage) {
        let run = Run {
            arguments: vec![self.image.handler.clone()],
            input: self.invocation.payload.clone(),
            time: self.limit,
            output_bytes_max: ByteSize(RESPONSE_BYTES_MAX as u64),
            stderr: self.scribe.stderr(),
        };
        match component.run(settings, run).await {
            Ok(ran) if ran.status == 0 => (came_of(event::bare(&ran.output)), ran.usage),
            Ok(ran) => (self.failed(Failure::Exit { status: ran.status }), ran.usage),
            Err(failed) => (self.failed(failed.failure), failed.usage),
        }
    }

    fn deadline_ms(&self) -> i64 {
        self.invocation.deadline_ms(&self.image, &self.shared.options.clock)
    }

    fn limits(&self) -> Limits {
        Limits { time: self.limit, stdout: self.scribe.stdout(), stderr: self.scribe.stderr() }
    }

    fn failed(&self, failure: Failure) -> Came {
        Came::of_failure(failure, self.limit, &self.scribe.last_words())
    }

    /// The last lines and the outcome.
    fn close(self, came: &Came, usage: Usage, ran: Duration) -> Result<Outcome, RunFault> {
        let Self { scribe, invocation, image, init, .. } = &self;
        let id = invocation.request_id.as_str();
        scribe.finish();
        let peak_mb = usage.memory_peak.bytes().div_ceil(1 << 20).max(1);
        let report = Report {
            duration: ran,
            billed: billed(ran, *init),
            init: *init,
            memory_peak_mb: u32::try_from(peak_mb).unwrap_or(u32::MAX).min(image.memory_mb),
            cold: init.is_some(),
            log_stream: scribe.stream.name.clone(),
        };
        let now = || self.shared.options.clock.now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        if !came.is_result()
            && let Some(death) = came.death(id, &now())
        {
            scribe.say(&Said::Died { id, death: &death });
        }
        let (status, payload, memory_mb) = (came.status(), came.payload(id), image.memory_mb);
        let produced_bytes = payload.as_ref().map_or(0, Bytes::len);
        scribe.say(&Said::End { id, report: &report, memory_mb, status: &status, produced_bytes });
        let log_tail = scribe.take_tail();
        scribe.pulse.end();
        let error = if came.is_result() { None } else { Some(FunctionError::Unhandled) };
        let outcome = payload.map(|payload| Outcome { payload, error, log_tail, report });
        if let Ok(outcome) = &outcome {
            self.admission.ended(outcome, image.memory_mb);
        }
        self.environment.put_back(self.scribe);
        outcome
    }
}

/// All of an answer; more than a function may answer is a failure.
async fn read(response: Response<AnswerBody>) -> Result<Response<Bytes>, Failure> {
    let (head, mut body) = response.into_parts();
    let (mut first, mut more) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.0)?;
        // Trailers say nothing that a result could.
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + more.len() + data.len() > RESPONSE_BYTES_MAX {
            return Err(Failure::Output { limit: ByteSize(RESPONSE_BYTES_MAX as u64) });
        }
        if first.is_empty() {
            first = data;
        } else {
            more.extend_from_slice(&data);
        }
    }
    if more.is_empty() {
        return Ok(Response::from_parts(head, first));
    }
    let mut whole = BytesMut::with_capacity(first.len() + more.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&more);
    Ok(Response::from_parts(head, whole.freeze()))
}

fn came_of(event: Event) -> Came {
    match event {
        Event::Result(result) => Came::Result(result),
        Event::Error { document, .. } | Event::InitError(document) => Came::Error(document),
        Event::TooLarge => Came::Ended(Ending::TooLarge),
        Event::Ready | Event::Logged(_) | Event::Printed(_) | Event::Piece(_) | Event::Gone | Event::Broken(_) => {
            unreachable!("an answer becomes a result or an error")
        }
    }
}

/// Work that goes on when nobody waits for it any more.
struct Lasting {
    work: Option<BoxFuture<'static, Result<Outcome, RunFault>>>,
    tasks: Tasks,
}

impl Future for Lasting {
    type Output = Result<Outcome, RunFault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let work = self.work.as_mut().expect("nobody polls what has ended");
        let outcome = std::task::ready!(work.as_mut().poll(cx));
        self.work = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        if tokio::runtime::Handle::try_current().is_err() {
            // The runtime is gone, and the node with it.
            return;
        }
        self.tasks.spawn(Kind::Work, "in-process attempt whose caller went away", async move {
            // Nobody waits for what came of it; the log tells.
            drop(work.await);
        });
    }
}
