//! What the host keeps for one instance, and how much of it a guest may cause.

use std::any::Any;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingRequest, HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse,
    HostResponseOutparam,
};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::egress::{Egress, Reach};
use crate::memory::Memory;
use crate::output::Output;
use crate::settings::Settings;
use crate::ticker::TICK;

/// How many things (streams, requests, header lists, timers …) a guest may hold at a time: as many as a function on Lambda may have
/// files open. With the limits below it bounds what the host keeps for one guest, some 100 MiB if it does its worst.
const RESOURCES_MAX: usize = 1024;
/// How many of them an instance may have left when it has answered and is to answer again.
const LEFT_MAX: usize = 128;
/// A header list.
const FIELDS_BYTES_MAX: usize = 64 * 1024;
/// What a guest may hand over in one call.
const CALL_BYTES_MAX: usize = 16 << 20;
/// What a guest may draw of randomness in one call.
const RANDOM_BYTES_MAX: u64 = 1 << 20;

/// An instance of a component.
pub(crate) struct Guest {
    memory: Memory,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    egress: Egress,
}

/// An instance of a core module.
pub(crate) struct ModuleGuest {
    memory: Memory,
    pub(crate) wasi: WasiP1Ctx,
}

/// What every guest has in its store.
pub(crate) trait HasMemory: Send + 'static {
    fn memory(&self) -> &Memory;

    fn memory_mut(&mut self) -> &mut Memory;
}

thread_local! {
    /// When the guest that this thread polls got its turn.
    static TURN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Call it before every poll of a guest.
pub(crate) fn begin_turn(now: Instant) {
    TURN.set(Some(now));
}

/// A store with all limits. A guest in it gives way to others when it has had its turn; that its time is over is for
/// [`crate::supervise`] to see.
pub(crate) fn store<T: HasMemory>(engine: &Engine, guest: T) -> Store<T> {
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| guest.memory_mut());
    store.set_hostcall_fuel(CALL_BYTES_MAX);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|_| {
        // The epoch has moved since this guest last looked: perhaps while it waited, and then its turn has only begun.
        let fresh = TURN.get().is_some_and(|begun| begun.elapsed() < TICK);
        Ok(if fresh { UpdateDeadline::Continue(1) } else { UpdateDeadline::Yield(1) })
    });
    store
}

/// WASI as every guest has it: an environment, two streams to print to; no files, no sockets. Clocks and randomness are the machine's
/// own, as for any other program.
pub(crate) fn wasi(settings: &Settings, stdout: Output, stderr: Output) -> WasiCtxBuilder {
    let mut wasi = WasiCtxBuilder::new();
    wasi.envs(&settings.environment)
        .stdout(stdout)
        .stderr(stderr)
        .max_random_size(RANDOM_BYTES_MAX)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    wasi
}

impl Guest {
    pub(crate) fn new(memory: Memory, wasi: WasiCtx, reach: Arc<Reach>) -> Self {
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES_MAX);
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Self { memory, wasi, http, table, egress: Egress::new(reach) }
    }
}

impl Guest {
    /// Nothing is left of a request, of an answer, or of what was asked elsewhere for it (which would go on); and of other things not so
    /// many that the next request finds no room for its own.
    pub(crate) fn is_clean(&mut self) -> bool {
        self.table.iter_mut().enumerate().all(|(number, entry)| {
            let entry: &dyn Any = entry;
            let is_of_a_request = entry.is::<HostIncomingRequest>()
                || entry.is::<HostIncomingBody>()
                || entry.is::<HostResponseOutparam>()
                || entry.is::<HostOutgoingResponse>()
                || entry.is::<HostOutgoingRequest>()
                || entry.is::<HostOutgoingBody>()
                || entry.is::<HostFutureIncomingResponse>()
                || entry.is::<HostIncomingResponse>()
                || entry.is::<HostFutureTrailers>();
            number < LEFT_MAX && !is_of_a_request
        })
    }
}

impl ModuleGuest {
    pub(crate) fn new(memory: Memory, mut wasi: WasiCtxBuilder) -> Self {
        Self { memory, wasi: wasi.build_p1() }
    }
}

impl HasMemory for Guest {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

impl HasMemory for ModuleGuest {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.egress }
    }
}
