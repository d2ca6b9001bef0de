//! How long a trivial native program takes from the call to its end, and what the parts cost: medians of fifty.
//!
//! `cargo run --release -p sandbox --example start`
#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sandbox::{Boot, Host, Mode, Mount, Network, Placement, Plan, Program, Streams};

const RUNS: usize = 50;
/// Between two starts: a machine that just started one starts the next faster than it would a first.
const PAUSE: Duration = Duration::from_millis(60);

fn main() {
    sandbox::init_main_if_asked();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for mode in [Mode::Off, Mode::Auto] {
        let host = Host::new(mode, None).unwrap();
        println!("{mode:?}: {}", host.report());
        for network in [Network::Full, Network::None] {
            let mut spawned = Vec::new();
            let mut ended = Vec::new();
            for _ in 0..RUNS {
                runtime.block_on(async { tokio::time::sleep(PAUSE).await });
                let (_read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
                let began = Instant::now();
                let child = host.spawn(&plan(network), Streams { output: write, channels: Vec::new() }).unwrap();
                spawned.push(began.elapsed());
                runtime.block_on(child.wait()).unwrap();
                ended.push(began.elapsed());
            }
            println!(
                "  {network:?}: until the call returns {}, until the program ended {}",
                show(spawned),
                show(ended)
            );
        }
        for network in [Network::Platform, Network::Full] {
            if host.can_place() {
                ahead(&host, &runtime, network);
            }
        }
        if host.can_place() {
            answers(&host, &runtime);
        }
    }
}

/// Started ahead: what is left to do when somebody comes.
fn ahead(host: &Host, runtime: &tokio::runtime::Runtime, network: Network) {
    let [mut booted, mut froze, mut thawed, mut placed, mut ended, mut dialled] = [const { Vec::new() }; 6];
    for _ in 0..RUNS {
        runtime.block_on(async { tokio::time::sleep(PAUSE).await });
        let timed = |times: &mut Vec<Duration>, work: &mut dyn FnMut()| {
            let began = Instant::now();
            work();
            times.push(began.elapsed());
        };
        let (_read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let boot = Boot {
            plan: Plan { program: PathBuf::new(), ..plan(network) },
            ports: vec!["127.0.0.1:9001".parse().unwrap()],
        };
        let mut streams = Some(Streams { output: write, channels: Vec::new() });
        let mut made = None;
        timed(&mut booted, &mut || made = streams.take().map(|streams| host.boot(&boot, streams).unwrap()));
        let sandbox::Booted { child, ports: _ports, .. } = made.unwrap();
        timed(&mut dialled, &mut || {
            runtime.block_on(child.dial("127.0.0.1:9001".parse().unwrap())).unwrap();
        });
        timed(&mut froze, &mut || child.freeze().unwrap());
        runtime.block_on(async { tokio::time::sleep(PAUSE / 4).await });
        timed(&mut thawed, &mut || child.thaw().unwrap());
        runtime.block_on(async { tokio::time::sleep(PAUSE / 4).await });
        let program = Program {
            program: PathBuf::from("/bin/true"),
            directory: PathBuf::from("/var/task"),
            ..Program::default()
        };
        let placement = Placement {
            mounts: vec![Mount { source: PathBuf::from("/usr/share"), target: PathBuf::from("/var/task") }],
            tmp_bytes: Some(256 << 20),
            memory_bytes: Some(256 << 20),
            processes_max: Some(128),
            program: Some(program),
        };
        timed(&mut placed, &mut || child.place(&placement).unwrap());
        timed(&mut ended, &mut || drop(runtime.block_on(child.wait()).unwrap()));
    }
    println!("  {network:?} ahead: boot {}", show(booted));
    println!("         dial {}", show(dialled));
    println!("         freeze {}; thaw {}", show(froze), show(thawed));
    println!("         place {}; then until the program ended {}", show(placed), show(ended));
}

/// One that answers what it is told: how much longer it takes if it has to be thawed first.
fn answers(host: &Host, runtime: &tokio::runtime::Runtime) {
    let (_read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let echo = Plan {
        program: PathBuf::from("/bin/sh"),
        arguments: vec!["-c".to_owned(), "exec cat <&3 >&3".to_owned()],
        ..plan(Network::Platform)
    };
    let streams = Streams { output: write, channels: vec![theirs.into()] };
    let child = host.boot(&Boot { plan: echo, ports: Vec::new() }, streams).unwrap().child;
    let [mut idle, mut frozen] = [const { Vec::new() }; 2];
    for run in 0..2 * RUNS {
        let is_frozen = run % 2 == 1;
        if is_frozen && child.freeze().is_err() {
            println!("         no freezer here");
            return;
        }
        runtime.block_on(async { tokio::time::sleep(PAUSE / 4).await });
        let began = Instant::now();
        if is_frozen {
            child.thaw().unwrap();
        }
        ours.write_all(b"x").unwrap();
        ours.read_exact(&mut [0]).unwrap();
        if is_frozen { &mut frozen } else { &mut idle }.push(began.elapsed());
    }
    println!("  an answer: idle {}; frozen, with the thawing {}", show(idle), show(frozen));
}

fn plan(network: Network) -> Plan {
    Plan {
        program: PathBuf::from("/bin/true"),
        directory: PathBuf::from("/"),
        tmp_bytes: 512 << 20,
        memory_bytes: 128 << 20,
        processes_max: 64,
        files_max: 256,
        network,
        ..Plan::default()
    }
}

fn show(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    format!("p50 {:.2} p90 {:.2} max {:.2} ms", ms(times[RUNS / 2]), ms(times[RUNS * 9 / 10]), ms(times[RUNS - 1]))
}
