//! A turn: one stack held for one operation, in this process by its name among the busy ones, among all nodes by a lease.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base::task::Kind;
use store::Lease;
use tokio::sync::{mpsc, oneshot};

use super::{Engine, Inner};
use crate::Error;
use crate::model::{Event, ResourceState, Stack, Stage};
use crate::operation::{self, Operation};
use crate::steps::Steps;
use crate::store::{Change, Place};
use crate::work::Workshop;

/// How long a lease lasts if its holder dies.
const LEASE_TTL: Duration = Duration::from_secs(30);
/// How often an operation goes on after its lease ran out, as when the machine slept.
const TURNS_MAX: u32 = 5;

/// An operation that is about to begin.
pub(super) struct Beginning {
    pub(super) place: Place,
    pub(super) stack: Stack,
    pub(super) resources: BTreeMap<String, ResourceState>,
    /// The first commit.
    pub(super) change: Change,
}

/// Whose operation a stack is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Somebody asked for it: whoever else wants the stack is told so.
    Asked,
    /// It was cut off before, and nobody waits for its end: whoever wants the stack does.
    Resumed,
}

/// A stack that is held.
pub(super) struct Held {
    busy: Busy,
    lease: Lease,
}

/// A stack's place among the busy ones.
struct Busy {
    inner: Arc<Inner>,
    key: (Place, String),
}

impl Busy {
    fn is_now(&self, work: Work) {
        self.inner.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(self.key.clone(), work);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.inner.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        self.inner.released.notify_waiters();
    }
}

impl Held {
    pub(super) async fn let_go(self) {
        // Best effort: a lease that is not given back runs out.
        let _runs_out = self.lease.release().await;
        drop(self.busy);
    }
}

impl Engine {
    /// Takes a stack for an operation: nobody else has it then, in this process or another, and it is at rest. Waits for an operation
    /// that has ended and is about to let go, for one that is not begun yet, and for one that goes on after it was cut off. One that
    /// was cut off and that nobody goes on with (its node died, or its store failed) is gone on with first.
    pub(super) async fn take(&self, place: &Place, name: &str, action: &'static str) -> Result<Held, Error> {
        loop {
            let held = self.hold(place, name, action, Work::Asked).await?;
            match self.unfinished(place, name).await {
                Ok(None) => return Ok(held),
                Ok(Some(stack)) => {
                    held.busy.is_now(Work::Resumed);
                    self.finish(place, stack, held).await?;
                }
                Err(error) => {
                    held.let_go().await;
                    return Err(error);
                }
            }
        }
    }

