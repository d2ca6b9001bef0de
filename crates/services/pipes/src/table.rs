//! All pipes in memory, with who works for them. It follows the store: what is committed is taken in before it is answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mapping::{Plan, Pollers, Progress, Tools};

use crate::model::{Pipe, Scope};
use crate::work::Flow;

/// The pipes.
#[derive(Default)]
pub(crate) struct Table(Mutex<BTreeMap<(Scope, String), Kept>>);

struct Kept {
    pipe: Arc<Pipe>,
    pollers: Option<Pollers>,
    /// Of earlier settings, with something in hand still.
    leaving: Vec<Pollers>,
}

/// A pipe and how it is doing.
pub(crate) struct Seen {
    pub(crate) pipe: Arc<Pipe>,
    pub(crate) leaving: bool,
    pub(crate) progress: Progress,
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Scope, String), Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, scope: &Scope, name: &str) -> Option<Seen> {
        self.lock().get(&(scope.clone(), name.to_owned())).map(Kept::seen)
    }

    /// All of a scope, by name.
    pub(crate) fn of_scope(&self, scope: &Scope) -> Vec<Seen> {
        self.lock().iter().filter(|((there, _), _)| there == scope).map(|(_, kept)| kept.seen()).collect()
    }

    /// Takes in what the store says of a pipe now.
    pub(crate) fn settle(&self, scope: &Scope, name: &str, pipe: Option<Pipe>, tools: Option<&Tools>) {
        let mut table = self.lock();
        let place = (scope.clone(), name.to_owned());
        let Some(pipe) = pipe.map(Arc::new) else {
            if let Some(Kept { pollers: Some(pollers), .. }) = table.remove(&place) {
                pollers.stop();
            }
            return;
        };
        match table.get_mut(&place) {
            Some(kept) if kept.pipe.flows_like(&pipe) => kept.pipe = pipe,
            Some(kept) => {
                kept.leaving.retain(|pollers| !pollers.has_stopped());
                if let Some(pollers) = kept.pollers.take() {
                    pollers.stop();
                    kept.leaving.push(pollers);
                }
                kept.pollers = tools.and_then(|tools| pollers(scope, &pipe, tools));
                kept.pipe = pipe;
            }
            None => {
                let pollers = tools.and_then(|tools| pollers(scope, &pipe, tools));
                table.insert(place, Kept { pipe, pollers, leaving: Vec::new() });
            }
        }
    }

    pub(crate) fn replace_all(&self, kept: Vec<(Scope, Pipe)>, tools: Option<&Tools>) {
        let known: Vec<(Scope, String)> = self.lock().keys().cloned().collect();
        for (scope, name) in known {
            if !kept.iter().any(|(there, pipe)| *there == scope && pipe.name == name) {
                self.settle(&scope, &name, None, tools);
            }
        }
        for (scope, pipe) in kept {
            let name = pipe.name.clone();
            self.settle(&scope, &name, Some(pipe), tools);
        }
    }

    /// Starts whatever is to run.
    pub(crate) fn flow(&self, tools: &Tools) {
        for ((scope, _), kept) in self.lock().iter_mut() {
            kept.pollers = pollers(scope, &kept.pipe, tools);
        }
    }
}

impl Kept {
    fn seen(&self) -> Seen {
        Seen {
            pipe: Arc::clone(&self.pipe),
            leaving: self.leaving.iter().any(|pollers| !pollers.has_stopped()),
            progress: self.pollers.as_ref().map(Pollers::progress).unwrap_or_default(),
        }
    }
}

fn pollers(scope: &Scope, pipe: &Arc<Pipe>, tools: &Tools) -> Option<Pollers> {
    if !pipe.running {
        return None;
    }
    let course = match pipe.course() {
        Ok(course) => course,
        Err(fault) => {
            // It was checked before it was stored.
            tracing::error!(pipe = %pipe.name, %fault, "a stored pipe cannot flow");
            return None;
        }
    };
    let plan = Plan {
        queue: course.queue.clone(),
        account: scope.account,
        region: scope.region.clone(),
        limits: course.limits,
        filters: course.filters.clone(),
        concurrency_max: mapping::scale::MOST,
    };
    Some(Pollers::start(plan, Arc::new(Flow::new(scope, pipe, course, tools)), tools))
}
