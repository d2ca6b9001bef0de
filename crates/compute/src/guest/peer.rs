//! Who is at the other end of a loopback connection: so that a guest's Runtime API answers that guest alone, although guests share
//! the host's network.

use std::fs;
use std::net::SocketAddr;

/// The user id that owns the socket at `peer`, if the system tells.
pub(super) fn owner(peer: SocketAddr) -> Option<u32> {
    let SocketAddr::V4(peer) = peer else {
        return None;
    };
    // The kernel writes the address as one number of the machine's own byte order.
    let wanted = format!("{:08X}:{:04X}", u32::from_ne_bytes(peer.ip().octets()), peer.port());
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let line = table.lines().skip(1).find(|line| line.split_whitespace().nth(1) == Some(&wanted))?;
    line.split_whitespace().nth(7)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn the_owner_of_a_connection_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let us = rustix::process::geteuid().as_raw();
        assert_eq!(super::owner(stream.local_addr().unwrap()), Some(us));
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(super::owner(peer), Some(us));
    }
}
