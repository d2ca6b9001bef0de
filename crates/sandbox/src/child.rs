//! One running guest. Dropping it kills it.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_send_signal, waitid};

use crate::cgroup::Group;
use crate::host::SpawnError;
use crate::message::{self, Go, Order, Purpose, Word};
use crate::plan::Placement;
use crate::steward::{Refusal, Steward};
use crate::sys;
use crate::uids::Uid;

/// A guest, with all its processes.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    kin: Kin,
    group: Option<Group>,
    guest_uid: Option<Uid>,
    /// What it was started with.
    processes_max: u32,
    reaped: Mutex<Option<Exit>>,
}

/// How all processes of a guest are found.
#[derive(Debug)]
pub(crate) enum Kin {
    /// The kernel ends them with the first process of their PID namespace. That process tells how the guest ended.
    Namespace { words: OwnedFd, walls: Walls },
    /// They are a process group, unless one of them left it.
    Group,
}

/// What is known of a guest from its start.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) group: Option<Group>,
    pub(crate) guest_uid: Option<Uid>,
    pub(crate) processes_max: u32,
}

/// The way into a guest's namespaces.
#[derive(Debug)]
pub(crate) struct Walls {
    steward: Arc<Steward>,
    /// Its mount and network namespaces, known if the guest was booted.
    inside: Option<(OwnedFd, OwnedFd)>,
}

