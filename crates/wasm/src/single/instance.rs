//! An instance that answers one request at a time, and where it rests between two.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use http::Request;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

use super::Given;
use crate::engine::Place;
use crate::guest::{self, Guest, HasMemory};
use crate::memory::Memory;
use crate::meter::Ending;
use crate::output::{Discard, Output, Sink};
use crate::service::Context;
use crate::settings::Limits;

/// An instance, and what it prints to.
pub(crate) struct Instance {
    store: Store<Guest>,
    /// Made with the first request, within its time.
    proxy: Option<Proxy>,
    stdout: Output,
    stderr: Output,
    taken: u32,
}

/// The instances of a service that have nothing to do, used last is last.
#[derive(Default)]
pub(crate) struct Resting(Mutex<VecDeque<Rested>>);

struct Rested {
    instance: Instance,
    place: Place,
    since: Instant,
}

impl Instance {
    /// One that nobody has asked anything yet.
    pub(crate) fn new(context: &Context, program: &ProxyPre<Guest>, limits: Limits, ending: Arc<Ending>) -> Self {
        let settings = &context.settings;
        let (stdout, stderr) = (Output::new(limits.stdout), Output::new(limits.stderr));
        let wasi = guest::wasi(settings, stdout.clone(), stderr.clone()).build();
        let memory = Memory::new(Arc::clone(context.engine.budget()), settings, ending);
        let store = guest::store(program.engine(), Guest::new(memory, wasi, Arc::clone(&context.reach)));
        Self { store, proxy: None, stdout, stderr, taken: 0 }
    }

    /// Lays it out in memory, as it is before its first request.
    pub(crate) async fn instantiate(&mut self, program: &ProxyPre<Guest>) -> wasmtime::Result<&Proxy> {
        let proxy = program.instantiate_async(&mut self.store).await?;
        Ok(self.proxy.insert(proxy))
    }

    /// Has it answer. An error is its end.
    pub(super) async fn answer(
        &mut self,
        program: &ProxyPre<Guest>,
        request: Request<WasiBody>,
        give: oneshot::Sender<Given>,
    ) -> wasmtime::Result<()> {
        if self.proxy.is_none() {
            self.instantiate(program).await?;
        }
        self.taken = self.taken.saturating_add(1);
        let scheme = match request.uri().scheme_str() {
            Some("https") => Scheme::Https,
            _ => Scheme::Http,
        };
        let mut http = self.store.data_mut().http();
        let request = http.new_incoming_request(scheme, request)?;
        let out = http.new_response_outparam(give)?;
        let proxy = self.proxy.as_ref().expect("it was made above");
        proxy.wasi_http_incoming_handler().call_handle(&mut self.store, request, out).await
    }

    pub(super) fn memory(&self) -> &Memory {
        self.store.data().memory()
    }

    /// How many requests it has taken.
    pub(super) fn taken(&self) -> u32 {
        self.taken
    }

    /// Belongs to this attempt from now on.
    fn begin(&mut self, limits: Limits, ending: Arc<Ending>) {
        self.stdout.redirect(limits.stdout);
        self.stderr.redirect(limits.stderr);
        self.store.data_mut().memory_mut().hand_to(ending);
    }

    /// Belongs to nobody, and holds nothing of the attempt that it had.
    fn rest(&mut self) {
        static NOBODY: LazyLock<(Arc<dyn Sink>, Arc<Ending>)> =
            LazyLock::new(|| (Arc::new(Discard), Ending::begin().0));
        let (sink, ending) = &*NOBODY;
        self.stdout.redirect(Arc::clone(sink));
        self.stderr.redirect(Arc::clone(sink));
        self.store.data_mut().memory_mut().hand_to(Arc::clone(ending));
    }
}

impl Resting {
    /// The one used last, for this attempt.
    pub(super) fn take(&self, limits: &Limits, ending: &Arc<Ending>) -> Option<Instance> {
        let Rested { mut instance, place, .. } = self.all().pop_back()?;
        drop(place);
        instance.begin(limits.clone(), Arc::clone(ending));
        Some(instance)
    }

    /// Keeps one for a next request, if there is room for it and nothing in it belongs to the attempt any more; else it ends.
    pub(super) fn keep(&self, context: &Context, mut instance: Instance, place: Place, ending: &Arc<Ending>) {
        instance.rest();
        // Who asked holds its ending, and so does the request's body: a guest that keeps that must end, or the attempt never would.
        let is_free = Arc::strong_count(ending) == 1 && instance.store.data_mut().is_clean();
        match context.engine.resting_place().filter(|_| is_free) {
            Some(resting_place) => {
                let rested = Rested { instance, place: resting_place, since: Instant::now() };
                self.all().push_back(rested);
            }
            None => drop(instance),
        }
        drop(place);
        self.tidy(context.settings.keep_alive);
    }

    /// Ends those that nobody needed for that long.
    pub(crate) fn tidy(&self, keep_alive: Duration) {
        let mut over = Vec::new();
        let mut all = self.all();
        while let Some(rested) = all.pop_front_if(|rested| rested.since.elapsed() > keep_alive) {
            over.push(rested);
        }
        drop(all);
        // Not under the lock: taking an instance down is work.
        drop(over);
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<Rested>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}
