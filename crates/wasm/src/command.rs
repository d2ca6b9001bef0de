//! Commands: programs that run once, from their arguments and input to their output and exit status.

use std::sync::Arc;
use std::time::Duration;

use base::ByteSize;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use wasmtime::{InstancePre, Store};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p3::bindings::CommandPre as CommandPre3;

use crate::component::Command;
use crate::egress::Reach;
use crate::engine::Engine;
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

/// Runs `program`.
pub(crate) async fn run(engine: &Engine, program: &Command, settings: &Settings, run: Run) -> Result<Ran, Failed> {
    let place = engine.place().map_err(Failed::at_once)?;
    let (ending, _) = Ending::begin();
    let output = Arc::new(Collect::new(run.output_bytes_max));
    ending.meter.bytes_in(run.input.len());
    let memory = Memory::new(Arc::clone(engine.budget()), settings, Arc::clone(&ending));
    let mut wasi = guest::wasi(settings, Output::new(Arc::clone(&output) as _), Output::new(run.stderr));
    wasi.args(&run.arguments).stdin(MemoryInputPipe::new(run.input));
    let work = match program {
        // No network: preview 1 has no words for it.
        Command::Module(program) => self::module(program.clone(), ModuleGuest::new(memory, wasi)),
        Command::Component(program) => {
            component(program.clone(), Guest::new(memory, wasi.build(), reach(engine, settings)))
        }
        Command::Concurrent(program) => {
            concurrent(program.clone(), Guest::new(memory, wasi.build(), reach(engine, settings)))
        }
    };
    let ticker = Arc::clone(engine.ticker());
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

fn reach(engine: &Engine, settings: &Settings) -> Arc<Reach> {
    Reach::new(settings.network.clone(), engine.trust())
}

fn component(program: CommandPre<Guest>, guest: Guest) -> BoxFuture<'static, Worked> {
    Box::pin(async move {
        let mut store = guest::store(program.engine(), guest);
        let run = async |store: &mut Store<Guest>| {
            let command = program.instantiate_async(&mut *store).await?;
            command.wasi_cli_run().call_run(store).await
        };
        let worked = run(&mut store).await.map(status);
        ended(worked, store.data())
    })
}

fn concurrent(program: CommandPre3<Guest>, guest: Guest) -> BoxFuture<'static, Worked> {
    Box::pin(async move {
        let mut store = guest::store(program.engine(), guest);
        let run = async |store: &mut Store<Guest>| {
            let command = program.instantiate_async(&mut *store).await?;
            store.run_concurrent(async |accessor| command.wasi_cli_run().call_run(accessor).await).await?
        };
        let worked = run(&mut store).await.map(status);
        ended(worked, store.data())
    })
}

fn module(program: InstancePre<ModuleGuest>, guest: ModuleGuest) -> BoxFuture<'static, Worked> {
    Box::pin(async move {
        let mut store = guest::store(program.module().engine(), guest);
        let run = async |store: &mut Store<ModuleGuest>| {
            let instance = program.instantiate_async(&mut *store).await?;
            instance.get_typed_func::<(), ()>(&mut *store, "_start")?.call_async(store, ()).await
        };
        // It says otherwise by exiting.
        let worked = run(&mut store).await.map(|()| 0);
        ended(worked, store.data())
    })
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

fn status(result: Result<(), ()>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(()) => 1,
    }
}