/// A guest that was started ahead could not be made into somebody's. It may be half of what it should be: end it.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It was not started with [`crate::Host::boot`].
    #[error("this guest was not started ahead")]
    NotAhead,
    /// A step failed.
    #[error("{step}: {reason}")]
    Step {
        /// What was being done.
        step: String,
        /// What the system said.
        reason: String,
    },
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
    pub(crate) fn new(pid: Pid, pidfd: OwnedFd, kin: Kin, about: About) -> Self {
        let About { group, guest_uid, processes_max } = about;
        Self { pid, pidfd, kin, group, guest_uid, processes_max, reaped: Mutex::new(None) }
    }

    /// Hears that its walls stand, and takes its network and its sockets.
    pub(crate) fn built(&mut self) -> Result<(OwnedFd, Vec<OwnedFd>), SpawnError> {
        match self.first_word()? {
            (Word::Built, fds) => {
                let mut fds = fds.into_iter();
                let (Some(view), Some(network)) = (fds.next(), fds.next()) else {
                    return Err(SpawnError::walls("no namespaces came"));
                };
                let copy = network.try_clone();
                if let Kin::Namespace { walls, .. } = &mut self.kin {
                    walls.inside = Some((view, network));
                }
                let copy = copy.map_err(|source| SpawnError::System { step: "copying a descriptor", source })?;
                Ok((copy, fds.collect()))
            }
            (word, _) => Err(SpawnError::walls(&format!("an unexpected word: {word:?}"))),
        }
    }

    /// Hears how a probe went: the version of the file rules.
    pub(crate) fn probed(self) -> Result<u32, SpawnError> {
        match self.first_word()? {
            (Word::Probed { rules }, _) => Ok(rules),
            (word, _) => Err(SpawnError::walls(&format!("an unexpected word: {word:?}"))),
        }
    }

    /// What its first process says first. Waits for that.
    fn first_word(&self) -> Result<(Word, Vec<OwnedFd>), SpawnError> {
        let Kin::Namespace { words, .. } = &self.kin else {
            return Err(SpawnError::walls("there are none"));
        };
        let heard = message::receive::<Word>(words.as_fd())
            .map_err(|source| SpawnError::System { step: "hearing from the guest's first process", source })?;
        match heard {
            Some((Word::Failed { step, reason }, _)) => Err(SpawnError::Setup { step, reason }),
            Some((word, fds)) => Ok((word, fds)),
            None => Err(SpawnError::walls("the guest's first process ended")),
        }
    }

    /// Makes a guest that was started ahead into somebody's: limits first, then its view, then its program. Some tenths of a
    /// millisecond of blocking work. Several may be placed one after the other, with a different part each time.
    pub fn place(&self, placement: &Placement) -> Result<(), PlaceError> {
        let Kin::Namespace { words, walls: Walls { steward, inside: Some((view, _)) } } = &self.kin else {
            return Err(PlaceError::NotAhead);
        };
        let limits_processes = self.group.as_ref().is_some_and(Group::limits_processes);
        if placement.processes_max.is_some_and(|wanted| !limits_processes && wanted != self.processes_max) {
            let reason = "no cgroup counts processes here, so what the guest was started with stays".to_owned();
            return Err(PlaceError::Step { step: "changing the limit on processes".to_owned(), reason });
        }
        if let Some(group) = &self.group {
            let changed = group.set(|limits| {
                limits.memory_bytes = placement.memory_bytes.unwrap_or(limits.memory_bytes);
                limits.tmp_bytes = placement.tmp_bytes.unwrap_or(limits.tmp_bytes);
                limits.processes_max = placement.processes_max.unwrap_or(limits.processes_max);
            });
            changed.map_err(|error| PlaceError::at("changing the limits", &error))?;
        }
        if !placement.mounts.is_empty() || placement.tmp_bytes.is_some() {
            let order = Order::Place { mounts: placement.mounts.clone(), tmp_bytes: placement.tmp_bytes };
            steward.ask(&order, &[view.as_fd()])?;
        }
        if let Some(program) = &placement.program {
            message::send(words.as_fd(), &Go { program: program.clone() }, &[])
                .map_err(|error| PlaceError::at("handing over the program", &error))?;
        }
        Ok(())
    }

    /// Connects to a port inside the guest's own network. The guest must have been booted.
    pub async fn dial(&self, address: SocketAddr) -> io::Result<tokio::net::TcpStream> {
        let Kin::Namespace { walls: Walls { steward, inside: Some((_, network)) }, .. } = &self.kin else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this guest was not started ahead"));
        };
        let (steward, network) = (Arc::clone(steward), network.try_clone()?);
        let asked = tokio::task::spawn_blocking(move || {
            steward.ask(&Order::Socket(Purpose::Connect(address)), &[network.as_fd()])
        });
        let (_, mut fds) = asked.await?.map_err(io::Error::other)?;
        let socket = fds.pop().ok_or_else(|| io::Error::other("no socket came"))?;
        tokio::net::TcpSocket::from_std_stream(TcpStream::from(socket)).connect(address).await
    }

    /// Stops all its processes where they are: they take no processor time until [`Child::thaw`]. A system call or two; what is
    /// running stops soon after. A frozen guest can be placed, killed and dropped.
    pub fn freeze(&self) -> io::Result<()> {
        self.set_frozen(true)
    }

    /// Lets its processes go on.
    pub fn thaw(&self) -> io::Result<()> {
        self.set_frozen(false)
    }

    fn set_frozen(&self, frozen: bool) -> io::Result<()> {
        match &self.group {
            Some(group) => group.set_frozen(frozen),
            None => Err(io::Error::new(io::ErrorKind::Unsupported, "there is no cgroup that freezes")),
        }
    }

    /// Waits until the kernel has to kill one of its processes for want of memory. An error where no cgroup limits it. Safe to drop
    /// and to call again; what happened before the call is known by [`Memory::kills`].
    pub async fn out_of_memory(&self) -> io::Result<()> {
        let unlimited = || io::Error::new(io::ErrorKind::Unsupported, "there is no limit on memory");
        let group = self.group.as_ref().ok_or_else(unlimited)?;
        let before = group.kills();
        let events = group.oom_events()?;
        while group.kills() == before {
            events.next().await?;
            if !events.has_other_news() {
                break;
            }
        }
        Ok(())
    }

    /// The first process, as the host numbers it.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// The user id that only this guest has on the host, if it has one.
    pub fn uid(&self) -> Option<u32> {
        self.guest_uid.as_ref().map(Uid::id)
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
        if let Some(group) = self.group.as_ref().filter(|group| group.freezes_past_kills()) {
            let _ = group.set_frozen(false);
        }
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
        let Kin::Namespace { words, .. } = &self.kin else {
            return None;
        };
        match message::receive::<Word>(words.as_fd()) {
            Ok(Some((Word::Ended { code: Some(code), .. }, _))) => Some(Exit::Code(code)),
            Ok(Some((Word::Ended { signal: Some(signal), .. }, _))) => Some(Exit::Signal(signal)),
            Ok(Some((Word::Failed { step, reason }, _))) => Some(Exit::Failed { reason: format!("{step}: {reason}") }),
            Ok(Some((Word::Ended { .. } | Word::Built | Word::Probed { .. }, _)) | None) | Err(_) => None,
        }
    }

    /// What it takes and took. Some microseconds; where no cgroup counts, the processes are added up.
    pub fn memory(&self) -> Memory {
        match &self.group {
            Some(group) if group.has_memory() => group.memory(),
            Some(_) | None => memory_of_tree(self.pid()),
        }
    }

    /// The peak of what is charged alone: one system call where a cgroup counts.
    pub fn memory_peak(&self) -> u64 {
        match &self.group {
            Some(group) if group.has_memory() => group.memory_peak(),
            Some(_) | None => memory_of_tree(self.pid()).peak_bytes,
        }
    }

    /// The most that its processes ever had in memory, for people: with the pages of the programs that they run, which a cgroup counts to
    /// whoever was the first to read them. Some tens of microseconds.
    pub fn resident_peak(&self) -> u64 {
        // Processes that have ended are in no sum, but were counted.
        let counted = self.group.as_ref().filter(|group| group.has_memory()).map_or(0, |group| group.memory_peak());
        memory_of_tree(self.pid()).peak_bytes.max(counted)
    }

    /// What its processes have in memory now, for sums: of pages that several guests have, a share. Some hundreds of microseconds.
    pub fn share(&self) -> u64 {
        let share = |pid: i32| {
            let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            match kib_field(&rollup, "Pss:") {
                // Where that may not be read: all of it.
                0 => kib_field(&std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default(), "VmRSS:"),
                bytes => bytes,
            }
        };
        tree(self.pid()).into_iter().map(share).sum()
    }
}

