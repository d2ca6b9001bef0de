//! One instance that answers requests until it has answered enough, had none for a while, or failed.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context as Cx, Poll, ready};
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream::FuturesUnordered;
use http::{Request, Response};
use tokio::sync::mpsc;
use tokio::time::Sleep;
use wasmtime::component::Accessor;
use wasmtime::{AsContextMut, Store};
use wasmtime_wasi_http::p3;
use wasmtime_wasi_http::p3::bindings::{Service as Proxy, ServicePre};
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

use super::board::{Asked, Board, Id};
use super::{Job, Token, Warm};
use crate::engine::Place;
use crate::failure::{self, Failure};
use crate::guest::{self, Guest, HasMemory};
use crate::memory::Memory;
use crate::meter::{Ending, Stopwatch};
use crate::output::{Discard, Output};
use crate::service::Context;
use crate::supervise::TimeUp;
use crate::ticker::Ticker;

/// An instance, before it runs.
pub(super) struct Worker {
    context: Arc<Context>,
    program: ServicePre<Guest>,
    warm: Weak<Mutex<Vec<Token>>>,
    jobs: mpsc::Receiver<Job>,
    _place: Place,
    board: Arc<Board>,
    stdout: Output,
    stderr: Output,
}

impl Worker {
    pub(super) fn new(
        context: Arc<Context>,
        program: ServicePre<Guest>,
        warm: Weak<Mutex<Vec<Token>>>,
        jobs: mpsc::Receiver<Job>,
        place: Place,
    ) -> Self {
        let board = Board::new(context.settings.concurrency <= 1);
        let (stdout, stderr) = (Output::new(Arc::new(Discard)), Output::new(Arc::new(Discard)));
        Self { context, program, warm, jobs, _place: place, board, stdout, stderr }
    }

    /// Answers `first`, and whatever comes then.
    pub(super) async fn run(mut self, first: Job) {
        // What the instance has counts for each of its requests: this only keeps the peak.
        let (gauge, _) = Ending::begin();
        let mut store = self.store(&gauge);
        let board = Arc::clone(&self.board);
        let ticker = Arc::clone(self.context.engine.ticker());
        let first = self.accept(first);
        let worked = {
            let guest = Box::pin(self.work(&mut store, first));
            let stopwatch = Stopwatch::default();
            let mut watched = Watched { guest, ticker, board: &board, gauge: &gauge, stopwatch, alarm: None };
            let worked = (&mut watched).await;
            // Why it ended is said before its streams close, here and below, so that who reads them learns it.
            if let Err(TimeUp) = worked {
                board.fail_late();
            }
            worked
        };
        match worked {
            Ok(Ok(())) => drop(board.idle()),
            Ok(Err(error)) => board.fail(&failure::of_guest(&error, store.data().memory().refused())),
            Err(TimeUp) => {}
        }
        drop(store);
        self.take_no_more();
        if let Some(warm) = self.warm.upgrade() {
            Warm(warm).sweep();
        }
    }

    fn store(&self, gauge: &Arc<Ending>) -> Store<Guest> {
        let Context { engine, settings, reach } = &*self.context;
        let wasi = guest::wasi(settings, self.stdout.clone(), self.stderr.clone()).build();
        let memory = Memory::new(Arc::clone(engine.budget()), settings, Arc::clone(gauge));
        guest::store(self.program.engine(), Guest::new(memory, wasi, Arc::clone(reach)))
    }

    /// Puts a job on the board.
    fn accept(&self, job: Job) -> Accepted {
        let Job { work, ending, deadline, token, reply } = job;
        self.stdout.redirect(work.limits.stdout);
        self.stderr.redirect(work.limits.stderr);
        let id = self.board.ask(Asked { ending, deadline, limit: work.limits.time, reply, token });
        Accepted { id, request: work.request, deadline }
    }

    /// What runs inside the instance.
    async fn work(&mut self, store: &mut Store<Guest>, first: Accepted) -> wasmtime::Result<()> {
        let service = self.program.instantiate_async(&mut *store).await?;
        store.run_concurrent(async |accessor| self.serve(accessor, &service, first).await).await?
    }

