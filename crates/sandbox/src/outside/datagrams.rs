//! Datagrams: for each pair of guest's port and address outside a *flow*, with a socket outside that lives as long as it is used.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::{Inside, Outside, Rules};
use crate::sys;

/// A flow over which nothing went for so long is over.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// A flow that ended because the other side refused it keeps its place for so long: a guest and a friend outside could else have the
/// steward make sockets for nothing, as fast as it can, while others wait for it.
const REST: Duration = Duration::from_secs(5);
/// Datagrams of one flow that wait to be sent on; more are dropped, as any network does.
const QUEUE_MAX: usize = 32;
/// Bytes of all flows of a guest that wait to be sent on: they are in the node's memory, not in the guest's. More are dropped too.
const QUEUED_BYTES_MAX: usize = 1 << 20;
/// The largest datagram there is.
const BYTES_MAX: usize = 64 << 10;

/// Whose datagrams to whom.
type Key = (SocketAddr, SocketAddr);
type Flows = HashMap<Key, mpsc::Sender<Packed>>;

/// A datagram that waits, and the room that it takes.
struct Packed {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl Packed {
    /// None if it must be dropped.
    fn new(bytes: &[u8], room: &Arc<Semaphore>) -> Option<Self> {
        let size = u32::try_from(bytes.len()).ok()?;
        let permit = Arc::clone(room).try_acquire_many_owned(size).ok()?;
        Some(Self { bytes: bytes.to_vec(), _room: permit })
    }
}

/// The sockets inside that stand for addresses outside: flows to one address share one.
#[derive(Clone)]
struct Stands {
    inside: Inside,
    known: Arc<Mutex<HashMap<SocketAddr, Weak<OnceCell<UdpSocket>>>>>,
}

/// Takes what the guest sends to anybody and carries it, for good.
pub(super) async fn carry(trap: OwnedFd, rules: Arc<Rules>, inside: Inside) -> io::Result<()> {
    let trap = sys::watch(trap)?;
    let stands = Stands { inside, known: Arc::default() };
    let room = Arc::new(Semaphore::new(QUEUED_BYTES_MAX));
    let mut flows = Flows::new();
    let mut running = JoinSet::new();
    let mut buffer = vec![0; BYTES_MAX];
    loop {
        let mut ready = tokio::select! {
            biased;
            Some(ended) = running.join_next() => {
                if let Ok(key) = ended {
                    flows.remove(&key);
                }
                continue;
            }
            ready = trap.readable() => ready?,
        };
        let taken = ready.try_io(|trap| sys::receive_for(trap.get_ref().as_fd(), &mut buffer));
        let datagram = match taken {
            Ok(Ok(Some(datagram))) => datagram,
            // Without its address, or an error of an earlier one: either way there is nothing to carry.
            Ok(Ok(None) | Err(_)) | Err(_) => continue,
        };
        let key = (datagram.from, datagram.to);
        let Some(packed) = Packed::new(&buffer[..datagram.length], &room) else { continue };
        if let Some(flow) = flows.get(&key) {
            // A full queue drops it, and so does one of a flow that ended and rests.
            let _ = flow.try_send(packed);
            continue;
        }
        if flows.len() >= Outside::FLOWS_MAX || !rules.allow(datagram.to) {
            tracing::debug!(to = %datagram.to, "a guest's datagram is dropped");
            continue;
        }
        let (send, receive) = mpsc::channel(QUEUE_MAX);
        // There is room: it is new.
        let _ = send.try_send(packed);
        flows.insert(key, send);
        let stands = stands.clone();
        running.spawn(async move {
            if let Err(error) = flow(key, receive, &stands).await {
                tracing::debug!(%error, to = %key.1, "a guest's flow of datagrams ended");
                tokio::time::sleep(REST).await;
            }
            key
        });
    }
}

/// One flow, until it has been idle for too long or the other side cannot be reached.
async fn flow((from, to): Key, mut queue: mpsc::Receiver<Packed>, stands: &Stands) -> io::Result<()> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let outside = UdpSocket::bind((any, 0)).await?;
    outside.connect(to).await?;
    let stand = stands.of(to);
    let mut buffer = vec![0; BYTES_MAX];
    loop {
        let answered = tokio::select! {
            packed = queue.recv() => {
                let Some(packed) = packed else { return Ok(()) };
                outside.send(&packed.bytes).await?;
                continue;
            }
            answered = tokio::time::timeout(IDLE_MAX, outside.recv(&mut buffer)) => answered,
        };
        let Ok(length) = answered else { return Ok(()) };
        let length = length?;
        let socket = stand.get_or_try_init(|| stands.inside.standing_for(to)).await?;
        socket.send_to(&buffer[..length], from).await?;
    }
}

impl Stands {
    /// The one for an address; it is made when it is first needed.
    fn of(&self, address: SocketAddr) -> Arc<OnceCell<UdpSocket>> {
        let mut known = self.known.lock().expect("nothing panics while it holds this lock");
        if let Some(stand) = known.get(&address).and_then(Weak::upgrade) {
            return stand;
        }
        known.retain(|_, stand| stand.strong_count() > 0);
        let stand = Arc::new(OnceCell::new());
        known.insert(address, Arc::downgrade(&stand));
        stand
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let room = Arc::new(Semaphore::new(QUEUED_BYTES_MAX));
        let largest = vec![0; 65_507];
        let waiting: Vec<Packed> = std::iter::from_fn(|| Packed::new(&largest, &room)).collect();
        assert_eq!(waiting.len(), QUEUED_BYTES_MAX / largest.len());
        assert!(Packed::new(b"a word", &room).is_some(), "there is room for something small");
        drop(waiting);
        assert!(Packed::new(&largest, &room).is_some());
    }
}