    /// Goes on with an operation that was cut off, in the background; false if somebody else does, or there is none.
    pub(super) async fn go_on(&self, place: &Place, name: &str) -> Result<bool, Error> {
        let held = match self.hold(place, name, "updated", Work::Resumed).await {
            Ok(held) => held,
            Err(Error::State { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        match self.unfinished(place, name).await {
            Ok(Some(stack)) => {
                let _nobody_waits = self.spawn_rest(place, stack, held).await?;
                Ok(true)
            }
            nothing => {
                held.let_go().await;
                nothing.map(|_| false)
            }
        }
    }

    /// Runs what is left of an operation, and waits for its end.
    async fn finish(&self, place: &Place, stack: Stack, held: Held) -> Result<Stack, Error> {
        let id = stack.id.clone();
        self.spawn_rest(place, stack, held).await?.await.unwrap_or(Err(Error::Interrupted(id)))
    }

    /// Runs what is left of an operation, in a task of its own.
    async fn spawn_rest(
        &self,
        place: &Place,
        stack: Stack,
        held: Held,
    ) -> Result<oneshot::Receiver<Result<Stack, Error>>, Error> {
        let resources = self.0.ledger.resources(place, &stack.name).await?;
        tracing::info!(
            stack = stack.name,
            status = stack.status.as_str(),
            "going on with an operation that was cut off"
        );
        let (engine, place) = (self.clone(), place.clone());
        let (done, wait) = oneshot::channel();
        self.0.deps.tasks.spawn(Kind::Work, "stack", async move {
            let name = stack.name.clone();
            let ended = engine.run(place, stack, resources, held, None).await;
            match &ended {
                Ok(stack) => tracing::info!(stack = name, status = stack.status.as_str(), "the operation has ended"),
                Err(error) => tracing::warn!(stack = name, %error, "the operation was cut off"),
            }
            let _nobody_waits = done.send(ended);
        });
        Ok(wait)
    }

    /// Writes an operation's beginning and runs it to its end, in a task of its own from the first commit on, so that a caller who
    /// hangs up leaves nothing half begun.
    pub(super) async fn begin(
        &self,
        beginning: Beginning,
        held: Held,
        progress: Option<mpsc::Sender<Event>>,
    ) -> Result<Stack, Error> {
        let Beginning { place, stack, resources, change } = beginning;
        let id = stack.id.clone();
        let (done, wait) = oneshot::channel();
        let engine = self.clone();
        self.0.deps.tasks.spawn(Kind::Work, "stack", async move {
            let first = change.events.clone();
            let ended = match engine.0.ledger.write(&place, &stack.name, &held.lease, change).await {
                Ok(()) => {
                    if let Some(progress) = &progress {
                        first.into_iter().for_each(|event| drop(progress.try_send(event)));
                    }
                    engine.run(place, stack, resources, held, progress).await
                }
                Err(error) => {
                    held.let_go().await;
                    Err(error)
                }
            };
            let _nobody_waits = done.send(ended);
        });
        wait.await.unwrap_or(Err(Error::Interrupted(id)))
    }

    async fn hold(&self, place: &Place, name: &str, action: &'static str, work: Work) -> Result<Held, Error> {
        let key = (place.clone(), name.to_owned());
        loop {
            let released = self.0.released.notified();
            let before = {
                let mut busy = self.0.busy.lock().unwrap_or_else(PoisonError::into_inner);
                let before = busy.get(&key).copied();
                if before.is_none() {
                    busy.insert(key.clone(), work);
                }
                before
            };
            match before {
                None => break,
                Some(Work::Asked) => {
                    if let Some(stack) = self.unfinished(place, name).await? {
                        return Err(Error::State { id: stack.id, status: stack.status.as_str(), action });
                    }
                }
                Some(Work::Resumed) => {}
            }
            released.await;
        }
        let busy = Busy { inner: Arc::clone(&self.0), key };
        match self.lease(place, name).await? {
            Some(lease) => Ok(Held { busy, lease }),
            None => Err(Error::State { id: name.to_owned(), status: "IN_PROGRESS (on another node)", action }),
        }
    }

    async fn lease(&self, place: &Place, name: &str) -> Result<Option<Lease>, Error> {
        let lease = format!("stacks/{}/{}/{name}", place.account, place.region);
        Ok(self.0.deps.store.lease(&lease, &self.0.deps.node, LEASE_TTL).await?)
    }

    /// The stack, if an operation on it has begun and not ended.
    async fn unfinished(&self, place: &Place, name: &str) -> Result<Option<Stack>, Error> {
        let stack = self.0.ledger.stack(place, name).await?;
        Ok(stack.filter(|stack| stack.status.stage() != Stage::Rest))
    }

    /// Runs an operation to its end. Where the lease ran out meanwhile and nobody else took it, it is taken again, and what the ledger
    /// says is gone on with: what was in flight is as after a crash.
    async fn run(
        &self,
        place: Place,
        mut stack: Stack,
        mut resources: BTreeMap<String, ResourceState>,
        mut held: Held,
        progress: Option<mpsc::Sender<Event>>,
    ) -> Result<Stack, Error> {
        let name = stack.name.clone();
        for _ in 1..TURNS_MAX {
            let ended = self.turn(&place, stack, resources, &held.lease, progress.clone()).await;
            let lost = matches!(ended, Err(Error::Interrupted(_) | Error::Store(store::Error::LeaseLost { .. })));
            if !lost || self.0.deps.tasks.stopping().is_cancelled() {
                held.let_go().await;
                return ended;
            }
            let (Some(lease), Some(now)) =
                (self.lease(&place, &name).await?, self.0.ledger.stack(&place, &name).await?)
            else {
                return ended;
            };
            tracing::warn!(stack = name, "the lease of an operation ran out and was taken again");
            held.lease = lease;
            stack = now;
            resources = self.0.ledger.resources(&place, &name).await?;
        }
        let ended = self.turn(&place, stack, resources, &held.lease, progress).await;
        held.let_go().await;
        ended
    }

    async fn turn(
        &self,
        place: &Place,
        stack: Stack,
        resources: BTreeMap<String, ResourceState>,
        lease: &Lease,
        progress: Option<mpsc::Sender<Event>>,
    ) -> Result<Stack, Error> {
        let deps = &self.0.deps;
        let steps = Steps {
            caller: Arc::clone(&deps.caller),
            clock: deps.clock.clone(),
            random: deps.random.clone(),
            account: place.account,
            region: place.region.clone(),
            owner: stack.owner.clone(),
            base_url: Arc::clone(&deps.base_url),
            stopping: deps.tasks.stopping(),
        };
        let workshop = Arc::new(Workshop {
            ledger: self.0.ledger.clone(),
            steps,
            types: deps.types.clone(),
            place: place.clone(),
            stack: stack.name.clone(),
            stack_id: stack.id.clone(),
            lease: lease.clone(),
            progress,
        });
        let interrupted = workshop.interrupted();
        let operation = Operation { workshop, stack, resources };
        tokio::select! {
            ended = operation.run() => ended,
            () = operation::hold(lease.clone(), LEASE_TTL, deps.clock.clone()) => Err(interrupted),
        }
    }
}