    async fn serve(&mut self, accessor: &Accessor<Guest>, service: &Proxy, first: Accepted) -> wasmtime::Result<()> {
        let board = Arc::clone(&self.board);
        let mut in_flight = FuturesUnordered::new();
        in_flight.push(one(accessor, service, &board, first));
        let mut taken = 1;
        let mut silence = Silence::default();
        poll_fn(|cx| {
            loop {
                match in_flight.poll_next_unpin(cx) {
                    Poll::Ready(Some(Ok(token))) => {
                        self.put_back(token.filter(|_| self.goes_on(taken)).into_iter().collect());
                        continue;
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                    Poll::Ready(None) | Poll::Pending => {}
                }
                if !self.goes_on(taken) && !self.jobs.is_closed() {
                    self.take_no_more();
                }
                let is_idle = in_flight.is_empty() && accessor.poll_no_interesting_tasks(cx).is_ready();
                if is_idle && silence.begins() {
                    let tokens = self.board.idle();
                    if !self.goes_on(taken) {
                        return Poll::Ready(Ok(()));
                    }
                    self.put_back(tokens);
                }
                match self.jobs.poll_recv(cx) {
                    Poll::Ready(Some(job)) => {
                        silence.ends();
                        taken += 1;
                        let accepted = self.accept(job);
                        in_flight.push(one(accessor, service, &board, accepted));
                        continue;
                    }
                    // The service is gone, and all that it asked for is done.
                    Poll::Ready(None) if is_idle => return Poll::Ready(Ok(())),
                    Poll::Ready(None) | Poll::Pending => {}
                }
                if is_idle && silence.poll_too_long(self.context.settings.keep_alive, cx).is_ready() {
                    return Poll::Ready(Ok(()));
                }
                return Poll::Pending;
            }
        })
        .await
    }

    /// Who has been sent here goes elsewhere.
    fn take_no_more(&mut self) {
        self.jobs.close();
        while let Ok(job) = self.jobs.try_recv() {
            job.give_back();
        }
    }

    fn goes_on(&self, taken: u32) -> bool {
        taken < self.context.settings.reuse_max && !self.board.is_spoiled()
    }

    /// There is room again.
    fn put_back(&self, tokens: Vec<Token>) {
        if let Some(warm) = self.warm.upgrade() {
            let warm = Warm(warm);
            tokens.into_iter().for_each(|token| warm.put_back(token));
        }
    }
}

/// A job on the board.
struct Accepted {
    id: Id,
    request: Request<WasiBody>,
    deadline: Instant,
}

/// One request, until its answer begins. An error is the end of the instance.
async fn one(
    accessor: &Accessor<Guest>,
    service: &Proxy,
    board: &Board,
    accepted: Accepted,
) -> wasmtime::Result<Option<Token>> {
    let Accepted { id, request, deadline } = accepted;
    let alarm = pin!(tokio::time::sleep_until(deadline.into()));
    match select(pin!(call(accessor, service, request)), alarm).await {
        Either::Left((answer, _)) => Ok(board.answer(id, answer?)),
        Either::Right(((), _)) => {
            board.late(id);
            Ok(None)
        }
    }
}

async fn call(
    accessor: &Accessor<Guest>,
    service: &Proxy,
    request: Request<WasiBody>,
) -> wasmtime::Result<Result<Response<WasiBody>, Failure>> {
    let (request, transmitted) = accessor.with(|mut store| -> wasmtime::Result<_> {
        let http = store.data_mut().http();
        let (request, transmitted) = p3::Request::from_http(http.hooks, request);
        let transmitted: BoxFuture<'static, Result<(), wasmtime_wasi_http::Error>> = Box::pin(transmitted);
        Ok((http.table.push(request)?, transmitted))
    })?;
    match service.wasi_http_handler().call_handle(accessor, request).await? {
        Ok(response) => accessor.with(|mut store| {
            let response = store.data_mut().http().table.delete(response)?;
            response.into_http(store.as_context_mut(), transmitted).map(Ok)
        }),
        Err(code) => Ok(Err(Failure::Refused { code: code.to_string() })),
    }
}

/// The time without a request.
#[derive(Default)]
struct Silence {
    begun: bool,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    /// True the first time.
    fn begins(&mut self) -> bool {
        !std::mem::replace(&mut self.begun, true)
    }

    fn ends(&mut self) {
        *self = Self::default();
    }

    fn poll_too_long(&mut self, keep_alive: std::time::Duration, cx: &mut Cx<'_>) -> Poll<()> {
        self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(keep_alive))).as_mut().poll(cx)
    }
}

/// Watches an instance from outside: what runs inside gets no turn while the guest computes.
struct Watched<'a> {
    guest: BoxFuture<'a, wasmtime::Result<()>>,
    ticker: Arc<Ticker>,
    board: &'a Board,
    gauge: &'a Ending,
    stopwatch: Stopwatch,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Future for Watched<'_> {
    type Output = Result<wasmtime::Result<()>, TimeUp>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let lap = this.stopwatch.begin();
        let polled = {
            let _running = this.ticker.running();
            this.guest.as_mut().poll(cx)
        };
        let (cpu, now) = this.stopwatch.end(&lap);
        this.board.count(cpu, this.gauge.meter.usage().memory_peak.bytes());
        if let Poll::Ready(worked) = polled {
            return Poll::Ready(Ok(worked));
        }
        let mut now = now;
        while let Some(horizon) = this.board.horizon(now) {
            if horizon <= now {
                return Poll::Ready(Err(TimeUp));
            }
            let alarm = this.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(horizon.into())));
            if alarm.deadline() != horizon.into() {
                alarm.as_mut().reset(horizon.into());
            }
            ready!(alarm.as_mut().poll(cx));
            now = Instant::now();
        }
        Poll::Pending
    }
}
