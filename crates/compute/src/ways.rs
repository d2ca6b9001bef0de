//! The ways out of a guest's own network: to the platform, to the Runtime API, and to the world. They end with the guest.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use base::task::{self, Kind};
use sandbox::{Outside, Rules};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

/// Where every guest with a network of its own finds the platform's services.
pub(crate) const PLATFORM: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4566);
/// Where it finds the Runtime API, if it speaks that: the port that Lambda has.
pub(crate) const RUNTIME_API: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9001);

/// The most connections of one guest to the platform at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 128;
/// How long accepting rests after an error that is not one connection's.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The tasks that serve one guest's ways.
#[derive(Default)]
pub(crate) struct Ways {
    tasks: Vec<AbortHandle>,
}

impl Ways {
    /// Connects a guest to the platform at `node`, by its listener there. Call it within the runtime.
    pub(crate) fn open_platform(&mut self, listener: StdListener, node: SocketAddr) -> std::io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        self.add("way to the platform", relay(listener, node));
        Ok(())
    }

    /// Lets a guest reach the world.
    pub(crate) fn open_world(&mut self, outside: Outside) {
        self.add("way to the world", async move {
            if let Err(error) = outside.serve(Arc::new(Rules::default())).await {
                tracing::warn!(%error, "a function lost its way to the world");
            }
        });
    }

    fn add(&mut self, name: &'static str, way: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(task::spawn(Kind::Work, name, way).abort_handle());
    }
}

impl Drop for Ways {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Carries bytes between each connection of a guest and one of ours. Dropping it cuts them all.
async fn relay(listener: TcpListener, node: SocketAddr) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((mut theirs, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            let _permit = permit;
            let Ok(mut ours) = TcpStream::connect(node).await else { return };
            // Small questions and answers: waiting to fill a packet would only make them late.
            let _ = (theirs.set_nodelay(true), ours.set_nodelay(true));
            // Torn by either side: the other one sees it closed.
            let _ = copy_bidirectional(&mut theirs, &mut ours).await;
        });
    }
}

/// The address in `http://HOST:PORT`, if it is one that needs no looking up.
pub(crate) fn address_of(url: &str) -> Option<SocketAddr> {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next()?;
    let (host, port) = authority.rsplit_once(':')?;
    let port = port.parse().ok()?;
    if host == "localhost" {
        return Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    let host: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    // A node that listens everywhere is reached on the loopback.
    let host = match host {
        IpAddr::V4(host) if host.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(host) if host.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        other => other,
    };
    Some(SocketAddr::new(host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_addresses() {
        for (url, expected) in [
            ("http://127.0.0.1:4566", Some("127.0.0.1:4566")),
            ("http://localhost:80/x", Some("127.0.0.1:80")),
            ("http://0.0.0.0:4566", Some("127.0.0.1:4566")),
            ("http://[::1]:4566", Some("[::1]:4566")),
            ("http://[::]:4566/", Some("[::1]:4566")),
            ("http://example.com:80", None),
            ("http://127.0.0.1", None),
        ] {
            assert_eq!(address_of(url), expected.map(|address| address.parse().unwrap()), "{url}");
        }
    }
}