impl SpawnError {
    fn walls(reason: &str) -> Self {
        Self::Setup { step: "building the walls".to_owned(), reason: reason.to_owned() }
    }
}

impl Walls {
    pub(crate) fn new(steward: Arc<Steward>) -> Self {
        Self { steward, inside: None }
    }
}

impl PlaceError {
    fn at(step: &str, error: &io::Error) -> Self {
        Self::Step { step: step.to_owned(), reason: error.to_string() }
    }
}

impl From<Refusal> for PlaceError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Failed { step, reason } => Self::Step { step, reason },
            Refusal::System { step, source } => Self::at(step, &source),
            Refusal::Silent { .. } => Self::Step { step: "asking the steward".to_owned(), reason: refusal.to_string() },
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
    for pid in tree(pid) {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        memory.used_bytes += kib_field(&status, "VmRSS:");
        memory.peak_bytes += kib_field(&status, "VmHWM:");
    }
    memory
}

/// A process and what it started.
fn tree(pid: i32) -> Vec<i32> {
    let mut pids = vec![pid];
    let mut next = 0;
    while next < pids.len() && next < PROCESSES_COUNTED {
        let pid = pids[next];
        next += 1;
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        pids.extend(children.split_whitespace().filter_map(|child| child.parse::<i32>().ok()));
    }
    pids.truncate(PROCESSES_COUNTED);
    pids
}

fn kib_field(status: &str, name: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.split_whitespace().next());
    value.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}
