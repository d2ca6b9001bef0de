//! From the helper to the program: every right is dropped, every descriptor but its own is closed, then exec.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::{Failure, Step};
use crate::host::CHANNEL;
use crate::message::{self, Go, Identity, Start};
use crate::plan::{Plan, Program};
use crate::{rules, seccomp, sys};

/// What is the same for every guest, whatever limits the node was started with: a user who may run things in real time would else
/// have guests that may.
const LIMITS: &[(libc::__rlimit_resource_t, u64, &str)] = &[
    (libc::RLIMIT_CORE, sys::CORE_BYTES, "limiting core files"),
    (libc::RLIMIT_MEMLOCK, 64 << 10, "limiting locked memory"),
    (libc::RLIMIT_MSGQUEUE, 800 << 10, "limiting message queues"),
    (libc::RLIMIT_RTPRIO, 0, "limiting priority"),
    (libc::RLIMIT_NICE, 0, "limiting priority"),
];

/// Runs the program, at once or when it is told which. Returns only if that failed. `node` must not be on a number that a channel
/// gets.
pub(super) fn become_guest(node: BorrowedFd<'_>, start: &Start, fds: Vec<OwnedFd>) -> Failure {
    match prepare(start, fds).and_then(|()| program(node, &start.plan)) {
        Err(failure) => failure,
        Ok(program) => execute(&program),
    }
}

fn prepare(start: &Start, fds: Vec<OwnedFd>) -> Result<(), Failure> {
    rustix::process::setsid().step("starting a session")?;
    for (resource, value, step) in LIMITS {
        sys::limit(*resource, *value).step(step)?;
    }
    sys::limit(libc::RLIMIT_NOFILE, start.plan.files_max.into()).step("limiting descriptors")?;
    if let Some(processes_max) = start.processes_max {
        // Counted by user in each user namespace, of which every guest has its own.
        sys::limit(libc::RLIMIT_NPROC, processes_max.into()).step("limiting processes")?;
    }
    drop_rights(start.identity)?;
    sys::unblock_signals().step("unblocking signals")?;
    sys::default_sigpipe();
    streams(fds)
}

/// What to execute: the plan's program, or what the node says once it knows. Until then this process is ours, with a guest's rights.
fn program(node: BorrowedFd<'_>, plan: &Plan) -> Result<Program, Failure> {
    match plan.program() {
        Some(program) => Ok(program),
        None => match message::receive::<Go>(node).step("waiting for a program")? {
            Some((go, _)) => Ok(go.program),
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof)).step("waiting for a program"),
        },
    }
}

fn execute(program: &Program) -> Failure {
    let directory = if program.directory.is_dir() { program.directory.as_path() } else { std::path::Path::new("/") };
    if let Err(failure) = std::env::set_current_dir(directory).step("entering the working directory") {
        return failure;
    }
    let environment = program.environment.iter().map(|(name, value)| (name, value));
    let source = Command::new(&program.program).args(&program.arguments).env_clear().envs(environment).exec();
    Failure { step: format!("starting {}", program.program.display()), source }
}

/// Puts the descriptors where the program expects them. All others close on exec, the socket to the node among them, so that a
/// failing exec can still be told.
fn streams(fds: Vec<OwnedFd>) -> Result<(), Failure> {
    let mut fds = fds.into_iter();
    let output = fds.next().ok_or(io::Error::from(io::ErrorKind::NotFound)).step("taking the output")?;
    sys::place(output.as_fd(), 1).step("placing the output")?;
    sys::place(output.as_fd(), 2).step("placing the output")?;
    // Moved first: each may have come on a number that another one gets.
    let moved = fds.map(|came| {
        let moved = rustix::io::fcntl_dupfd_cloexec(&came, sys::HIGH_FD);
        // Dropping these would close what is on their numbers by then.
        std::mem::forget(came);
        moved
    });
    let channels = moved.collect::<Result<Vec<_>, _>>().step("moving a channel")?;
    std::mem::forget(output);
    let mut first_unused = CHANNEL;
    for channel in &channels {
        sys::place(channel.as_fd(), first_unused).step("placing a channel")?;
        first_unused += 1;
    }
    sys::close_on_exec_from(first_unused).step("closing descriptors")
}

/// Gives up every right, for good. Says which version of file rules hold from now on.
pub(super) fn drop_rights(identity: Identity) -> Result<u32, Failure> {
    match identity {
        Identity::Own { uid } => {
            sys::drop_groups().step("leaving all groups")?;
            sys::become_user(uid, uid).step("becoming the guest's user")?;
            // Else /proc/self belongs to root since the change of user.
            sys::set_dumpable(true).step("owning /proc/self")?;
            sys::unshare(libc::CLONE_NEWUSER).step("making a user namespace")?;
            super::map_guest(uid, uid).step("mapping the user in its namespace")?;
        }
        Identity::Same { .. } => {}
    }
    // After the user namespace, which begins with the full set.
    for capability in 0..64 {
        // Numbers that this kernel does not know are refused; there is nothing to drop then.
        if sys::drop_bounding(capability).is_err() {
            break;
        }
    }
    sys::drop_capabilities().step("dropping capabilities")?;
    rustix::thread::set_no_new_privs(true).step("forbidding new privileges")?;
    let rules = rules::install().map_err(io::Error::other).step("holding to file rules")?;
    seccomp::install().map_err(io::Error::other).step("filtering system calls")?;
    Ok(rules)
}
