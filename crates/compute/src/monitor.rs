//! One clock for all instances: it finds calls that last and calls that wait too long, so that short calls need no timer each.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use base::task::{self, Kind};
use sandbox::Child;
use tokio::sync::Notify;

use crate::code::CodeId;
use crate::shared::Shared;

/// How often it looks while there is work.
pub(crate) const TICK: Duration = Duration::from_millis(20);
/// After so many looks without any work it sleeps until there is some.
const IDLE_TICKS: u32 = 50;
/// It looks for what is to be frozen only so often: that takes every pool's lock.
const TICKS_PER_FREEZE: u32 = 5;

/// The clock.
pub(crate) struct Monitor {
    start: Instant,
    pulses: Mutex<Vec<Weak<Pulse>>>,
    awake: AtomicBool,
    wake: Notify,
}

/// One instance's sign of life.
pub(crate) struct Pulse {
    /// Milliseconds since the monitor's start, plus one; 0 while idle.
    busy_since: AtomicU64,
    /// Whether its processes stand still.
    pub(crate) frozen: AtomicBool,
    /// Told once its call has lasted for [`TICK`].
    pub(crate) lasts: Notify,
    /// Who it is, for people.
    pub(crate) identity: Arc<Identity>,
    /// The instance's own, if this is one of several calls that it takes at a time.
    of: Option<Arc<Pulse>>,
    /// How many of such calls it has.
    calls: AtomicU32,
    /// How many attempts it has taken.
    pub(crate) attempts: AtomicU64,
    body: Body,
}

/// What an instance is made of.
#[derive(Clone)]
pub(crate) enum Body {
    /// Processes, which a node that cannot wait ends.
    Processes(Weak<Child>),
    /// WebAssembly in this process. The function's environment has this too, and so have its other instances.
    InProcess(Arc<wasm::Held>),
}

/// Who an instance is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) arn: String,
    pub(crate) function: String,
    pub(crate) version: String,
    /// All that it has mounted.
    pub(crate) codes: Vec<CodeId>,
    pub(crate) log_stream: String,
    pub(crate) memory_mb: u32,
    pub(crate) pid: i32,
    /// By the node's clock.
    pub(crate) born: Duration,
}

