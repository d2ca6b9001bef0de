//! Names: what a guest asks is asked of the host's own name servers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::streams;
use crate::init::network::DNS;

/// Questions of one guest that wait for an answer; more are dropped, and asked again by whoever asked.
const QUESTIONS_MAX: usize = 64;
/// Connections for questions or answers that are too large for a datagram; more wait.
const CONNECTIONS_MAX: usize = 16;
/// How long one server is waited for, before the next one is asked.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How long a connection may last.
const CONNECTION_MAX: Duration = Duration::from_secs(30);
/// The most that a question or an answer takes in a datagram.
const BYTES_MAX: usize = 4 << 10;
/// As many servers as C libraries ask.
const SERVERS_MAX: usize = 3;

/// Answers questions that come by datagram, for good.
pub(super) async fn datagrams(inside: UdpSocket) -> io::Result<()> {
    let inside = Arc::new(inside);
    let room = Arc::new(Semaphore::new(QUESTIONS_MAX));
    let mut questions = JoinSet::new();
    let mut buffer = vec![0; BYTES_MAX];
    loop {
        // An error here is about an answer that nobody waited for.
        let Ok((length, from)) = inside.recv_from(&mut buffer).await else { continue };
        while questions.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let (inside, question) = (Arc::clone(&inside), buffer[..length].to_vec());
        questions.spawn(async move {
            match answer(&question).await {
                Ok(answer) => drop(inside.send_to(&answer, from).await),
                Err(error) => tracing::debug!(%error, "a guest's question for a name is not answered"),
            }
            drop(permit);
        });
    }
}

/// The first answer of any server.
async fn answer(question: &[u8]) -> io::Result<Vec<u8>> {
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for server in servers() {
        match tokio::time::timeout(ANSWER_MAX, ask(server, question)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => last = error,
            Err(_) => {}
        }
    }
    Err(last)
}

async fn ask(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any: SocketAddr = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse().map_err(io::Error::other)?;
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; BYTES_MAX];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // One number belongs to the question and its answer.
        if buffer[..length].get(..2) == question.get(..2) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

/// Answers questions that come by connection, for good.
pub(super) async fn streams(listener: TcpListener) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let permit = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
        let (inside, _) = listener.accept().await?;
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            let carried = tokio::time::timeout(CONNECTION_MAX, async {
                let server = servers().first().copied().ok_or(io::ErrorKind::NotFound)?;
                streams::relay(&inside, &TcpStream::connect(server).await?).await
            });
            // Whoever asked asks again.
            let _ = carried.await;
            drop(permit);
        });
    }
}

/// The host's name servers as they are now: a laptop that moves has others.
fn servers() -> Vec<SocketAddr> {
    parse(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
}

/// Without any, it is the host itself.
fn parse(text: &str) -> Vec<SocketAddr> {
    let addresses =
        text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok());
    let mut servers: Vec<SocketAddr> = addresses.take(SERVERS_MAX).map(|address| (address, DNS).into()).collect();
    if servers.is_empty() {
        servers.push((Ipv4Addr::LOCALHOST, DNS).into());
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_hosts_servers() {
        for (text, expected) in [
            ("", vec!["127.0.0.1:53"]),
            ("# nameserver 9.9.9.9\nnameserver 127.0.0.53\noptions edns0\n", vec!["127.0.0.53:53"]),
            (
                "nameserver 1.1.1.1\nnameserver\t::1\nnameserver x\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n",
                vec!["1.1.1.1:53", "[::1]:53", "2.2.2.2:53"],
            ),
        ] {
            let expected: Vec<SocketAddr> = expected.into_iter().map(|one| one.parse().unwrap()).collect();
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
