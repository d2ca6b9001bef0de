//! Commands: programs that run once, from their arguments and input to their output and exit status.

use std::sync::Arc;
use std::time::Duration;

use base::ByteSize;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use wasmtime::{InstancePre, Store};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p3::bindings::CommandPre as CommandPre3;

use crate::component::{Component, Program};
use crate::egress::Reach;
use crate::failure::{self, Failed, Failure};
use crate::guest::{self, Guest, HasMemory, ModuleGuest};
use crate::memory::Memory;
use crate::meter::{Ending, Usage};
use crate::output::{Collect, Discard, Output, Sink};
use crate::settings::Settings;
use crate::supervise::{Supervised, TimeUp};

/// What a command is given.
#[derive(Clone)]
pub struct Run {
    /// Its arguments, its own name first.
    pub arguments: Vec<String>,
    /// Its standard input.
    pub input: Bytes,
    /// How long it may take, its start included.
    pub time: Duration,
    /// The most that it may print to its standard output.
    pub output_bytes_max: ByteSize,
    /// Where its standard error goes.
    pub stderr: Arc<dyn Sink>,
}

impl Run {
    /// No input, at most 6 MiB of output, and what it says on its standard error is thrown away.
    pub fn new(arguments: Vec<String>, time: Duration) -> Self {
        Self { arguments, input: Bytes::new(), time, output_bytes_max: ByteSize::mib(6), stderr: Arc::new(Discard) }
    }
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Zero is success.
    pub status: i32,
    /// All that it printed to its standard output.
    pub output: Vec<u8>,
    /// What it took.
    pub usage: Usage,
}

/// A command's exit status, or why it has none.
type Worked = Result<i32, Failure>;

/// Runs `component`, which is a command.
pub(crate) async fn run(component: &Component, settings: &Settings, run: Run) -> Result<Ran, Failed> {
    let place = component.engine.place().map_err(Failed::at_once)?;
    let (ending, _) = Ending::begin();
    let output = Arc::new(Collect::new(run.output_bytes_max));
    ending.meter.bytes_in(run.input.len());
    let memory = Memory::new(Arc::clone(component.engine.budget()), settings.memory, Arc::clone(&ending));
    let mut wasi = guest::wasi(settings, Output::new(Arc::clone(&output) as _), Output::new(run.stderr));
    wasi.args(&run.arguments).stdin(MemoryInputPipe::new(run.input));
    let work = work(component, settings, memory, wasi);
    let ticker = Arc::clone(component.engine.ticker());
    let worked = Supervised::new(work, ticker, Arc::clone(&ending), run.time).await;
    ending.finish(None);
    drop(place);
    let failed = |failure| Failed { failure, usage: ending.meter.usage() };
    let status = match worked {
        Ok(worked) => worked.map_err(failed)?,
        Err(TimeUp) => return Err(failed(Failure::Time { limit: run.time })),
    };
    let output = output.take().map_err(|limit| failed(Failure::Output { limit }))?;
    ending.meter.bytes_out(output.len());
    Ok(Ran { status, output, usage: ending.meter.usage() })
}

fn work(
    component: &Component,
    settings: &Settings,
    memory: Memory,
    mut wasi: WasiCtxBuilder,
) -> BoxFuture<'static, Worked> {
    let mut guest =
        |memory| Guest::new(memory, wasi.build(), Reach::new(settings.network.clone(), component.engine.trust()));
    match &*component.program {
        Program::Command(program) => {
            let (program, guest) = (program.clone(), guest(memory));
            Box::pin(async move {
                let mut store = guest::store(program.engine(), guest);
                let worked = command(&program, &mut store).await;
                ended(worked, store.data())
            })
        }
        Program::ConcurrentCommand(program) => {
            let (program, guest) = (program.clone(), guest(memory));
            Box::pin(async move {
                let mut store = guest::store(program.engine(), guest);
                let worked = concurrent(&program, &mut store).await;
                ended(worked, store.data())
            })
        }
        Program::Module(program) => {
            let (program, guest) = (program.clone(), ModuleGuest::new(memory, wasi));
            Box::pin(async move {
                let mut store = guest::store(program.module().engine(), guest);
                let worked = module(&program, &mut store).await;
                ended(worked, store.data())
            })
        }
        Program::Http(_) | Program::SharedHttp(_) => unreachable!("only commands are run"),
    }
}

fn ended(worked: wasmtime::Result<i32>, guest: &impl HasMemory) -> Worked {
    let failure = match worked {
        Ok(status) => return Ok(status),
        Err(error) => failure::of_guest(&error, guest.memory().refused()),
    };
    match failure {
        Failure::Exit { status } => Ok(status),
        failure => Err(failure),
    }
}

async fn command(program: &CommandPre<Guest>, store: &mut Store<Guest>) -> wasmtime::Result<i32> {
    let command = program.instantiate_async(&mut *store).await?;
    let result = command.wasi_cli_run().call_run(store).await?;
    Ok(status(result))
}

async fn concurrent(program: &CommandPre3<Guest>, store: &mut Store<Guest>) -> wasmtime::Result<i32> {
    let command = program.instantiate_async(&mut *store).await?;
    let result = store.run_concurrent(async |accessor| command.wasi_cli_run().call_run(accessor).await).await??;
    Ok(status(result))
}

async fn module(program: &InstancePre<ModuleGuest>, store: &mut Store<ModuleGuest>) -> wasmtime::Result<i32> {
    let instance = program.instantiate_async(&mut *store).await?;
    instance.get_typed_func::<(), ()>(&mut *store, "_start")?.call_async(store, ()).await?;
    Ok(0)
}

fn status(result: Result<(), ()>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(()) => 1,
    }
}
