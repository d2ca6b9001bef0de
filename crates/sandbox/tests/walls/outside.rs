//! The way to the outside world, and what it does not lead to. The outside world is played by this machine's own address, which is
//! allowed by name.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use sandbox::{Booted, Exit, Host, Mode, Network, Outside, Part, Plan, Rules};

use crate::harness::{Ended, boot, host, lacks, output, plan, python, rest};

/// This machine's own address of the newer kind, if it has one that others could reach.
fn own_six() -> Option<IpAddr> {
    let socket = UdpSocket::bind("[::]:0").ok()?;
    socket.connect("[2001:503:ba3e::2:30]:53").ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// A host on which guests have networks of their own, and an address of it that others could reach.
fn able() -> Option<(Host, IpAddr)> {
    let host = host(Mode::Auto);
    if lacks(&host, Part::Network) {
        return None;
    }
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    match socket.connect("198.41.0.4:53").and_then(|()| socket.local_addr()) {
        Ok(address) => Some((host, address.ip())),
        Err(error) => {
            println!("skipped: this machine has no network: {error}");
            None
        }
    }
}

/// Runs a Python script as a guest that may reach the outside world as far as `allowed` goes beyond the rules.
fn run(host: &Host, script: &str, allowed: &[SocketAddr]) -> Option<Ended> {
    let plan = Plan { network: Network::Full, memory_bytes: 256 << 20, ..python(script)? };
    let (Booted { child, outside, .. }, read) = boot(host, plan, &[]);
    let rules = Arc::new(Rules { allowed: allowed.to_vec() });
    let outside: Outside = outside.expect("a guest with a network of its own has a way out");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let serving = runtime.spawn(outside.serve(rules));
    let output = rest(read);
    let exit = runtime.block_on(async { tokio::time::timeout(crate::harness::PATIENCE, child.wait()).await });
    serving.abort();
    Some(Ended { exit: exit.expect("the guest ends").unwrap(), output, child })
}

#[test]
fn connections_get_out_and_back() {
    let Some((host, address)) = able() else { return };
    carries_connections(&host, address);
    match own_six() {
        Some(address) => carries_connections(&host, address),
        None => println!("skipped: no way out of the newer kind here"),
    }
}

fn carries_connections(host: &Host, address: IpAddr) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let to = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            let mut stream = stream.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            stream.write_all(format!("{} bytes\n", bytes.len()).as_bytes()).unwrap();
            stream.write_all(&vec![b'x'; 5_000_000]).unwrap();
        }
    });
    let script = format!(
        "import socket
for size in (5, 20000000):
    s = socket.create_connection(('{}', {}))
    assert s.getpeername()[:2] == ('{}', {}), s.getpeername()
    s.sendall(b'a' * size)
    s.shutdown(socket.SHUT_WR)
    f = s.makefile('rb')
    print(f.readline().decode().strip(), len(f.read()))
",
        to.ip(),
        to.port(),
        to.ip(),
        to.port()
    );
    let Some(ended) = run(host, &script, &[to]) else { return };
    assert_eq!((ended.output.as_str(), ended.exit), ("5 bytes 5000000\n20000000 bytes 5000000\n", Exit::Code(0)));
    server.join().unwrap();
}

#[test]
fn datagrams_get_out_and_back() {
    let Some((host, address)) = able() else { return };
    carries_datagrams(&host, address);
    if let Some(address) = own_six() {
        carries_datagrams(&host, address);
    }
}

