//! A guest's way to the outside world: the node accepts what the guest connects to, and makes the connection itself.
//!
//! What always holds: a guest reaches only what the [`Rules`] allow, whatever name or form of address it used; it has a bounded number of
//! connections and flows; dropping this closes the way at once. What is different from a wire: a connection stands before the other
//! side has answered, and ends with a reset if that refuses; only TCP and UDP get through, as on Lambda.

mod datagrams;
mod names;
mod rules;
mod streams;

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use tokio::task::JoinSet;

pub use rules::Rules;

use crate::message::{Order, Purpose, WaysOut};
use crate::steward::Steward;

/// See the file. Run it for as long as the guest may reach the outside world.
#[derive(Debug)]
pub struct Outside {
    names: (UdpSocket, TcpListener),
    ways: Vec<(OwnedFd, TcpListener)>,
    inside: Inside,
}

/// How the node gets sockets in the guest's network.
#[derive(Clone, Debug)]
struct Inside {
    steward: Arc<Steward>,
    network: Arc<OwnedFd>,
}

impl Outside {
    /// The most connections of one guest at a time; more wait to be accepted.
    pub const CONNECTIONS_MAX: usize = 512;
    /// The most other ends to which one guest sends datagrams at a time; those to more are dropped.
    pub const FLOWS_MAX: usize = 128;

    /// From the trap's sockets, in the order in which they are made.
    pub(crate) fn new(sockets: Vec<OwnedFd>, ways: WaysOut, steward: Arc<Steward>, network: OwnedFd) -> Option<Self> {
        let mut sockets = sockets.into_iter();
        let names = (sockets.next()?.into(), sockets.next()?.into());
        let count = [ways.four, ways.six].into_iter().filter(|way| *way).count();
        let ways = (0..count).map(|_| Some((sockets.next()?, sockets.next()?.into()))).collect::<Option<_>>()?;
        Some(Self { names, ways, inside: Inside { steward, network: Arc::new(network) } })
    }

    /// Carries what the guest sends and gets, until it is dropped. Ends by itself only if the system gives no descriptors any more.
    pub async fn serve(self, rules: Arc<Rules>) -> io::Result<()> {
        let mut work = JoinSet::new();
        let (datagrams, streams) = self.names;
        work.spawn(names::datagrams(tokio::net::UdpSocket::from_std(datagrams)?));
        work.spawn(names::streams(tokio::net::TcpListener::from_std(streams)?));
        for (datagrams, streams) in self.ways {
            let listener = tokio::net::TcpListener::from_std(streams)?;
            work.spawn(streams::carry(listener, Arc::clone(&rules)));
            work.spawn(datagrams::carry(datagrams, Arc::clone(&rules), self.inside.clone()));
        }
        // Each goes on for good: the first that ends is an error.
        match work.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(error)) => Err(io::Error::other(error)),
            None => Ok(()),
        }
    }
}

impl Inside {
    /// A socket in the guest's network from which datagrams seem to come from somebody outside.
    async fn standing_for(&self, address: SocketAddr) -> io::Result<tokio::net::UdpSocket> {
        let (steward, network) = (Arc::clone(&self.steward), Arc::clone(&self.network));
        let order = Order::Socket(Purpose::SendFrom(address));
        let asked = tokio::task::spawn_blocking(move || steward.ask(&order, &[network.as_fd()]));
        let (_, mut fds) = asked.await?.map_err(io::Error::other)?;
        let socket = fds.pop().ok_or_else(|| io::Error::other("no socket came"))?;
        tokio::net::UdpSocket::from_std(socket.into())
    }
}
