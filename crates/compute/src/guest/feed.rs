//! The way by which events go to a managed guest: a pipe that keeps packets whole, of which we hold both ends.
//!
//! A guest that is busy with a short call finds the next event already there, and nobody has to wake it. An event that it has not
//! taken yet can be taken back, whole, and given to another instance: a read of a packet takes all of it or nothing.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

/// The longest event that travels as one packet: more is cut into several, which cannot be taken back.
pub(crate) const PACKET_BYTES: usize = 4096;
/// The most events that may lie in front of a guest: what such a pipe holds by default, less the one that it works on.
pub(crate) const AHEAD_MAX: usize = 15;

/// See the file.
#[derive(Debug)]
pub(crate) struct Feed {
    into: OwnedFd,
    /// Our own reading end, if the system gives us one.
    back: Option<OwnedFd>,
}

impl Feed {
    /// Ours, and the guest's reading end.
    pub(crate) fn new() -> io::Result<(Self, OwnedFd)> {
        let (theirs, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::DIRECT)?;
        // Only our end must never block; each end has settings of its own.
        rustix::fs::fcntl_setfl(&into, OFlags::DIRECT | OFlags::NONBLOCK)?;
        // Opened anew and not copied: a copy would share its settings with the guest's.
        let path = format!("/proc/self/fd/{}", theirs.as_raw_fd());
        let back = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
        Ok((Self { into, back: back.ok() }, theirs))
    }

    /// Whether events may be laid in front of a busy guest.
    pub(crate) fn can_take_back(&self) -> bool {
        self.back.is_some()
    }

    /// Writes as much as there is room for.
    pub(crate) fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match rustix::io::writev(&self.into, slices) {
                Err(Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    /// Lays an event of at most [`PACKET_BYTES`] in front of the guest: whole, or not at all, which is false.
    pub(crate) fn lay(&self, head: &[u8], body: &[u8]) -> bool {
        let whole = head.len() + body.len();
        debug_assert!(whole <= PACKET_BYTES, "an event laid ahead is one packet");
        self.write(&[IoSlice::new(head), IoSlice::new(body)]).is_ok_and(|written| written == whole)
    }

    /// How much the guest has not taken.
    pub(crate) fn unread_bytes(&self) -> usize {
        let bytes = self.back.as_ref().and_then(|back| rustix::io::ioctl_fionread(back).ok());
        bytes.map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Takes back what the guest has not taken, at most so many events, and shows each. The guest may take one between two of them:
    /// which ones came back is known by what is in them alone.
    pub(crate) fn take_back(&self, most: usize, mut show: impl FnMut(&[u8])) {
        let Some(back) = &self.back else {
            return;
        };
        let mut packet = [0; PACKET_BYTES];
        let mut left = most;
        while left > 0 {
            match rustix::io::read(back, &mut packet) {
                Ok(0) => break,
                Ok(bytes) => {
                    show(&packet[..bytes]);
                    left -= 1;
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
    }

    /// A second descriptor of our writing end, to wait for room with.
    pub(crate) fn writer(&self) -> io::Result<OwnedFd> {
        self.into.try_clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fd: &OwnedFd) -> Vec<u8> {
        let mut buffer = [0; 2 * PACKET_BYTES];
        let count = rustix::io::read(fd, &mut buffer).unwrap();
        buffer[..count].to_vec()
    }

    #[test]
    fn packets_stay_whole_and_come_back() {
        let (feed, theirs) = Feed::new().unwrap();
        assert!(feed.can_take_back());
        for at in 0..5u8 {
            assert!(feed.lay(&[at; 12], &vec![at; usize::from(at) * 100]), "there is room");
        }
        let all = (0..5).map(|at| 12 + at * 100).sum::<usize>();
        assert_eq!(feed.unread_bytes(), all);
        assert_eq!(read(&theirs), [0; 12], "one read is one event");
        assert_eq!(feed.unread_bytes(), all - 12);
        assert_eq!(read(&theirs), [1; 112]);
        let back = |most| {
            let mut back = Vec::new();
            feed.take_back(most, |packet| back.push((packet[0], packet.len())));
            back
        };
        assert_eq!(back(1), [(2, 212)], "the guest took two of five");
        assert_eq!(read(&theirs), [3; 312], "and one between two that we take");
        assert_eq!(back(10), [(4, 412)]);
        assert_eq!(back(10), []);
        assert!(feed.lay(&[9; 12], &[9; PACKET_BYTES - 12]), "the longest");
        assert_eq!(read(&theirs), [9; PACKET_BYTES]);
    }

    #[test]
    fn a_full_pipe_takes_nothing_half() {
        let (feed, theirs) = Feed::new().unwrap();
        let mut laid = 0;
        while feed.lay(&[1; 12], &[2; 3000]) {
            laid += 1;
        }
        assert!(laid >= AHEAD_MAX, "{laid}");
        assert_eq!(read(&theirs).len(), 3012);
        let mut back = 0;
        feed.take_back(100, |_| back += 1);
        assert_eq!(back, laid - 1);
    }

    #[test]
    fn each_event_is_taken_once_by_the_guest_or_by_us() {
        const EVENTS: u32 = 20_000;
        let (feed, theirs) = Feed::new().unwrap();
        let guest = std::thread::spawn(move || {
            let mut taken = Vec::new();
            loop {
                let event = read(&theirs);
                if event.is_empty() {
                    return taken;
                }
                taken.push(u32::from_le_bytes(event.try_into().unwrap()));
            }
        });
        let mut back = Vec::new();
        let mut laid = 0;
        while laid < EVENTS {
            for _ in 0..=laid % 7 {
                laid += u32::from(feed.lay(&laid.to_le_bytes(), &[]));
            }
            feed.take_back(3, |event| back.push(u32::from_le_bytes(event.try_into().unwrap())));
        }
        drop(feed);
        let taken = guest.join().unwrap();
        assert!(taken.is_sorted() && back.is_sorted(), "each sees them in order");
        let mut all = [taken, back].concat();
        all.sort_unstable();
        assert_eq!(all, (0..laid).collect::<Vec<u32>>());
    }
}
