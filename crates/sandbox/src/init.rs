//! The helper: a small program of its own that builds the walls around guests, from inside, and becomes them.
//!
//! Three kinds of processes. The *steward* lives as long as the node, has its rights and one thread, and does what the node asks:
//! it forks guests into new namespaces, and changes what those of them see that were started ahead. A *reaper* is the first
//! process of a guest's PID namespace: it makes the guest's root, gives up every right, and stays to collect what ends. The
//! *guest* drops every right and executes the program. The node is the parent of all reapers and hears of each over a socket.
//!
//! Without namespaces there is no helper.

mod guest;
pub(crate) mod network;
mod reaper;
mod steward;
mod view;

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::Pid;

use crate::message::{self, Identity, Start, Task, Word};
use crate::sys::{self, Fork};

/// The hidden first argument that makes a program the helper.
pub(crate) const INIT_ARGUMENT: &str = "sandbox-init";

/// What the guest sees as its user and group: the numbers that Lambda has.
pub(crate) const GUEST_UID: u32 = 993;
pub(crate) const GUEST_GID: u32 = 990;

/// A step of the set-up failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) step: String,
    pub(crate) source: io::Error,
}

/// Names the step in which an error happened.
pub(crate) trait Step<T> {
    fn step(self, step: &str) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> Step<T> for Result<T, E> {
    fn step(self, step: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure { step: step.to_owned(), source: error.into() })
    }
}

/// If this program was started as the sandbox helper, does that work and never returns; else returns at once. Call it first thing
/// in `main`, before any thread exists.
pub fn init_main_if_asked() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|argument| argument != INIT_ARGUMENT) || arguments.next().is_some() {
        return;
    }
    std::process::exit(match take_input() {
        Ok(node) => steward::run(node),
        Err(_) => 2,
    });
}

/// Moves the socket out of the way of what will be the guests' input, which is empty.
fn take_input() -> io::Result<OwnedFd> {
    sys::close_from(3)?;
    let socket = rustix::io::fcntl_dupfd_cloexec(io::stdin(), sys::HIGH_FD)?;
    sys::place(fs::File::open("/dev/null")?.as_fd(), 0)?;
    Ok(socket)
}

/// The life of a guest's first process, from its first moment in new namespaces.
fn reap(socket: BorrowedFd<'_>, start: &Start, fds: Vec<OwnedFd>) -> i32 {
    match prepare(socket, start).and_then(|()| start_guest(socket, start, fds)) {
        Ok(None) => 0,
        Ok(Some(guest)) => reaper::run(socket, guest, start.identity),
        Err(failure) => {
            report(socket, &failure);
            1
        }
    }
}

/// Everything that belongs to the namespaces rather than to one process.
fn prepare(socket: BorrowedFd<'_>, start: &Start) -> Result<(), Failure> {
    for path in &start.enrol {
        fs::write(path, "0").step("enrolling in a cgroup")?;
    }
    // Where the machine itself runs out of memory, guests end before anything that the machine is for, the node first.
    fs::write("/proc/self/oom_score_adj", "1000").step("standing in front of the node")?;
    match start.identity {
        // Root sets everything up with its own rights, so that the namespaces belong to the host and not to the guest.
        Identity::Own { .. } => {}
        Identity::Same { uid, gid } => map_guest(uid, gid).step("mapping the user in its namespace")?,
    }
    // Only now, so that what the guest is in is the root of what it sees.
    sys::unshare(libc::CLONE_NEWCGROUP).step("making a cgroup namespace")?;
    view::build(start)?;
    rustix::system::sethostname(b"sandbox").step("naming the host")?;
    let sockets = network::build(start)?;
    if start.task == Task::Boot {
        let namespace = |name: &str| fs::File::open(format!("/proc/self/ns/{name}")).step("opening a namespace");
        let (view, network) = (namespace("mnt")?, namespace("net")?);
        let mut fds = vec![view.as_fd(), network.as_fd()];
        fds.extend(sockets.iter().map(AsFd::as_fd));
        message::send(socket, &Word::Built, &fds).step("handing out the namespaces")?;
    }
    Ok(())
}

/// Forks the guest, if there is to be one.
fn start_guest(socket: BorrowedFd<'_>, start: &Start, fds: Vec<OwnedFd>) -> Result<Option<Pid>, Failure> {
    if start.task == Task::Probe {
        let rules = guest::drop_rights(start.identity)?;
        return message::send(socket, &Word::Probed { rules }, &[]).step("telling").map(|()| None);
    }
    // The guest may have the same user as its reaper, and must not be able to trace or read it: not even in its first moments, so
    // the reaper closes itself to others before there is a guest.
    sys::set_dumpable(false).step("closing the reaper")?;
    match sys::fork().step("forking the guest")? {
        Fork::Parent(pid) => Ok(Some(pid)),
        Fork::Child => {
            let failure = guest::become_guest(socket, start, fds);
            report(socket, &failure);
            std::process::exit(1);
        }
    }
}

/// An id in a user namespace, and the one that it is outside.
#[derive(Clone, Copy)]
pub(crate) struct Id {
    inside: u32,
    outside: u32,
}

/// Makes somebody outside into the guest's user inside.
pub(crate) fn map_guest(uid: u32, gid: u32) -> io::Result<()> {
    map_ids(Id { inside: GUEST_UID, outside: uid }, Id { inside: GUEST_GID, outside: gid })
}

/// Maps the one user and group that this process may map.
fn map_ids(user: Id, group: Id) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{} {} 1", user.inside, user.outside))?;
    fs::write("/proc/self/gid_map", format!("{} {} 1", group.inside, group.outside))
}

fn report(socket: BorrowedFd<'_>, failure: &Failure) {
    let word = Word::Failed { step: failure.step.clone(), reason: failure.source.to_string() };
    // If the node is gone there is nobody to tell.
    let _ = message::send(socket, &word, &[]);
}
