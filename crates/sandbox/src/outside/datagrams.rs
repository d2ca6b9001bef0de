//! Datagrams: for each pair of guest's port and address outside a *flow*, with a socket outside that lives as long as it is used.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{OnceCell, mpsc};
use tokio::task::JoinSet;

use super::{Inside, Outside, Rules};
use crate::sys;

/// A flow over which nothing went for so long is over.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// Datagrams of one flow that wait to be sent on; more are dropped, as any network does.
const QUEUE_MAX: usize = 32;
/// The largest datagram there is.
const BYTES_MAX: usize = 64 << 10;

/// Whose datagrams to whom.
type Key = (SocketAddr, SocketAddr);
type Flows = HashMap<Key, mpsc::Sender<Vec<u8>>>;

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
        let bytes = buffer[..datagram.length].to_vec();
        if let Some(flow) = flows.get(&key) {
            // A full queue drops it; a flow that just ended has the next one begin anew.
            let _ = flow.try_send(bytes);
            continue;
        }
        if flows.len() >= Outside::FLOWS_MAX || !rules.allow(datagram.to) {
            tracing::debug!(to = %datagram.to, "a guest's datagram is dropped");
            continue;
        }
        let (send, receive) = mpsc::channel(QUEUE_MAX);
        // There is room: it is new.
        let _ = send.try_send(bytes);
        flows.insert(key, send);
        let stands = stands.clone();
        running.spawn(async move {
            if let Err(error) = flow(key, receive, &stands).await {
                tracing::debug!(%error, to = %key.1, "a guest's flow of datagrams ended");
            }
            key
        });
    }
}

/// One flow, until it has been idle for too long or the other side cannot be reached.
async fn flow((from, to): Key, mut queue: mpsc::Receiver<Vec<u8>>, stands: &Stands) -> io::Result<()> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let outside = UdpSocket::bind((any, 0)).await?;
    outside.connect(to).await?;
    let stand = stands.of(to);
    let mut buffer = vec![0; BYTES_MAX];
    loop {
        let answered = tokio::select! {
            bytes = queue.recv() => {
                let Some(bytes) = bytes else { return Ok(()) };
                outside.send(&bytes).await?;
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
