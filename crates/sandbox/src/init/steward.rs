//! The steward: one process with one thread beside the node, with the node's rights, that forks guests and changes what they see.
//!
//! A process of its own because entering another mount namespace needs a process without threads, because forking a small process
//! is quick, and because an ordinary user has rights over namespaces only from inside a user namespace, which a program with
//! threads cannot enter: the steward makes one and all guests' namespaces below it. It hears only the node. When the node is gone
//! it ends whatever is left in the guests' cgroups (a frozen guest would not notice) and itself.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, WaitOptions, chroot, fchdir, waitpid};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{Failure, Id, Step, view};
use crate::cgroup;
use crate::message::{self, Answer, Order, Purpose, Start};
use crate::plan::{Mount, Plan};
use crate::sys::{self, Brother, Fork};

/// See the file.
struct Steward {
    /// Where it belongs, to come back to.
    root: File,
    view: File,
    /// The node's own groups.
    bases: Vec<PathBuf>,
}

/// What obeying an order comes to.
enum Outcome {
    /// The answer, and what comes with it.
    Done(Answer, Vec<OwnedFd>),
    /// We are the new guest's first process.
    Born { start: Box<Start>, fds: Vec<OwnedFd> },
    /// We are a process that gives this one answer and ends.
    Last(Answer, Vec<OwnedFd>),
    /// A process of ours gives the answer.
    Left(Pid),
}

/// Serves the node until that is gone.
pub(super) fn run(node: OwnedFd) -> i32 {
    let mut buffer = vec![0; Plan::BYTES_MAX];
    let Ok(Some((Order::Serve { bases }, _))) = message::receive_into(node.as_fd(), &mut buffer) else {
        eprintln!("this is the sandbox helper, which only the node starts");
        return 2;
    };
    let steward = match Steward::settle(bases) {
        Ok(steward) => steward,
        Err(failure) => {
            let _ = message::send(node.as_fd(), &failure.answer(), &[]);
            return 1;
        }
    };
    let mut outcome = Outcome::Done(Answer::Done, Vec::new());
    loop {
        match outcome {
            Outcome::Done(answer, fds) => {
                if say(&node, &answer, &fds).is_err() {
                    return steward.end();
                }
            }
            Outcome::Last(answer, fds) => return i32::from(say(&node, &answer, &fds).is_err()),
            Outcome::Left(pid) => {
                let ended = waitpid(Some(pid), WaitOptions::empty());
                if !matches!(ended, Ok(Some((_, status))) if status.exit_status() == Some(0)) {
                    let (step, reason) = ("forking".to_owned(), "the process ended too early".to_owned());
                    if say(&node, &Answer::Failed { step, reason }, &[]).is_err() {
                        return steward.end();
                    }
                }
            }
            Outcome::Born { start, mut fds } => {
                // What is the steward's is not the guest's.
                drop((node, steward, buffer));
                // Out of the way of the numbers that the channels get.
                return match rustix::io::fcntl_dupfd_cloexec(fds.remove(0), sys::HIGH_FD) {
                    Ok(socket) => super::reap(socket.as_fd(), &start, fds),
                    Err(_) => 1,
                };
            }
        }
        outcome = match message::receive_into::<Order>(node.as_fd(), &mut buffer) {
            Ok(Some((order, fds))) => {
                steward.obey(order, fds).unwrap_or_else(|failure| Outcome::Done(failure.answer(), Vec::new()))
            }
            Ok(None) => return steward.end(),
            // Not a message of ours. The node starts another steward; the guests go on.
            Err(_) => return 1,
        };
    }
}

fn say(node: &OwnedFd, answer: &Answer, fds: &[OwnedFd]) -> io::Result<()> {
    let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
    message::send(node.as_fd(), answer, &fds)
}

