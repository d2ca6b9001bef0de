//! What the node, its steward and the guests' first processes say to each other, over local sockets that keep messages whole.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, socketpair,
};
use serde::{Deserialize, Serialize};

use crate::plan::{Mount, Plan, Program};

/// The most descriptors that travel with one message.
pub(crate) const FDS_MAX: usize = 16;

/// What the node asks of its steward, which answers each with one [`Answer`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// The first, and once.
    /// The node is gone when its end of the socket is; then whatever runs in the groups below these is ended.
    Serve { bases: Vec<PathBuf> },
    /// Fork a guest. Comes with [`Start::fds`].
    Start(Box<Start>),
    /// Put something into a guest's view. Comes with its mount namespace.
    Place { mounts: Vec<Mount>, tmp_bytes: Option<u64> },
    /// Make a socket in a guest's network. Comes with its network namespace.
    Socket(Purpose),
}

/// A guest to be. Its descriptors are: the socket for its [`Word`]s; its cgroup if `into_group`; the output pipe; the channels.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) plan: Plan,
    pub(crate) identity: Identity,
    /// True if a descriptor of a cgroup (version 2) to be born into comes along.
    pub(crate) into_group: bool,
    /// Where to enrol before anything else: `cgroup.procs` files (version 1).
    pub(crate) enrol: Vec<PathBuf>,
    /// False if it shares the host's network.
    pub(crate) own_network: bool,
    /// Where the platform listens in it.
    pub(crate) ports: Vec<SocketAddr>,
    /// How the outside world can be reached from the host.
    pub(crate) ways_out: WaysOut,
    /// The most processes, where no cgroup counts them.
    pub(crate) processes_max: Option<u32>,
    pub(crate) task: Task,
}

/// What a socket in a guest's network is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Purpose {
    /// To connect to this address.
    Connect(SocketAddr),
    /// To send datagrams that come from this address, whoever's that is.
    SendFrom(SocketAddr),
}

/// The kinds of addresses for which the host knows a way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WaysOut {
    pub(crate) four: bool,
    pub(crate) six: bool,
}

impl WaysOut {
    /// As it is now: asks for routes, sends nothing.
    pub(crate) fn now() -> Self {
        let knows =
            |from: IpAddr, to: IpAddr| UdpSocket::bind((from, 0)).is_ok_and(|socket| socket.connect((to, 53)).is_ok());
        // Any address far away will do: these are root name servers.
        Self {
            four: knows(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(198, 41, 0, 4).into()),
            six: knows(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30).into()),
        }
    }
}

/// Who a guest is on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Identity {
    /// The node is root: the guest gets a user id of its own.
    Own { uid: u32 },
    /// The node is an ordinary user: the guest is that user, in a user namespace.
    Same { uid: u32, gid: u32 },
}

/// What follows once the walls stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Run the plan's program.
    Run,
    /// Say that they stand, handing out the namespaces and the ports; then run the plan's program, or wait for one.
    Boot,
    /// Nothing: the walls themselves were the question.
    Probe,
}

/// The steward's answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// It is done. What was made comes along.
    Done,
    /// The first process of a new PID namespace. Its pidfd comes along.
    Began { pid: i32 },
    /// A step failed: nothing is changed.
    Failed { step: String, reason: String },
}

/// What a guest's first processes tell the node.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Word {
    /// The walls stand. Its mount and network namespaces come along, then the ports in the plan's order, then the trap's sockets.
    Built,
    /// The walls stood, with file rules of this version. Nothing runs.
    Probed { rules: u32 },
    /// A step failed: nothing runs.
    Failed { step: String, reason: String },
    /// The guest's own first process ended.
    Ended { code: Option<i32>, signal: Option<i32> },
}

/// The one thing that the node tells a guest's first process: what to become.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Go {
    pub(crate) program: Program,
}

/// How long the node waits for a message before it takes the other side for dead. Set-up takes milliseconds, on a busy machine
/// hundreds of them.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two ends of a conversation: the node's, which waits only so long, and the other one's.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&ours, Timeout::Recv, Some(PATIENCE))?;
    Ok((ours, theirs))
}

/// Sends one message with descriptors.
pub(crate) fn send<T: Serialize>(socket: BorrowedFd<'_>, message: &T, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > Plan::BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a message of {} bytes is over {}", bytes.len(), Plan::BYTES_MAX),
        ));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors for one message"));
    }
    loop {
        match rustix::net::sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL) {
            Err(rustix::io::Errno::INTR) => {}
            other => return other.map(|_| ()).map_err(io::Error::from),
        }
    }
}

/// Takes one message; `None` when the other side is gone.
pub(crate) fn receive<T: for<'a> Deserialize<'a>>(socket: BorrowedFd<'_>) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    receive_into(socket, &mut vec![0; Plan::BYTES_MAX])
}

/// The same with a buffer that is used again and again.
pub(crate) fn receive_into<T: for<'a> Deserialize<'a>>(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut parts = [IoSliceMut::new(bytes)];
        match rustix::net::recvmsg(socket.as_fd(), &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    let message = serde_json::from_slice(&bytes[..received.bytes])?;
    Ok(Some((message, fds)))
}
