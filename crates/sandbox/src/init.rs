//! The helper: builds the walls around a guest, from inside, and then becomes it.
//!
//! Three processes, one after the other: the *helper* takes the plan, enrols in the cgroups and leaves the host's namespaces; its
//! brother, the *reaper*, is the first process of the new PID namespace, makes the guest's root and stays to collect what ends;
//! the *guest* drops every right and executes the program. The node hears of each over a local socket on descriptor 0.

mod guest;
mod reaper;
mod view;

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::{PidfdFlags, pidfd_open};

use crate::message::{self, Identity, Order, Word};
use crate::plan::Network;
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
    std::process::exit(helper());
}

/// The first process. Its end is the node's sign that the reaper is on its own.
fn helper() -> i32 {
    let Ok(socket) = take_input() else {
        return 2;
    };
    let socket = socket.as_fd();
    let received = match message::receive::<Order>(socket) {
        Ok(Some(received)) => received,
        Ok(None) | Err(_) => {
            eprintln!("this is the sandbox helper, which only the node starts");
            return 2;
        }
    };
    let (order, fds) = received;
    match leave(&order) {
        Err(failure) => {
            report(socket, &failure);
            1
        }
        Ok(Fork::Parent(pid)) => {
            let word = Word::Began { pid: pid.as_raw_nonzero().get() };
            let sent = pidfd_open(pid, PidfdFlags::empty())
                .map_err(io::Error::from)
                .and_then(|pidfd| message::send(socket, &word, &[pidfd.as_fd()]));
            i32::from(sent.is_err())
        }
        Ok(Fork::Child) => reap(socket, &order, fds),
    }
}

/// Moves the socket out of the way of what will be the guest's input, which is empty.
fn take_input() -> io::Result<OwnedFd> {
    let socket = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 10)?;
    sys::place(fs::File::open("/dev/null")?.as_fd(), 0)?;
    Ok(socket)
}

/// Leaves the host's namespaces, for the next process on.
fn leave(order: &Order) -> Result<Fork, Failure> {
    for path in &order.cgroups {
        fs::write(path, "0").step("enrolling in a cgroup")?;
    }
    let mut namespaces = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    if order.plan.network == Network::None {
        namespaces |= libc::CLONE_NEWNET;
    }
    match order.identity {
        // Root sets everything up with its own rights, so that the namespaces belong to the host and not to the guest.
        Identity::Own { .. } => {}
        Identity::Same { uid, gid } => {
            sys::unshare(libc::CLONE_NEWUSER).step("making a user namespace")?;
            map_ids(uid, gid).step("mapping the user in its namespace")?;
        }
    }
    sys::unshare(namespaces).step("making namespaces")?;
    sys::fork_brother().step("forking the reaper")
}

/// The reaper's life.
fn reap(socket: BorrowedFd<'_>, order: &Order, fds: Vec<OwnedFd>) -> i32 {
    match prepare(order) {
        Ok(()) => {}
        Err(failure) => {
            report(socket, &failure);
            return 1;
        }
    }
    // The guest may have the same user as its reaper, and must not be able to trace or read it: not even in its first moments, so
    // the reaper closes itself to others before there is a guest.
    match order.task {
        message::Task::Probe => match guest::drop_rights(order.identity) {
            Ok(()) => 0,
            Err(failure) => {
                report(socket, &failure);
                1
            }
        },
        message::Task::Run => match sys::set_dumpable(false).and_then(|()| sys::fork()) {
            Err(error) => {
                report(socket, &Failure { step: "forking the guest".to_owned(), source: error });
                1
            }
            Ok(Fork::Child) => {
                let failure = guest::become_guest(&order.plan, order.identity, fds);
                report(socket, &failure);
                1
            }
            Ok(Fork::Parent(pid)) => {
                drop(fds);
                reaper::run(socket, pid, order.identity)
            }
        },
    }
}

/// Everything that belongs to the namespaces rather than to one process.
fn prepare(order: &Order) -> Result<(), Failure> {
    view::build(&order.plan)?;
    rustix::system::sethostname(b"sandbox").step("naming the host")?;
    if order.plan.network == Network::None {
        // A loopback that is down would surprise programs that talk to themselves.
        raise_loopback().step("raising the loopback")?;
    }
    Ok(())
}

/// Maps the one user and group that this process may map.
pub(crate) fn map_ids(uid: u32, gid: u32) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{GUEST_UID} {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("{GUEST_GID} {gid} 1"))
}

fn raise_loopback() -> io::Result<()> {
    sys::raise_interface(c"lo")
}

fn report(socket: BorrowedFd<'_>, failure: &Failure) {
    let word = Word::Failed { step: failure.step.clone(), reason: failure.source.to_string() };
    // If the node is gone there is nobody to tell.
    let _ = message::send(socket, &word, &[]);
}
