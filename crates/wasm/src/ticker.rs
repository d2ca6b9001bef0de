//! What interrupts guests that compute: one thread that moves the engines' epochs while a guest is on a processor, and sleeps while
//! none is.
//!
//! Compiled code compares the epoch with its own deadline at every loop and call, which costs next to nothing; nobody starts a timer
//! for a request that ends at once. Guests that wait are no concern of the ticker: their waiting is a future like any other.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::EngineWeak;

/// How long a guest may compute before others get a turn; limits on time are kept to this.
pub(crate) const TICK: Duration = Duration::from_millis(5);
/// How many ticks without a guest it takes to fall asleep: waking up costs the next guest a system call, so not at once.
const IDLE_TICKS: u32 = 100;

/// The hand of the clock. Its thread ends with it.
pub(crate) struct Ticker {
    state: Arc<State>,
    thread: Thread,
}

struct State {
    /// Guests that are on a processor now.
    running: AtomicUsize,
    /// The thread sleeps, or is about to, and must be woken.
    parked: AtomicBool,
    ended: AtomicBool,
    engines: Mutex<Vec<EngineWeak>>,
}

/// As long as it lives, epochs move.
pub(crate) struct Running<'a>(&'a State);

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let state = Arc::new(State {
            running: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            engines: Mutex::new(Vec::new()),
        });
        let its = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("wasm-ticker".to_owned()).spawn(move || its.tick())?;
        Ok(Self { state, thread: thread.thread().clone() })
    }

    /// Moves this engine's epoch from now on.
    pub(crate) fn add(&self, engine: EngineWeak) {
        self.state.engines.lock().expect("nothing panics while it holds this lock").push(engine);
    }

    /// Call it around every poll of a guest.
    pub(crate) fn running(&self) -> Running<'_> {
        // The thread first says that it sleeps and then looks at the count; here it is the other way round. One of both sees the
        // other, so that no guest computes while the thread sleeps.
        self.state.running.fetch_add(1, Ordering::SeqCst);
        if self.state.parked.load(Ordering::SeqCst) && self.state.parked.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(&self.state)
    }

    /// Whether the thread sleeps.
    #[cfg(test)]
    fn is_parked(&self) -> bool {
        self.state.parked.load(Ordering::SeqCst)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl State {
    fn tick(&self) {
        let mut idle = 0;
        while !self.ended.load(Ordering::SeqCst) {
            std::thread::park_timeout(TICK);
            self.move_epochs();
            idle = if self.running.load(Ordering::SeqCst) > 0 { 0 } else { idle + 1 };
            if idle >= IDLE_TICKS {
                idle = 0;
                self.sleep();
            }
        }
    }

    /// Returns when a guest runs, or all is over.
    fn sleep(&self) {
        self.parked.store(true, Ordering::SeqCst);
        if self.running.load(Ordering::SeqCst) > 0 {
            self.parked.store(false, Ordering::SeqCst);
            return;
        }
        // A thread may wake up for no reason.
        while self.parked.load(Ordering::SeqCst) && !self.ended.load(Ordering::SeqCst) {
            std::thread::park();
        }
    }

    fn move_epochs(&self) {
        let mut engines = self.engines.lock().expect("nothing panics while it holds this lock");
        engines.retain(|engine| match engine.upgrade() {
            Some(engine) => {
                engine.increment_epoch();
                true
            }
            None => false,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Waits until `state` holds; false if it does not in time.
    fn in_time(state: impl Fn() -> bool) -> bool {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            if state() {
                return true;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        false
    }

    #[test]
    fn it_sleeps_without_guests_and_wakes_for_them() {
        let ticker = Ticker::start().unwrap();
        assert!(in_time(|| ticker.is_parked()), "nothing runs: it falls asleep");
        let running = ticker.running();
        assert!(!ticker.is_parked());
        drop(running);
        assert!(in_time(|| ticker.is_parked()), "it falls asleep again");
    }

    #[test]
    fn its_thread_ends_with_it() {
        for wait_until_asleep in [false, true] {
            let ticker = Ticker::start().unwrap();
            if wait_until_asleep {
                assert!(in_time(|| ticker.is_parked()));
            }
            let state = Arc::downgrade(&ticker.state);
            drop(ticker);
            assert!(in_time(|| state.strong_count() == 0), "asleep: {wait_until_asleep}");
        }
    }
}
