//! Connections: one inside, one outside, and what comes from one goes to the other.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Outside, Rules};

/// How long the other side may take to answer before it is given up; a guest's own patience is mostly shorter.
const CONNECT_MAX: Duration = Duration::from_secs(60);
/// What is in flight in each direction of one connection, at most.
const BUFFER_BYTES: usize = 16 << 10;
/// How long accepting rests when the system has no descriptor left for one more.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts and carries, for good.
pub(super) async fn carry(listener: TcpListener, rules: Arc<Rules>) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(Outside::CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let permit = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
        let inside = match listener.accept().await {
            Ok((inside, _)) => inside,
            Err(error) => {
                tracing::warn!(%error, "a guest's connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let rules = Arc::clone(&rules);
        connections.spawn(async move {
            if let Err(error) = one(&inside, &rules).await {
                tracing::debug!(%error, "a guest's connection ended");
                // It is told as the other side would have: by a reset.
                let _ = inside.set_zero_linger();
            }
            drop(permit);
        });
    }
}

/// One connection, from its acceptance to its end.
async fn one(inside: &TcpStream, rules: &Rules) -> io::Result<()> {
    // Whom the guest meant: the trap leaves addresses as they are.
    let to = inside.local_addr()?;
    if !rules.allow(to) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{to} is not for guests")));
    }
    let connected = tokio::time::timeout(CONNECT_MAX, TcpStream::connect(to)).await;
    relay(inside, &connected??).await
}

/// Carries both directions until both have ended.
pub(super) async fn relay(inside: &TcpStream, outside: &TcpStream) -> io::Result<()> {
    // Whoever sends knows what belongs together.
    inside.set_nodelay(true)?;
    outside.set_nodelay(true)?;
    tokio::try_join!(one_way(inside, outside), one_way(outside, inside)).map(|_| ())
}

/// Carries one direction, its end included.
async fn one_way(from: &TcpStream, to: &TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        from.readable().await?;
        let mut read = match from.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => &buffer[..length],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        while !read.is_empty() {
            match to.try_write(read) {
                Ok(written) => read = &read[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => to.writable().await?,
                Err(error) => return Err(error),
            }
        }
    }
    rustix::net::shutdown(to, rustix::net::Shutdown::Write)?;
    Ok(())
}
