//! A guest's own network: a loopback, and the ports on which the platform listens there.

use std::net::{SocketAddr, TcpListener};

use super::{Failure, Step};
use crate::plan::{Network, Plan};
use crate::sys;

/// Builds the network that this process is in, if it is the guest's own, and opens the platform's ports in it.
pub(super) fn build(plan: &Plan, ports: &[SocketAddr]) -> Result<Vec<TcpListener>, Failure> {
    match plan.network {
        Network::Full => {}
        // A loopback that is down would surprise programs that talk to themselves.
        Network::Platform | Network::None => sys::raise_interface(c"lo").step("raising the loopback")?,
    }
    ports.iter().map(|port| listen(*port).step(&format!("listening on {port}"))).collect()
}

fn listen(port: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(port)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