fn carries_datagrams(host: &Host, address: IpAddr) {
    let server = UdpSocket::bind((address, 0)).unwrap();
    let to = server.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut bytes = [0; 2000];
        while let Ok((length, from)) = server.recv_from(&mut bytes) {
            server.send_to(&bytes[..length].to_ascii_uppercase(), from).unwrap();
        }
    });
    let script = format!(
        "import socket
to = ('{}', {})
family = socket.AF_INET6 if ':' in to[0] else socket.AF_INET
a, b = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
a.settimeout(30); b.settimeout(30)
b.connect(to)
for word in (b'one', b'two', b'x' * 1400):
    a.sendto(word, to)
    print(a.recvfrom(2000)[0][:5].decode(), 'from')
    b.send(word)
    print(b.recv(2000)[:5].decode())
a.sendto(b'three', to)
print(a.recvfrom(2000)[1][:2] == to)
",
        to.ip(),
        to.port()
    );
    let Some(ended) = run(host, &script, &[to]) else { return };
    let expected = "ONE from\nONE\nTWO from\nTWO\nXXXXX from\nXXXXX\nTrue\n";
    assert_eq!((ended.output.as_str(), ended.exit), (expected, Exit::Code(0)));
}

/// Connects to each and says what came of it: a connection that is not refused at once is reset before a byte comes.
const TRY: &str = "
import socket, sys
for where in sys.argv[1:]:
    address, port = where.rsplit(':', 1)
    try:
        s = socket.create_connection((address, int(port)), timeout=30)
        s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
        print(where, 'answered' if s.recv(100) else 'closed')
    except OSError as e:
        print(where, 'refused')
";

#[test]
fn the_machine_itself_is_not_outside() {
    let Some((host, address)) = able() else { return };
    // What the host offers to everybody, to itself, and what it could hear on any address.
    let listeners: Vec<TcpListener> =
        ["0.0.0.0:0", "127.0.0.1:0", "[::]:0"].iter().filter_map(|to| TcpListener::bind(to).ok()).collect();
    let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    for listener in listeners {
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = stream.unwrap().write_all(b"a secret");
            }
        });
    }
    let mut targets: Vec<String> = vec!["169.254.169.254:80".to_owned(), "169.254.170.2:80".to_owned()];
    for port in ports {
        for address in [
            address.to_string(),
            "127.0.0.1".to_owned(),
            "127.0.0.53".to_owned(),
            "0.0.0.0".to_owned(),
            "::1".to_owned(),
            format!("::ffff:{address}"),
            "169.254.76.1".to_owned(),
        ] {
            targets.push(format!("{address}:{port}"));
        }
    }
    let script = format!("import sys\nsys.argv += {targets:?}\n{TRY}");
    let Some(ended) = run(&host, &script, &[]) else { return };
    for line in ended.output.lines() {
        assert!(line.ends_with("refused"), "{line}");
    }
    assert_eq!((ended.output.lines().count(), ended.exit), (targets.len(), Exit::Code(0)));
}

#[test]
fn without_anybody_at_the_door_nothing_gets_out() {
    let Some((host, address)) = able() else { return };
    let listener = TcpListener::bind((address, 0)).unwrap();
    let to = listener.local_addr().unwrap();
    let script = format!("import sys\nsys.argv += ['{to}', '1.1.1.1:80']\n{TRY}");
    for network in [Network::Full, Network::Platform, Network::None] {
        let Some(plan) = python(&script) else { return };
        let plan = Plan { network, memory_bytes: 256 << 20, ..plan };
        let (Booted { child, outside, .. }, read) = boot(&host, plan, &[]);
        assert_eq!(outside.is_some(), network == Network::Full);
        drop(outside);
        assert_eq!(rest(read), format!("{to} refused\n1.1.1.1:80 refused\n"), "{network:?}");
        drop(child);
    }
}

#[test]
fn a_guest_sees_no_interface_of_the_host() {
    let Some((host, _)) = able() else { return };
    let plan = Plan {
        network: Network::Full,
        ..plan(
            "tail -n +3 /proc/net/dev | cut -d: -f1 | grep -v lo; cat /etc/resolv.conf | head -1; wc -l < /proc/net/tcp; head -1 /etc/hosts",
        )
    };
    let (read, streams) = output();
    let booted = host.boot(&sandbox::Boot { plan, ports: Vec::new() }, streams).unwrap();
    let text = rest(read);
    drop(booted);
    // The trap's two sockets for connections, and a heading.
    assert_eq!(text, "nameserver 169.254.76.1\n3\n127.0.0.1 localhost sandbox\n");
}
