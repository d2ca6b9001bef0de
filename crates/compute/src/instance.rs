//! One initialised sandbox, ready to take an attempt; or one whose initialisation failed, which takes one attempt to say so.
//! Dropping it ends its processes and gives its seat back.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use base::task::{self, Kind};
use bytes::Bytes;
use sandbox::{Child, Exit};
use tokio::sync::watch;

use crate::container::Unpacked;
use crate::faults::Ending;
use crate::freezing::Freezing;
use crate::guest::feed::Feed;
use crate::guest::{Event, Link};
use crate::image::Image;
use crate::monitor::{Monitor, Pulse};
use crate::output::{Output, Read};
use crate::pool::Lane;
use crate::pump::Room;
use crate::shared::Seat;
use crate::ways::Ways;

/// How often a call that lasts has its memory looked at.
const MEMORY_LOOK: Duration = Duration::from_millis(100);
/// How long a guest that hung up may take to end before it is killed.
const END_PATIENCE: Duration = Duration::from_secs(2);
/// How long a guest that is about to end by itself is given.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// An instance that is older takes nothing new: its credentials last for twelve hours, and what leaks is not to leak for ever.
const AGE_MAX: Duration = Duration::from_secs(6 * 3600);
/// How old a measured peak of memory may be in a REPORT line.
const PEAK_AGE: Duration = Duration::from_millis(100);

/// See the file.
pub(crate) struct Instance {
    pub(crate) image: Arc<Image>,
    pub(crate) output: Output,
    pub(crate) pulse: Arc<Pulse>,
    /// What the first attempt reports.
    pub(crate) init: Option<Duration>,
    /// Set if there is nothing to send an attempt to.
    pub(crate) failure: Option<InitFailure>,
    /// Where events may be laid ahead of it; its pool has that while it is busy.
    pub(crate) lane: Option<Lane>,
    guest: Option<Guest>,
    freezing: Freezing,
    usable: bool,
    idle_since: Duration,
    peak: (Instant, u64),
    /// Given back last, after the guest was told to end. A berth has none: it is its instance's.
    seat: Option<Seat>,
}

/// Why an instance was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Somebody called, or is expected to.
    OnDemand,
    /// It is there whether anybody calls or not.
    Provisioned,
}

impl Origin {
    /// What `AWS_LAMBDA_INITIALIZATION_TYPE` says.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Provisioned => "provisioned-concurrency",
        }
    }
}

/// What runs.
pub(crate) struct Guest {
    pub(crate) link: Link,
    pub(crate) process: Arc<Process>,
    /// Held for as long as it lives.
    pub(crate) _ways: Arc<Ways>,
    /// The same, for one whose root is a container image's.
    pub(crate) _root: Option<Arc<Unpacked>>,
}

/// A guest's process and its end.
pub(crate) struct Process {
    child: Arc<Child>,
    ended: watch::Receiver<Option<Exit>>,
}

/// Why an instance never became ready.
#[derive(Clone, Debug)]
pub(crate) struct InitFailure {
    pub(crate) cause: InitCause,
}

/// What the guest or the platform said of it.
#[derive(Clone, Debug)]
pub(crate) enum InitCause {
    /// The guest's own error document.
    Document(Bytes),
    /// It ended, or its time was over.
    Ending(Ending),
    /// There is no program to start.
    NoBootstrap,
    /// There is none, and this is why.
    NoProgram(String),
}

/// What came of waiting for a guest.
#[derive(Debug)]
pub(crate) enum Happening {
    /// It said something.
    Said(Event),
    /// Its time is over.
    TimedOut,
    /// It has more memory than it may.
    OutOfMemory,
}

/// Whether a wait is expected to be short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Watch the answer alone until the monitor says that it lasts.
    Short,
    /// Watch everything from the start.
    Long,
}

impl Process {
    /// Watches a child until it ends.
    pub(crate) fn watch(child: Child) -> Self {
        let child = Arc::new(child);
        let (tell, ended) = watch::channel(None);
        let watched = Arc::clone(&child);
        task::spawn(Kind::Work, "guest process", async move {
            let exit = watched.wait().await.unwrap_or_else(|error| Exit::Failed { reason: error.to_string() });
            // Nobody may care any more.
            let _ = tell.send(Some(exit));
        });
        Self { child, ended }
    }

    pub(crate) fn ended(&self) -> watch::Receiver<Option<Exit>> {
        self.ended.clone()
    }

    fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    pub(crate) fn child(&self) -> Weak<Child> {
        Arc::downgrade(&self.child)
    }

