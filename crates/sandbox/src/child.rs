//! One running guest. Dropping it kills it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_send_signal, waitid};

use crate::cgroup::Group;
use crate::host::SpawnError;
use crate::message::{self, Word};
use crate::sys;

/// A guest, with all its processes.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    kin: Kin,
    group: Option<Group>,
    guest_uid: Option<u32>,
    reaped: Mutex<Option<Exit>>,
}

/// How all processes of a guest are found.
#[derive(Debug)]
pub(crate) enum Kin {
    /// The kernel ends them with the first process of their PID namespace. That process tells how the guest ended.
    Namespace { words: OwnedFd },
    /// They are a process group, unless one of them left it.
    Group,
}

/// How a guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It ended by itself.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It never ran.
    Failed {
        /// What was being done, and what the system said.
        reason: String,
    },
}

/// What a guest takes and took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// In use now, without the files of its `/tmp` and without what the kernel can drop.
    pub used_bytes: u64,
    /// The most that was ever charged to it.
    pub peak_bytes: u64,
    /// How many of its processes the kernel killed for want of memory.
    pub kills: u64,
}

impl Child {
    pub(crate) fn new(
        pid: Pid,
        pidfd: OwnedFd,
        kin: Kin,
        group: Option<Group>,
        guest_uid: Option<u32>,
    ) -> io::Result<Self> {
        Ok(Self { pid, pidfd, kin, group, guest_uid, reaped: Mutex::new(None) })
    }

    /// The first process, as the host numbers it.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// The user id that only this guest has on the host, if it has one.
    pub fn uid(&self) -> Option<u32> {
        self.guest_uid
    }

    /// Ends all its processes. Returns at once; [`Child::wait`] returns when they are gone.
    pub fn kill(&self) {
        if self.reaped.lock().expect("nothing panics while it holds this lock").is_some() {
            return;
        }
        if let Kin::Group = self.kin {
            // ESRCH: gone already.
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// Waits until all its processes are gone, and says how the guest ended. Safe to drop and to call again.
    pub async fn wait(&self) -> io::Result<Exit> {
        loop {
            if let Some(exit) = self.try_wait()? {
                return Ok(exit);
            }
            let watch = sys::watch(self.pidfd.try_clone()?)?;
            watch.readable().await?.retain_ready();
        }
    }

    /// How the guest ended, if it did.
    pub fn try_wait(&self) -> io::Result<Option<Exit>> {
        let mut reaped = self.reaped.lock().expect("nothing panics while it holds this lock");
        if let Some(exit) = &*reaped {
            return Ok(Some(exit.clone()));
        }
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let status = match waitid(WaitId::PidFd(self.pidfd.as_fd()), options) {
            Ok(Some(status)) => status,
            Ok(None) => return Ok(None),
            Err(Errno::INTR) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let exit = self.last_word().unwrap_or_else(|| match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Signal(libc::SIGKILL),
        });
        if let Kin::Group = self.kin {
            // The leader is gone; whoever it left behind goes too.
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
        *reaped = Some(exit.clone());
        Ok(Some(exit))
    }

    /// What the reaper of the namespace said before it ended.
    fn last_word(&self) -> Option<Exit> {
        let Kin::Namespace { words } = &self.kin else {
            return None;
        };
        match message::receive::<Word>(words.as_fd()) {
            Ok(Some((Word::Ended { code: Some(code), .. }, _))) => Some(Exit::Code(code)),
            Ok(Some((Word::Ended { signal: Some(signal), .. }, _))) => Some(Exit::Signal(signal)),
            Ok(Some((Word::Failed { step, reason }, _))) => Some(Exit::Failed { reason: format!("{step}: {reason}") }),
            Ok(Some((Word::Ended { .. } | Word::Began { .. }, _)) | None) | Err(_) => None,
        }
    }

    /// Waits for a probe, at most five seconds.
    pub(crate) fn wait_blocking_probe(self) -> Result<(), SpawnError> {
        let system = |source: io::Error| SpawnError::System { step: "waiting for the probe", source };
        let patience = rustix::event::Timespec { tv_sec: 5, tv_nsec: 0 };
        poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&patience)).map_err(|errno| system(errno.into()))?;
        match self.try_wait().map_err(system)? {
            Some(Exit::Code(0)) => Ok(()),
            Some(Exit::Failed { reason }) => Err(SpawnError::Setup { step: "building the walls".to_owned(), reason }),
            Some(Exit::Code(_) | Exit::Signal(_)) | None => Err(SpawnError::Setup {
                step: "building the walls".to_owned(),
                reason: "the probe did not end well".to_owned(),
            }),
        }
    }

    /// What it takes and took. Some microseconds; where no cgroup counts, the processes are added up.
    pub fn memory(&self) -> Memory {
        match &self.group {
            Some(group) if group.has_memory() => group.memory(),
            Some(_) | None => memory_of_tree(self.pid()),
        }
    }

    /// The peak alone: one system call where a cgroup counts.
    pub fn memory_peak(&self) -> u64 {
        match &self.group {
            Some(group) if group.has_memory() => group.memory_peak(),
            Some(_) | None => memory_of_tree(self.pid()).peak_bytes,
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        // A killed process is gone in no time unless the kernel is busy with it. Whoever cares has awaited `wait` before.
        let patience = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };
        if self.reaped.get_mut().is_ok_and(|reaped| reaped.is_none()) {
            let _ = poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&patience));
            let _ = self.try_wait();
        }
    }
}

/// The most processes of a guest whose memory is added up where no cgroup does it.
const PROCESSES_COUNTED: usize = 256;

/// The sum over a process and what it started, as far as `/proc` tells.
fn memory_of_tree(pid: i32) -> Memory {
    let mut memory = Memory::default();
    let mut pids = vec![pid];
    let mut next = 0;
    while next < pids.len() && next < PROCESSES_COUNTED {
        let pid = pids[next];
        next += 1;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        memory.used_bytes += kib_field(&status, "VmRSS:");
        memory.peak_bytes += kib_field(&status, "VmHWM:");
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        pids.extend(children.split_whitespace().filter_map(|child| child.parse::<i32>().ok()));
    }
    memory
}

fn kib_field(status: &str, name: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.split_whitespace().next());
    value.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}
