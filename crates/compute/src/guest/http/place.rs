//! Where a guest's server is, when it begins to listen, and the way there.
//!
//! In a network of its own a guest is alone: the port is always the same, and what listens there is it. Where guests share the host's
//! network each gets a port that was free, and what listens there is asked for its owner, because anybody could be quicker.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{OnceLock, Weak};
use std::time::Duration;

use sandbox::Child;
use tokio::net::TcpStream;

use crate::guest::peer;

/// How long lies between two looks at first, and at last.
const LOOK_FIRST: Duration = Duration::from_millis(1);
const LOOK_LAST: Duration = Duration::from_millis(20);
/// The kernel's number for a socket that listens.
const LISTENS: &str = "0A";

/// See the file.
pub(crate) struct Place {
    way: Way,
    port: u16,
    /// Where it answered first.
    found: OnceLock<SocketAddr>,
}

enum Way {
    /// Into the guest's own network.
    Inside(Weak<Child>),
    /// Over the host's loopback, to the user that the guest is, if it is one of its own.
    Host { uid: Option<u32> },
}

/// A port of the host's loopback that nobody has now.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Place {
    /// A port in the guest's own network.
    pub(crate) fn inside(child: Weak<Child>, port: u16) -> Self {
        Self { way: Way::Inside(child), port, found: OnceLock::new() }
    }

    /// A port of the host, where sockets of `uid` are the guest's.
    pub(crate) fn on_host(uid: Option<u32>, port: u16) -> Self {
        Self { way: Way::Host { uid }, port, found: OnceLock::new() }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until the server listens, and connects. Whoever calls this ends it when it takes too long.
    pub(super) async fn first(&self) -> TcpStream {
        let mut pause = LOOK_FIRST;
        loop {
            // Looking costs some microseconds; a connection into another network costs half a millisecond.
            if self.listens().unwrap_or(true)
                && let Ok(stream) = self.dial().await
            {
                return stream;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_LAST);
        }
    }

    /// Connects to it.
    pub(super) async fn dial(&self) -> io::Result<TcpStream> {
        if let Some(known) = self.found.get() {
            return self.connect(*known).await;
        }
        let mut last = io::Error::from(io::ErrorKind::ConnectionRefused);
        // Some servers listen on the newer family's loopback alone.
        for host in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let address = SocketAddr::new(host, self.port);
            match self.connect(address).await {
                Ok(stream) => {
                    // Another call may have found it at the same moment.
                    let _ = self.found.set(address);
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = match &self.way {
            Way::Inside(child) => {
                let child = child.upgrade().ok_or_else(|| io::Error::other("the guest has ended"))?;
                child.dial(address).await?
            }
            Way::Host { uid } => {
                let stream = TcpStream::connect(address).await?;
                if let Some(uid) = uid
                    && peer::owner(address, stream.local_addr()?) != Some(*uid)
                {
                    return Err(io::Error::other("somebody else listens on the port"));
                }
                stream
            }
        };
        // Requests are small and awaited: never hold them back for more.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Whether anybody listens on the port, if the system tells.
    fn listens(&self) -> Option<bool> {
        let folder = match &self.way {
            Way::Inside(child) => format!("/proc/{}/net", child.upgrade()?.pid()),
            Way::Host { .. } => "/proc/net".to_owned(),
        };
        let older = fs::read_to_string(format!("{folder}/tcp")).ok()?;
        // There is none where the newer family is switched off.
        let newer = fs::read_to_string(format!("{folder}/tcp6")).unwrap_or_default();
        Some(listens_in(&older, self.port) || listens_in(&newer, self.port))
    }
}

/// Reads the kernel's table of connections.
fn listens_in(table: &str, port: u16) -> bool {
    let ending = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        fields.next().is_some_and(|local| local.ends_with(&ending)) && fields.nth(1) == Some(LISTENS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_found_in_the_systems_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   1: 0100007F:1F91 0100007F:9001 01 00000000:00000000 00:00000000 00000000     0        0 0 1 0
   2: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 1 1 0
";
        for (port, expected) in [(8080, true), (8081, false), (80, true), (0x9001, false), (0x90, false)] {
            assert_eq!(listens_in(table, port), expected, "{port}");
        }
        assert!(!listens_in("", 80));
    }

    #[tokio::test]
    async fn a_server_of_somebody_else_is_not_asked() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let us = rustix::process::geteuid().as_raw();
        assert!(Place::on_host(Some(us), port).dial().await.is_ok());
        assert!(Place::on_host(None, port).dial().await.is_ok());
        assert!(Place::on_host(Some(us + 1), port).dial().await.is_err());
    }
}