impl Monitor {
    /// A clock that does not run yet.
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            pulses: Mutex::new(Vec::new()),
            awake: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }

    /// Runs it for as long as the node lives.
    pub(crate) fn run(shared: &Arc<Shared>) {
        let weak = Arc::downgrade(shared);
        task::spawn(Kind::Vital, "instance monitor", async move {
            let (mut ticks, mut idle, mut unfrozen) = (0u32, 0u32, false);
            let mut swept = Instant::now();
            while let Some(shared) = weak.upgrade() {
                idle = if shared.monitor.look(&shared) { 0 } else { idle.saturating_add(1) };
                ticks = ticks.wrapping_add(1);
                if ticks.is_multiple_of(TICKS_PER_FREEZE) {
                    unfrozen = shared.freeze();
                }
                let sweep = shared.options.sweep;
                if swept.elapsed() > sweep {
                    shared.tidy();
                    swept = Instant::now();
                }
                if idle < IDLE_TICKS || unfrozen {
                    drop(shared);
                    tokio::time::sleep(TICK).await;
                } else {
                    shared.monitor.awake.store(false, Ordering::SeqCst);
                    // What began before that told nobody, and what ended just now is to be frozen.
                    unfrozen = shared.monitor.look(&shared) || shared.freeze();
                    if !unfrozen {
                        // Wakes for the sweep all the same.
                        let _ = tokio::time::timeout(sweep, shared.monitor.wake.notified()).await;
                    }
                    shared.monitor.awake.store(true, Ordering::SeqCst);
                    idle = 0;
                }
            }
        });
    }

    /// Takes a new instance into view.
    pub(crate) fn watch(&self, identity: Identity, body: Body) -> Arc<Pulse> {
        self.enter(Arc::new(identity), None, body)
    }

    /// Takes one of several calls into view that an instance has at a time.
    pub(crate) fn watch_call(&self, of: &Arc<Pulse>) -> Arc<Pulse> {
        self.enter(Arc::clone(&of.identity), Some(Arc::clone(of)), of.body.clone())
    }

    fn enter(&self, identity: Arc<Identity>, of: Option<Arc<Pulse>>, body: Body) -> Arc<Pulse> {
        let pulse = Arc::new(Pulse {
            busy_since: AtomicU64::new(0),
            frozen: AtomicBool::new(false),
            lasts: Notify::new(),
            identity,
            of,
            calls: AtomicU32::new(0),
            attempts: AtomicU64::new(0),
            body,
        });
        self.pulses.lock().expect("nothing panics while it holds this lock").push(Arc::downgrade(&pulse));
        pulse
    }

    /// There is work.
    pub(crate) fn stir(&self) {
        if !self.awake.load(Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    /// An instance starts a call.
    pub(crate) fn begin(&self, pulse: &Pulse) {
        pulse.attempts.fetch_add(1, Ordering::Relaxed);
        // Before it is asked whether the monitor sleeps, which asks in the other order.
        let before = pulse.busy_since.swap(self.now_ms(), Ordering::SeqCst);
        if let Some(of) = &pulse.of
            && before == 0
        {
            of.attempts.fetch_add(1, Ordering::Relaxed);
            of.calls.fetch_add(1, Ordering::AcqRel);
        }
        self.stir();
    }

    /// All instances that live, and each of the calls that one has at a time where it takes several.
    pub(crate) fn pulses(&self) -> Vec<Arc<Pulse>> {
        self.pulses.lock().expect("nothing panics while it holds this lock").iter().filter_map(Weak::upgrade).collect()
    }

    /// Ends every guest, whatever it does.
    pub(crate) fn kill_all(&self) {
        self.pulses().iter().filter_map(|pulse| pulse.body.child()).for_each(|child| child.kill());
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// One look: true if there is work.
    fn look(&self, shared: &Arc<Shared>) -> bool {
        let now = self.now_ms();
        let tick = u64::try_from(TICK.as_millis()).expect("a tick is short");
        let mut busy = false;
        self.pulses.lock().expect("nothing panics while it holds this lock").retain(|pulse| {
            let Some(pulse) = pulse.upgrade() else {
                return false;
            };
            let since = pulse.busy_since.load(Ordering::SeqCst);
            if since != 0 {
                busy = true;
                if now.saturating_sub(since) >= tick {
                    pulse.lasts.notify_waiters();
                }
            }
            true
        });
        busy | shared.reconsider_all()
    }
}

impl Body {
    fn child(&self) -> Option<Arc<Child>> {
        match self {
            Self::Processes(child) => child.upgrade(),
            Self::InProcess(_) => None,
        }
    }
}

impl Pulse {
    /// The call is over.
    pub(crate) fn end(&self) {
        let before = self.busy_since.swap(0, Ordering::AcqRel);
        if let Some(of) = &self.of
            && before != 0
        {
            of.calls.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// True for an instance, and not for one of its calls.
    pub(crate) fn is_instance(&self) -> bool {
        self.of.is_none()
    }

    /// What its processes have in memory now; of pages that others have too, a share. Of what a function's instances in this process
    /// have together, an equal part: which call has how much is not known.
    pub(crate) fn memory_bytes(&self) -> u64 {
        match &self.body {
            Body::Processes(child) => child.upgrade().map_or(0, |child| child.share()),
            Body::InProcess(held) => {
                let instances = Arc::strong_count(held).saturating_sub(1).max(1);
                held.now().bytes() / instances as u64
            }
        }
    }

    /// True while it has a call.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy_since.load(Ordering::Acquire) != 0 || self.calls.load(Ordering::Acquire) > 0
    }
}
