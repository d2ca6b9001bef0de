//! A guest's own network: a loopback, the ports on which the platform listens there, and for the outside world a trap.
//!
//! The trap: every address in the world is routed to the loopback, and there all packets that are not for the guest itself are handed
//! (by the packet filter's TPROXY, which leaves addresses as they are) to sockets that belong to the node. The node accepts what the
//! guest connects to, and makes the connection itself if the rules allow it. So a guest never has a socket in the host's network, the
//! host's routes and filters stay as they are, and it works without root. Roads not taken: a pair of interfaces and address
//! translation needs root, turns the host into a router and fights with its firewall; sharing the host's network behind a filter of
//! BPF needs root too, and leaves guests each other's ports.

mod netlink;
mod trap;

pub(crate) use trap::{DNS, OWN4};

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use super::{Failure, Step};
use crate::message::Start;
use crate::plan::Network;
use crate::sys;

/// Builds the network that this process is in, if it is the guest's own, and opens the platform's sockets in it: its ports, then those
/// of the trap.
pub(super) fn build(start: &Start) -> Result<Vec<OwnedFd>, Failure> {
    if !start.own_network {
        return Ok(Vec::new());
    }
    // A loopback that is down would surprise programs that talk to themselves.
    sys::raise_interface(c"lo").step("raising the loopback")?;
    let ports = start.ports.iter().map(|port| listen(*port).map(OwnedFd::from).step(&format!("listening on {port}")));
    let mut sockets = ports.collect::<Result<Vec<_>, _>>()?;
    match start.plan.network {
        Network::None | Network::Platform => {}
        Network::Full => sockets.extend(trap::set(start.ways_out)?),
    }
    Ok(sockets)
}

fn listen(port: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(port)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
