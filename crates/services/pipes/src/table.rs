//! All pipes in memory, with who works for them. It follows the store: what is committed is taken in before it is answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mapping::{Plan, Pollers, Progress, Readers, Reading, Tools, Workers};

use ::store::Store;

use crate::model::source::{Source, Stream};
use crate::model::{Pipe, Scope};
use crate::work::Flow;
use crate::work::shards::Shards;

/// The pipes.
pub(crate) struct Table {
    pipes: Mutex<BTreeMap<(Scope, String), Kept>>,
    /// Where those who read streams keep how far they are.
    store: Store,
}

struct Kept {
    pipe: Arc<Pipe>,
    workers: Option<Workers>,
    /// Of earlier settings, with something in hand still.
    leaving: Vec<Workers>,
}

/// A pipe and how it is doing.
pub(crate) struct Seen {
    pub(crate) pipe: Arc<Pipe>,
    pub(crate) leaving: bool,
    pub(crate) progress: Progress,
}

impl Table {
    pub(crate) fn new(store: Store) -> Self {
        Self { pipes: Mutex::default(), store }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Scope, String), Kept>> {
        self.pipes.lock().unwrap_or_else(PoisonError::into_inner)
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
            if let Some(Kept { workers: Some(workers), .. }) = table.remove(&place) {
                workers.stop();
            }
            return;
        };
        match table.get_mut(&place) {
            Some(kept) if kept.pipe.flows_like(&pipe) => kept.pipe = pipe,
            Some(kept) => {
                kept.leaving.retain(|workers| !workers.has_stopped());
                if let Some(workers) = kept.workers.take() {
                    workers.stop();
                    kept.leaving.push(workers);
                }
                kept.workers = tools.and_then(|tools| self.workers(scope, &pipe, &kept.leaving, tools));
                kept.pipe = pipe;
            }
            None => {
                let workers = tools.and_then(|tools| self.workers(scope, &pipe, &[], tools));
                table.insert(place, Kept { pipe, workers, leaving: Vec::new() });
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
            kept.workers = self.workers(scope, &kept.pipe, &kept.leaving, tools);
        }
    }

    /// Who works for a pipe, if it is to run. Of a stream they begin when those before them have ended.
    fn workers(&self, scope: &Scope, pipe: &Arc<Pipe>, before: &[Workers], tools: &Tools) -> Option<Workers> {
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
        let (account, region, filters) = (scope.account, scope.region.clone(), course.filters.clone());
        match course.source.clone() {
            Source::Queue { arn: queue, limits } => {
                let plan = Plan { queue, account, region, limits, filters, concurrency_max: mapping::scale::MOST };
                let flow = Arc::new(Flow::new(scope, pipe, course, tools));
                Some(Workers::OfQueue(Pollers::start(plan, flow, tools)))
            }
            Source::Stream(Stream { arn: stream, settings, dead_letters, .. }) => {
                let reading = Reading { stream, account, region, settings, filters };
                let flow = Flow::new(scope, pipe, course, tools);
                let sink = Arc::new(Shards::new(flow, dead_letters, self.store.clone()));
                let before = before.iter().filter_map(Workers::ended).collect();
                Some(Workers::OfStream(Readers::start(reading, sink, tools, before)))
            }
        }
    }
}

impl Kept {
    fn seen(&self) -> Seen {
        Seen {
            pipe: Arc::clone(&self.pipe),
            leaving: self.leaving.iter().any(|workers| !workers.has_stopped()),
            progress: self.workers.as_ref().map(Workers::progress).unwrap_or_default(),
        }
    }
}
