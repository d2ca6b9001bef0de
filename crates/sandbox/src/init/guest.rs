//! From the helper to the program: every right is dropped, every descriptor but its own is closed, then exec.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::{Failure, Step};
use crate::host::CHANNEL;
use crate::message::Identity;
use crate::plan::Plan;
use crate::{seccomp, sys};

/// Runs the program. Returns only if that failed.
pub(super) fn become_guest(plan: &Plan, identity: Identity, fds: Vec<OwnedFd>) -> Failure {
    match prepare(plan, identity, fds) {
        Err(failure) => failure,
        Ok(mut command) => {
            let source = command.exec();
            Failure { step: format!("starting {}", plan.program.display()), source }
        }
    }
}

fn prepare(plan: &Plan, identity: Identity, fds: Vec<OwnedFd>) -> Result<Command, Failure> {
    rustix::process::setsid().step("starting a session")?;
    sys::limit(libc::RLIMIT_CORE, 0).step("limiting core files")?;
    sys::limit(libc::RLIMIT_NOFILE, plan.files_max.into()).step("limiting descriptors")?;
    sys::limit(libc::RLIMIT_MEMLOCK, 64 << 10).step("limiting locked memory")?;
    drop_rights(identity)?;
    sys::unblock_signals().step("unblocking signals")?;
    sys::default_sigpipe();
    let directory = if plan.directory.is_dir() { plan.directory.as_path() } else { std::path::Path::new("/") };
    std::env::set_current_dir(directory).step("entering the working directory")?;
    streams(fds)?;
    let mut command = Command::new(&plan.program);
    command.args(&plan.arguments).env_clear().envs(plan.environment.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

/// Puts the descriptors where the program expects them. All others close on exec, the socket to the node among them, so that a
/// failing exec can still be told.
fn streams(fds: Vec<OwnedFd>) -> Result<(), Failure> {
    let mut fds = fds.into_iter();
    let output = fds.next().ok_or(std::io::Error::from(std::io::ErrorKind::NotFound)).step("taking the output")?;
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

/// Gives up every right, for good.
pub(super) fn drop_rights(identity: Identity) -> Result<(), Failure> {
    match identity {
        Identity::Own { uid } => {
            sys::drop_groups().step("leaving all groups")?;
            sys::become_user(uid, uid).step("becoming the guest's user")?;
            // Else /proc/self belongs to root since the change of user.
            sys::set_dumpable(true).step("owning /proc/self")?;
            sys::unshare(libc::CLONE_NEWUSER).step("making a user namespace")?;
            super::map_ids(uid, uid).step("mapping the user in its namespace")?;
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
    seccomp::install().map_err(|error| std::io::Error::other(error.to_string())).step("filtering system calls")
}