impl Steward {
    /// Takes its place.
    fn settle(bases: Vec<PathBuf>) -> Result<Self, Failure> {
        rustix::process::setsid().step("starting a session")?;
        sys::block_signals().step("blocking signals")?;
        // Whatever keys the node's session has are not for guests. A kernel without keyrings, or a full quota of them, is no harm:
        // guests make none of the calls that use keys.
        let _ = sys::leave_keyring();
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        if !uid.is_root() {
            sys::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS).step("making a user namespace")?;
            // To itself: guests' own namespaces say who they are.
            let (uid, gid) = (uid.as_raw(), gid.as_raw());
            super::map_ids(Id { inside: uid, outside: uid }, Id { inside: gid, outside: gid })
                .step("mapping the user in its namespace")?;
            // What the host mounts later is to be seen here; what is done here is not to be seen there.
            mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM)
                .step("parting from the host's mounts")?;
        }
        let open = |path: &str| File::open(path).step("opening its own place");
        Ok(Self { root: open("/")?, view: open("/proc/self/ns/mnt")?, bases })
    }

    fn obey(&self, order: Order, fds: Vec<OwnedFd>) -> Result<Outcome, Failure> {
        match order {
            Order::Serve { .. } => {
                Err(Failure { step: "serving twice".to_owned(), source: io::ErrorKind::InvalidInput.into() })
            }
            Order::Start(start) => fork(start, fds),
            Order::Place { mounts, tmp_bytes } => {
                self.place(only(&fds)?, &mounts, tmp_bytes)?;
                Ok(Outcome::Done(Answer::Done, Vec::new()))
            }
            Order::Socket(purpose) => socket(only(&fds)?, purpose),
        }
    }

    /// Puts folders and files of the host into a guest's view, and changes the size of its `/tmp`.
    fn place(&self, guest: BorrowedFd<'_>, mounts: &[Mount], tmp_bytes: Option<u64>) -> Result<(), Failure> {
        // Everything is opened before anything is changed, so that a missing source changes nothing.
        let trees = mounts.iter().map(view::of_host).collect::<Result<Vec<_>, _>>()?;
        move_into_link_name_space(guest, Some(LinkNameSpaceType::Mount)).step("entering the guest's view")?;
        let placed = view::add(&trees).and_then(|()| tmp_bytes.map_or(Ok(()), view::resize_tmp));
        self.return_home();
        placed
    }

    /// Back to its own view. Entering a mount namespace also moved root and working directory.
    fn return_home(&self) {
        let back = move_into_link_name_space(self.view.as_fd(), Some(LinkNameSpaceType::Mount))
            .and_then(|()| fchdir(&self.root))
            .and_then(|()| chroot("."));
        if back.is_err() {
            // It must not go on in a guest's view: the node starts another.
            std::process::exit(3);
        }
    }

    /// The node is gone.
    fn end(&self) -> i32 {
        for base in &self.bases {
            cgroup::end_all_below(base);
            let _ = std::fs::remove_dir(base);
        }
        0
    }
}

/// Forks a guest's first process into namespaces of its own.
fn fork(start: Box<Start>, mut fds: Vec<OwnedFd>) -> Result<Outcome, Failure> {
    if fds.len() < 2 + usize::from(start.into_group) {
        return Err(Failure {
            step: "taking a guest's descriptors".to_owned(),
            source: io::ErrorKind::InvalidInput.into(),
        });
    }
    let group = start.into_group.then(|| fds.remove(1));
    let mut namespaces = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    if start.own_network {
        namespaces |= libc::CLONE_NEWNET;
    }
    match start.identity {
        message::Identity::Own { .. } => {}
        message::Identity::Same { .. } => namespaces |= libc::CLONE_NEWUSER,
    }
    match sys::fork_brother(namespaces, group.as_ref().map(AsFd::as_fd)).step("forking the reaper")? {
        Brother::Child => Ok(Outcome::Born { start, fds }),
        Brother::Elder(pid, pidfd) => Ok(Outcome::Done(Answer::Began { pid: pid.as_raw_nonzero().get() }, vec![pidfd])),
    }
}

/// A socket in a guest's network, for somebody outside it. Made by a process of its own: an ordinary user's steward could enter
/// that network, but not come back into the host's.
fn socket(guest: BorrowedFd<'_>, purpose: Purpose) -> Result<Outcome, Failure> {
    match sys::fork().step("forking")? {
        Fork::Parent(pid) => Ok(Outcome::Left(pid)),
        Fork::Child => Ok(match socket_inside(guest, purpose) {
            Ok(socket) => Outcome::Last(Answer::Done, vec![socket]),
            Err(failure) => Outcome::Last(failure.answer(), Vec::new()),
        }),
    }
}

fn socket_inside(guest: BorrowedFd<'_>, purpose: Purpose) -> Result<OwnedFd, Failure> {
    move_into_link_name_space(guest, Some(LinkNameSpaceType::Network)).step("entering the guest's network")?;
    let (kind, address) = match purpose {
        Purpose::Connect(address) => (SocketType::STREAM, address),
        Purpose::SendFrom(address) => (SocketType::DGRAM, address),
    };
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, kind, flags, None).step("making a socket")?;
    match purpose {
        Purpose::Connect(_) => {}
        Purpose::SendFrom(address) => {
            sys::set_transparent(socket.as_fd(), address.is_ipv6()).step("standing for an address")?;
            rustix::net::bind(&socket, &address).step("taking an address")?;
        }
    }
    Ok(socket)
}

fn only(fds: &[OwnedFd]) -> Result<BorrowedFd<'_>, Failure> {
    match fds {
        [one] => Ok(one.as_fd()),
        _ => Err(Failure { step: "taking a guest's namespace".to_owned(), source: io::ErrorKind::InvalidInput.into() }),
    }
}

impl Failure {
    fn answer(&self) -> Answer {
        Answer::Failed { step: self.step.clone(), reason: self.source.to_string() }
    }
}
