//! Listening: binding, accepting, closing in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::task::Kind;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Door, Mode, connection};

/// Which of the node's faces an address shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// Everything: AWS's operations, the node's own paths, function URLs.
    Whole,
    /// Only what is meant for everybody: function URLs.
    Public,
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else is there.
    #[error(
        "{0} is taken by another program (perhaps another node): stop it, or choose another address with --listen, such as \
         --listen 127.0.0.1:4567"
    )]
    Taken(SocketAddr),
    /// Ports below 1024 are the system's.
    #[error("this user may not listen on {0}: choose a port above 1023")]
    Forbidden(SocketAddr),
    /// Open mode, where others could reach it.
    #[error(
        "{0} can be reached from other machines, and without --auth iam everybody who reaches the node may do everything: add \
         --auth iam, or listen on 127.0.0.1"
    )]
    OpenToOthers(SocketAddr),
    /// The address is no address of this machine.
    #[error(
        "{0} is no address of this machine: listen on 127.0.0.1 for this machine only, or on 0.0.0.0 for all the addresses that it \
         has"
    )]
    Elsewhere(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// An address that is held, and not yet answered on.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    face: Face,
}

impl Bound {
    /// The address, with the port that the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Takes hold of an address, before there is a door: who needs the port (a function's environment) can be told it. Clients may
/// connect from now on; they are answered after [`Door::open`].
pub async fn bind(address: SocketAddr, face: Face) -> Result<Bound, BindError> {
    let bound = match TcpListener::bind(address).await {
        Ok(listener) => listener.local_addr().map(|address| Bound { listener, address, face }),
        Err(error) => Err(error),
    };
    bound.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken(address),
        io::ErrorKind::PermissionDenied => BindError::Forbidden(address),
        io::ErrorKind::AddrNotAvailable => BindError::Elsewhere(address),
        _ => BindError::Other { address, source },
    })
}

impl Door {
    /// Answers on an address, until [`Door::close`]. Refused for the whole face in open mode where others could reach it.
    pub fn open(&self, bound: Bound) -> Result<(), BindError> {
        let reachable = !bound.address.ip().to_canonical().is_loopback();
        if reachable && bound.face == Face::Whole && matches!(self.parts().mode, Mode::Open) {
            return Err(BindError::OpenToOthers(bound.address));
        }
        let door = self.clone();
        self.tasks().spawn(Kind::Vital, "listener", async move { door.accept(bound).await });
        Ok(())
    }

    /// Stops accepting at once, lets the requests that are being worked on end, and closes their connections. False if some
    /// were still running when `patience` was over.
    pub async fn close(&self, patience: Duration) -> bool {
        self.tasks().shut_down(patience).await
    }

    async fn accept(&self, Bound { listener, face, .. }: Bound) {
        let closing = self.tasks().stopping();
        let room = Arc::new(Semaphore::new(self.parts().limits.connections_max));
        loop {
            let permit = tokio::select! {
                biased;
                () = closing.cancelled() => return,
                permit = Arc::clone(&room).acquire_owned() => permit.expect("this semaphore is never closed"),
            };
            let accepted = tokio::select! {
                biased;
                () = closing.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.welcome(stream, peer, face, permit),
                Err(error) => {
                    // Out of descriptors, or a client that was gone at once. Accepting goes on, but not in a tight loop.
                    tracing::warn!(%error, "a connection could not be accepted");
                    self.parts().clock.sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    fn welcome(&self, stream: TcpStream, peer: SocketAddr, face: Face, permit: OwnedSemaphorePermit) {
        // Answers are small and whole; waiting for more would cost 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it was served");
            return;
        }
        let Some(place) = self.crowd().enter(peer.ip()) else {
            tracing::debug!(%peer, "a client has too many connections");
            return;
        };
        let (door, closing) = (self.clone(), self.tasks().stopping());
        self.tasks().spawn(Kind::Work, "connection", async move {
            connection::serve(stream, peer.ip(), face, door, closing).await;
            drop((permit, place));
        });
    }
}
