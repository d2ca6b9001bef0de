//! Hearing from the kernel that a guest is out of memory, instead of asking again and again.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::event::{EventfdFlags, eventfd};
use tokio::io::unix::AsyncFd;

use crate::sys;

/// A subscription of one guest's group.
#[derive(Debug)]
pub(crate) struct OomEvents {
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// Version 1 counts up an eventfd.
    Counter(AsyncFd<OwnedFd>),
    /// Version 2 makes a file's content new.
    File(AsyncFd<OwnedFd>),
}

impl OomEvents {
    pub(super) fn version_one(group: &Path) -> io::Result<Self> {
        let counter = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let control = File::open(group.join("memory.oom_control"))?;
        let order = format!("{} {}", counter.as_raw_fd(), control.as_raw_fd());
        fs::write(group.join("cgroup.event_control"), order)?;
        Ok(Self { source: Source::Counter(sys::watch(counter)?) })
    }

    pub(super) fn version_two(group: &Path) -> io::Result<Self> {
        let file = File::open(group.join("memory.events"))?;
        Ok(Self { source: Source::File(sys::watch_priority(file.into())?) })
    }

    /// True if an event may be one of another kind.
    pub(crate) fn has_other_news(&self) -> bool {
        matches!(self.source, Source::File(_))
    }

    /// Waits for the next event. In version 2 that may be one of another kind. Safe to drop and to call again.
    pub(crate) async fn next(&self) -> io::Result<()> {
        match &self.source {
            Source::Counter(counter) => {
                counter.readable().await?.clear_ready();
                // Empties it: what it counted is of no interest.
                let _ = rustix::io::read(counter.get_ref().as_fd(), &mut [0; 8]);
            }
            Source::File(file) => {
                // Reading makes what is in it old.
                let mut reader = File::from(file.get_ref().try_clone()?);
                reader.rewind()?;
                reader.read_to_string(&mut String::new())?;
                file.ready(tokio::io::Interest::PRIORITY).await?.clear_ready();
            }
        }
        Ok(())
    }
}