    pub(crate) fn uid(&self) -> Option<u32> {
        self.child.uid()
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// How it ended; killed if that takes long.
    async fn exit(&self) -> Exit {
        let mut ended = self.ended();
        let ended = ended.wait_for(Option::is_some);
        let exit = match tokio::time::timeout(END_PATIENCE, ended).await {
            Ok(ended) => ended.ok().and_then(|exit| exit.clone()),
            Err(_) => None,
        };
        if exit.is_none() {
            self.child.kill();
        }
        // It hung up without ending, and was killed for that.
        exit.unwrap_or(Exit::Signal(9))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill();
    }
}

impl Instance {
    /// A guest that has just been started, or none.
    pub(crate) fn new(
        image: Arc<Image>,
        output: Output,
        pulse: Arc<Pulse>,
        guest: Option<Guest>,
        seat: Seat,
    ) -> Box<Self> {
        let idle_since = pulse.identity.born;
        let lane = guest.as_ref().and_then(|guest| guest.link.feed()).map(Lane::new);
        Box::new(Self {
            lane,
            image,
            output,
            pulse,
            init: None,
            failure: None,
            guest,
            freezing: Freezing::default(),
            usable: true,
            idle_since,
            peak: (Instant::now(), 0),
            seat: Some(seat),
        })
    }

    /// A berth: what one of several calls has that the guest takes at a time, as if it were an instance of its own. None if the guest
    /// takes one only. It has its own way to the guest, and its words go into the same stream.
    pub(crate) fn berth(&mut self, monitor: &Monitor) -> Option<Box<Self>> {
        let guest = self.guest.as_ref().filter(|_| self.failure.is_none() && self.image.calls_at_a_time > 1)?;
        let (link, process, ways) = (guest.link.another()?, Arc::clone(&guest.process), Arc::clone(&guest._ways));
        Some(Box::new(Self {
            image: Arc::clone(&self.image),
            output: self.output.share(),
            pulse: monitor.watch_call(&self.pulse),
            init: self.init.take(),
            failure: None,
            lane: None,
            guest: Some(Guest { link, process, _ways: ways, _root: guest._root.clone() }),
            freezing: Freezing::default(),
            usable: true,
            idle_since: self.idle_since,
            peak: self.peak,
            seat: None,
        }))
    }

    /// True if it takes several calls at a time, each on a berth.
    pub(crate) fn has_berths(&self) -> bool {
        self.seat.is_some() && self.failure.is_none() && self.guest.is_some() && self.image.calls_at_a_time > 1
    }

    /// True if it is a berth.
    pub(crate) fn is_berth(&self) -> bool {
        self.seat.is_none()
    }

    /// True if both have the same guest.
    pub(crate) fn is_with(&self, other: &Self) -> bool {
        match (&self.guest, &other.guest) {
            (Some(one), Some(other)) => Arc::ptr_eq(&one.process, &other.process),
            (None, _) | (_, None) => false,
        }
    }

    /// True if it can take another attempt. One whose initialisation failed takes one, to say so.
    pub(crate) fn is_usable(&self) -> bool {
        self.usable
    }

    /// True if it is worth keeping without an attempt.
    pub(crate) fn is_ready(&self) -> bool {
        self.usable && self.failure.is_none()
    }

    pub(crate) fn origin(&self) -> Origin {
        self.seat.as_ref().map_or(Origin::OnDemand, |seat| seat.origin)
    }

    /// It is provisioned no longer, and an instance like others from now on.
    pub(crate) fn release(&mut self) {
        if let Some(seat) = &mut self.seat {
            seat.origin = Origin::OnDemand;
        }
    }

    /// Says when its guest has ended; none if it has no guest.
    pub(crate) fn ended(&self) -> Option<watch::Receiver<Option<Exit>>> {
        self.guest.as_ref().map(|guest| guest.process.ended())
    }

    /// True if it has lived for long enough.
    pub(crate) fn is_old(&self, now: Duration) -> bool {
        now.saturating_sub(self.pulse.identity.born) > AGE_MAX
    }

    /// Its processes stand still until [`Instance::thaw`], where the machine can do that.
    pub(crate) fn freeze(&self) {
        if !self.pulse.frozen.load(Ordering::Relaxed)
            && let Some(guest) = &self.guest
        {
            let frozen = self.freezing.attempt(&self.image.function, || guest.process.child.freeze());
            self.pulse.frozen.store(frozen, Ordering::Relaxed);
        }
    }

    /// Its processes go on.
    pub(crate) fn thaw(&self) {
        // Looked at first: nearly all that begin a call are not frozen.
        if self.pulse.frozen.load(Ordering::Relaxed)
            && let Some(guest) = &self.guest
        {
            if let Err(error) = guest.process.child.thaw() {
                tracing::error!(%error, function = %self.image.function, "an instance cannot be thawed, and ends");
                guest.process.child.kill();
            }
            self.pulse.frozen.store(false, Ordering::Relaxed);
        }
    }

    /// It never became ready: its processes end, and its one attempt says why.
    pub(crate) fn fail(&mut self, cause: InitCause) {
        self.failure = Some(InitFailure { cause });
        if let Some(guest) = &self.guest {
            guest.process.child.kill();
        }
    }

    /// Its call took too long, and it is not to be used again. Its processes end now; where they have other calls as well, those go on,
    /// nothing new is begun there, and the processes end with the last of them.
    pub(crate) fn desert(&mut self) {
        match (self.is_berth(), &mut self.guest) {
            (true, Some(guest)) => {
                guest.link.abandon();
                self.usable = false;
            }
            (true, None) | (false, _) => self.condemn(),
        }
    }

