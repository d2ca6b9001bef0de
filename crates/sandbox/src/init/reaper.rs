//! The first process of a PID namespace: collects whatever ends, tells the node how the guest ended, and ends with it. When it
//! ends, the kernel kills all that is left in the namespace.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, wait};

use crate::message::{self, Identity, Word};
use crate::sys;

/// Waits for the guest or for the node's end, whichever is first.
pub(super) fn run(socket: BorrowedFd<'_>, guest: Pid, identity: Identity) -> i32 {
    let Ok(signals) = sys::child_signals() else {
        return 1;
    };
    // From here on no right is needed, so none is kept. A change of user may have opened this process to others again.
    if drop_rights(identity).and_then(|()| sys::set_dumpable(false)).is_err() {
        return 1;
    }
    loop {
        if let Some((code, signal)) = collect(guest) {
            // The node may be gone; then nobody needs to know.
            let _ = message::send(socket, &Word::Ended { code, signal }, &[]);
            return 0;
        }
        let mut watched = [PollFd::new(&signals, PollFlags::IN), PollFd::new(&socket, PollFlags::HUP)];
        match poll(&mut watched, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return 1,
        }
        if watched[1].revents().intersects(PollFlags::HUP | PollFlags::ERR) {
            // The node is gone, so the guest goes too.
            return 1;
        }
        let mut signal = [0; 128];
        // Empties the descriptor; what it says is found out by waiting.
        while rustix::io::read(signals.as_fd(), &mut signal).is_ok() {}
    }
}

/// The user changes, the namespaces stay; capabilities go with the change.
fn drop_rights(identity: Identity) -> std::io::Result<()> {
    match identity {
        Identity::Own { uid } => {
            sys::drop_groups()?;
            sys::become_user(uid, uid)?;
        }
        Identity::Same { .. } => {}
    }
    sys::drop_capabilities()?;
    rustix::thread::set_no_new_privs(true)?;
    Ok(())
}

/// Collects everything that ended; the guest's own end is the answer.
fn collect(guest: Pid) -> Option<(Option<i32>, Option<i32>)> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == guest => {
                return Some((status.exit_status(), status.terminating_signal()));
            }
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}
