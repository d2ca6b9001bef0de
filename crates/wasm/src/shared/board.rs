//! What an instance has been asked for and is not done with: who waits for an answer, who still reads, until when.
//!
//! With one request at a time the instance is done with it when its task has ended. With several it cannot be told whose task ended:
//! there an attempt counts until its answer is read, and the time limit of the last one holds for what the instance does beyond.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use http::Response;
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiBody;

use super::{Reply, Token};
use crate::failure::Failure;
use crate::meter::Ending;

/// Shared between what runs inside the instance and what watches it from outside.
pub(super) struct Board {
    exclusive: bool,
    spoiled: Spoiled,
    state: Mutex<State>,
}

/// Somebody's time was over: the guest may be stuck, and gets nothing more to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spoiled(Arc<AtomicBool>);

impl Spoiled {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct State {
    open: Vec<Open>,
    /// Those that were done with in the turn that goes on: it counts for them too.
    leaving: Vec<Arc<Ending>>,
    next: u64,
    /// The latest deadline of what was asked for since it was idle.
    horizon: Option<Instant>,
    idle: bool,
}

struct Open {
    id: Id,
    deadline: Instant,
    limit: Duration,
    held: Held,
    reply: Option<oneshot::Sender<Reply>>,
    token: Option<Token>,
}

/// One request of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(u64);

/// An attempt is told to have ended when nobody holds it.
enum Held {
    Here(Arc<Ending>),
    ByItsReader(Weak<Ending>),
}

impl Held {
    fn get(&self) -> Option<Arc<Ending>> {
        match self {
            Self::Here(ending) => Some(Arc::clone(ending)),
            Self::ByItsReader(ending) => ending.upgrade(),
        }
    }
}

/// What is put on a board.
pub(super) struct Asked {
    pub(super) ending: Arc<Ending>,
    pub(super) deadline: Instant,
    pub(super) limit: Duration,
    pub(super) reply: oneshot::Sender<Reply>,
    pub(super) token: Token,
}

impl Board {
    pub(super) fn new(exclusive: bool) -> Arc<Self> {
        Arc::new(Self { exclusive, spoiled: Spoiled::default(), state: Mutex::new(State::default()) })
    }

    pub(super) fn ask(&self, asked: Asked) -> Id {
        let mut state = self.state();
        let id = Id(state.next);
        state.next += 1;
        let since = if state.idle { None } else { state.horizon };
        state.idle = false;
        state.horizon = since.max(Some(asked.deadline));
        let Asked { ending, deadline, limit, reply, token } = asked;
        let held = Held::Here(ending);
        state.open.push(Open { id, deadline, limit, held, reply: Some(reply), token: Some(token) });
        id
    }

    /// The guest has answered. Gives back the token, if the instance has room again.
    pub(super) fn answer(&self, id: Id, answer: Result<Response<WasiBody>, Failure>) -> Option<Token> {
        let mut state = self.state();
        let open = state.open.iter_mut().find(|open| open.id == id)?;
        if let Some(reply) = open.reply.take() {
            // Nobody has to wait for it any more.
            let _ = reply.send(match answer {
                Ok(answer) => Reply::Answer(answer, self.spoiled.clone()),
                Err(failure) => Reply::Failure(failure),
            });
        }
        if self.exclusive {
            return None;
        }
        if let Held::Here(ending) = &open.held {
            ending.answered();
            let reader = Arc::downgrade(ending);
            open.held = Held::ByItsReader(reader);
        }
        open.token.take()
    }

    /// The guest has not answered in time.
    pub(super) fn late(&self, id: Id) {
        self.spoiled.set();
        let mut state = self.state();
        if let Some(at) = state.open.iter().position(|open| open.id == id) {
            let open = state.open.swap_remove(at);
            let limit = open.limit;
            state.leaving.extend(open.held.get());
            open.fail(&Failure::Time { limit });
        }
    }

    /// Nothing goes on inside any more. Gives back the tokens.
    pub(super) fn idle(&self) -> Vec<Token> {
        let mut state = self.state();
        state.idle = true;
        let done = std::mem::take(&mut state.open);
        state.leaving.extend(done.iter().filter_map(|open| open.held.get()));
        done.into_iter().filter_map(Open::done).collect()
    }

    /// It ends, and this is why.
    pub(super) fn fail(&self, failure: &Failure) {
        let open = std::mem::take(&mut self.state().open);
        open.into_iter().for_each(|open| open.fail(failure));
    }

    /// All that are open end: their time is over.
    pub(super) fn fail_late(&self) {
        let open = std::mem::take(&mut self.state().open);
        for open in open {
            let limit = open.limit;
            open.fail(&Failure::Time { limit });
        }
    }

    pub(super) fn is_spoiled(&self) -> bool {
        self.spoiled.0.load(Ordering::Relaxed)
    }

    /// Shares out what the guest took in a turn.
    pub(super) fn count(&self, cpu: Duration, memory_peak: u64) {
        let mut state = self.state();
        let mut present = std::mem::take(&mut state.leaving);
        present.extend(state.open.iter().filter_map(|open| open.held.get()));
        drop(state);
        let Ok(share) = u32::try_from(present.len().max(1)) else { return };
        for ending in present {
            ending.meter.cpu(cpu / share);
            ending.meter.memory(memory_peak);
        }
    }

    /// When to look again, if nothing happens; now or earlier, if it is to end.
    pub(super) fn horizon(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        if state.idle {
            return None;
        }
        state.open.retain(|open| match &open.held {
            Held::Here(_) => true,
            Held::ByItsReader(reader) => reader.strong_count() > 0,
        });
        if state.open.is_empty() {
            // It works on after its answers.
            return state.horizon;
        }
        // Who is late and does not even read is cut off with the instance, when all others' time is over too.
        if state.open.iter().any(|open| open.deadline <= now) {
            self.spoiled.set();
        }
        let next = state.open.iter().map(|open| open.deadline).filter(|deadline| *deadline > now).min();
        next.or(Some(now))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

impl Open {
    fn fail(self, failure: &Failure) {
        if let Some(ending) = self.held.get() {
            ending.finish(Some(failure.clone()));
        }
        if let Some(reply) = self.reply {
            // Nobody has to wait for it any more.
            let _ = reply.send(Reply::Failure(failure.clone()));
        }
    }

    fn done(self) -> Option<Token> {
        if let Some(reply) = self.reply {
            let _ = reply.send(Reply::Failure(Failure::NoAnswer));
        }
        if let Held::Here(ending) = &self.held {
            ending.finish(None);
        }
        self.token
    }
}