    /// It is not to be used again: its processes end now.
    pub(crate) fn condemn(&mut self) {
        self.usable = false;
        self.output.close();
        if let Some(guest) = &self.guest {
            guest.process.child.kill();
        }
    }

    /// True if its guest has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.guest.as_ref().is_none_or(|guest| guest.process.has_ended())
    }

    /// It has nothing to do from now on.
    pub(crate) fn rest(&mut self, now: Duration) {
        self.idle_since = now;
    }

    /// By the node's clock.
    pub(crate) fn idle_since(&self) -> Duration {
        self.idle_since
    }

    /// The way by which events may be laid ahead of it, if there is one.
    pub(crate) fn feed(&self) -> Option<Arc<Feed>> {
        self.guest.as_ref().and_then(|guest| guest.link.feed())
    }

    /// The way to its guest.
    pub(crate) fn link(&mut self) -> Option<&mut Link> {
        self.guest.as_mut().map(|guest| &mut guest.link)
    }

    /// Waits for the guest to say something. Safe to drop and call again.
    pub(crate) async fn happening(&mut self, until: Instant, pace: Pace) -> Happening {
        let Some(guest) = &mut self.guest else {
            return Happening::Said(Event::Gone);
        };
        let mut room = Room::Left;
        while pace == Pace::Short && room == Room::Left {
            tokio::select! {
                biased;
                event = guest.link.receive() => match heard(&mut self.output, event) {
                    Heard::News(event) => return Happening::Said(event),
                    // A guest that talks without end must not talk itself past its limit.
                    Heard::Words(_) if Instant::now() > until => break,
                    Heard::Words(left) => room = left,
                },
                () = self.pulse.lasts.notified() => break,
            }
        }
        watch_all(guest, &mut self.output, until, memory_bytes(&self.image), room).await
    }

    /// What a guest that hung up died of.
    pub(crate) async fn ending(&mut self) -> Ending {
        let Some(guest) = &mut self.guest else {
            return Ending::Exited { exit: Exit::Signal(9) };
        };
        let exit = guest.process.exit().await;
        if exit == Exit::Signal(9) && guest.process.child.memory().kills > 0 {
            return Ending::OutOfMemory;
        }
        Ending::Exited { exit }
    }

    /// Gives a guest that said its last word the time to end by itself, so that what it has buffered gets out.
    pub(crate) async fn linger(&mut self) {
        if let Some(guest) = &mut self.guest {
            // Late or ended: either way it is killed next.
            let mut ended = guest.process.ended();
            let _ = tokio::time::timeout(LAST_WORDS, ended.wait_for(Option::is_some)).await;
        }
    }

    /// The most memory that it ever had, in MB, at most what it may have.
    pub(crate) fn memory_peak_mb(&mut self, ran: Duration) -> u32 {
        let (measured, _) = self.peak;
        if let Some(guest) = &self.guest
            && (self.peak.1 == 0 || ran > PEAK_AGE || measured.elapsed() > PEAK_AGE)
        {
            self.peak = (Instant::now(), guest.process.child.resident_peak());
        }
        let mb = u32::try_from(self.peak.1.div_ceil(1 << 20)).unwrap_or(u32::MAX);
        mb.min(self.image.memory_mb)
    }
}

fn memory_bytes(image: &Image) -> u64 {
    u64::from(image.memory_mb) << 20
}

/// What an event is to the attempt.
enum Heard {
    /// Something about the attempt.
    News(Event),
    /// Words, which are in the log now.
    Words(Room),
}

fn heard(output: &mut Output, event: Event) -> Heard {
    match event {
        Event::Logged(text) => Heard::Words(output.log(&text)),
        Event::Printed(text) => Heard::Words(output.print(&text)),
        news => Heard::News(news),
    }
}

/// Waits while looking at everything: the answer, the time, the log, the memory. While there is no room for words, the guest is not
/// listened to.
async fn watch_all(
    guest: &mut Guest,
    output: &mut Output,
    until: Instant,
    memory_max: u64,
    mut room: Room,
) -> Happening {
    let mut deadline = std::pin::pin!(tokio::time::sleep_until(until.into()));
    let mut look = tokio::time::interval(MEMORY_LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let slot = Arc::clone(output.slot());
    let mut read = Read::Empty;
    loop {
        tokio::select! {
            biased;
            // First: a guest that talks without end must not talk itself past its limit.
            () = &mut deadline => return Happening::TimedOut,
            event = guest.link.receive(), if room == Room::Left => match heard(output, event) {
                Heard::News(event) => return Happening::Said(event),
                Heard::Words(left) => room = left,
            },
            () = slot.room(), if room == Room::Full => room = Room::Left,
            _ = look.tick() => {
                if guest.process.child.memory().used_bytes > memory_max {
                    return Happening::OutOfMemory;
                }
            }
            next = output.follow(read) => read = next,
        }
    }
}
