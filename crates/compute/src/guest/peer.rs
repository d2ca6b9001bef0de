//! Who is at the other end of a loopback connection: so that a guest's Runtime API answers that guest alone, although guests share
//! the host's network.

use std::fs;
use std::net::SocketAddr;

/// The table is read in pieces while others open and close connections, so that a line may be missed; not again and again.
const READINGS_MAX: usize = 5;
/// A closed connection that waits for stragglers: it belongs to nobody any more.
const TIME_WAIT: &str = "06";

/// The user id that owns the socket at `peer` whose connection leads to `here`, if the system tells.
pub(super) fn owner(peer: SocketAddr, here: SocketAddr) -> Option<u32> {
    let (peer, here) = (written(peer)?, written(here)?);
    (0..READINGS_MAX).find_map(|_| owner_in(&fs::read_to_string("/proc/net/tcp").ok()?, &peer, &here))
}

/// As the kernel writes it: the address is one number of the machine's own byte order.
fn written(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else {
        return None;
    };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port()))
}

/// Both ends count: an earlier connection of somebody else's may have had the same port, to another place.
fn owner_in(table: &str, peer: &str, here: &str) -> Option<u32> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let is_it = fields.next() == Some(peer) && fields.next() == Some(here) && fields.next() != Some(TIME_WAIT);
        is_it.then(|| fields.nth(3)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_owner_of_a_connection_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap();
        let stream = TcpStream::connect(here).unwrap();
        let us = rustix::process::geteuid().as_raw();
        assert_eq!(owner(stream.local_addr().unwrap(), here), Some(us));
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(owner(peer, here), Some(us));
    }

    #[test]
    fn connections_that_had_the_port_before_are_told_apart() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   1: 0100007F:B2CE 0100007F:11D6 06 00000000:00000000 03:00000d5f 00000000     0        0 0 3 0
   2: 0100007F:B2CE 0100007F:9001 01 00000000:00000000 00:00000000 00000000  7007        0 2 1 0
   3: 0100007F:B2CE 0100007F:1F90 06 00000000:00000000 03:00000d5f 00000000     0        0 0 3 0
   4: 0100007F:B2CE 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  2000        0 3 1 0
";
        let check = |peer: &str, here: &str, expected: Option<u32>| assert_eq!(owner_in(table, peer, here), expected);
        check("0100007F:B2CE", "0100007F:1F90", Some(2000));
        check("0100007F:B2CE", "0100007F:9001", Some(7007));
        check("0100007F:B2CE", "0100007F:11D6", None);
        check("0100007F:AAAA", "0100007F:1F90", None);
        assert_eq!(owner_in("", "0100007F:B2CE", "0100007F:1F90"), None);
    }
}
