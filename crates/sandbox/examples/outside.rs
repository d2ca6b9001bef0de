//! What the way to the outside world costs: connecting, a round trip, and carrying bytes, from a guest's network and from the host's.
//!
//! `cargo run --release -p sandbox --example outside`. The guest is this program itself with an argument.
#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbox::{Boot, Host, Mode, Mount, Network, Plan, Rules, Streams};

const RUNS: usize = 300;
const BULK_BYTES: usize = 1 << 30;

fn main() {
    sandbox::init_main_if_asked();
    if let Some(to) = std::env::args().nth(1) {
        return client(to.parse().unwrap());
    }
    let host = Host::new(Mode::Auto, None).unwrap();
    // The outside world is this machine's own address, which is allowed by name.
    let way = UdpSocket::bind("0.0.0.0:0").unwrap();
    way.connect("198.41.0.4:53").expect("a machine with a network");
    let listener = TcpListener::bind((way.local_addr().unwrap().ip(), 0)).unwrap();
    let to = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    println!("from the host's network");
    client(to);
    println!("from a guest's network");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let plan = Plan {
        program: PathBuf::from("/bench/client"),
        arguments: vec![to.to_string()],
        directory: PathBuf::from("/"),
        mounts: vec![Mount { source: std::env::current_exe().unwrap(), target: PathBuf::from("/bench/client") }],
        tmp_bytes: 1 << 20,
        memory_bytes: 1769 << 20,
        processes_max: 64,
        files_max: 256,
        network: Network::Full,
        ..Plan::default()
    };
    let output = rustix::io::fcntl_dupfd_cloexec(std::io::stdout(), 3).unwrap();
    let booted = host.boot(&Boot { plan, ports: Vec::new() }, Streams { output, channels: Vec::new() }).unwrap();
    let outside = booted.outside.expect("a guest with a network of its own");
    runtime.spawn(outside.serve(Arc::new(Rules { allowed: vec![to] })));
    runtime.block_on(booted.child.wait()).unwrap();
}

/// Sends back what it gets; after eight zeroes, takes and counts in silence.
fn serve(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut bytes = vec![0; 256 << 10];
    loop {
        let length = stream.read(&mut bytes).unwrap_or(0);
        match length {
            0 => return,
            1..=8 => stream.write_all(&bytes[..length]).unwrap(),
            _ => {}
        }
    }
}

fn client(to: SocketAddr) {
    let timed = |work: &mut dyn FnMut()| {
        let mut times: Vec<Duration> = (0..RUNS)
            .map(|_| {
                let began = Instant::now();
                work();
                began.elapsed()
            })
            .collect();
        times.sort_unstable();
        let us = |at: usize| times[at].as_secs_f64() * 1e6;
        format!("p50 {:.0} p99 {:.0} µs", us(RUNS / 2), us(RUNS * 99 / 100))
    };
    let mut bytes = [7; 8];
    let first = timed(&mut || {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.write_all(&bytes).unwrap();
        stream.read_exact(&mut [0; 8]).unwrap();
    });
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    let trip = timed(&mut || {
        stream.write_all(&[1; 8]).unwrap();
        stream.read_exact(&mut bytes).unwrap();
    });
    let (block, began) = (vec![7; 256 << 10], Instant::now());
    for _ in 0..BULK_BYTES / block.len() {
        stream.write_all(&block).unwrap();
    }
    let rate = BULK_BYTES as f64 / began.elapsed().as_secs_f64() / 1e9;
    println!("  connect and first answer {first}; round trip {trip}; {rate:.2} GB/s");
}
