//! The engine: stacks are planned, applied, deleted, listed and described. It knows no service.
//!
//! What always holds: one operation at a time on a stack, held by a lease whose loss stops it; an operation goes on to its end when its
//! caller hangs up, and at the next start when the node stops ([`Engine::resume`]); it ends as wanted, or as it was before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::task::{Kind, Tasks};
use base::{Clock, Random};
use contract::{Call, Principal};
use serde_json::Value;
use store::Store;
use template::{Node, Pseudo, Template};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::Error;
use crate::application::{Application, Plot, Types};
use crate::caller::Caller;
use crate::model::{Event, Owner, ResourceState, Stack, Stage, Status, is_stack_name, resource_status};
use crate::operation::{self, Operation};
use crate::plan::{self, Planned};
use crate::steps::Steps;
use crate::store::{Change, Ledger, Place, Which};
use crate::work::{Workshop, naming};

/// The most stacks of one account and region.
const STACKS_MAX: usize = 2_000;
/// How long a lease lasts if its holder dies.
const LEASE_TTL: Duration = Duration::from_secs(30);

/// What an engine is made of.
pub struct Deps {
    /// Where stacks are kept.
    pub store: Store,
    /// How operations are reached.
    pub caller: Arc<dyn Caller>,
    /// What resources there are.
    pub types: Types,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub random: Random,
    /// Where operations run.
    pub tasks: Tasks,
    /// This node's name, the same at every start: it takes its own leases back without waiting for their end.
    pub node: String,
    /// What addresses that resources are given begin with, such as `http://localhost:4566`.
    pub base_url: Arc<str>,
}

/// What a stack shall be.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The stack's name.
    pub stack: String,
    /// The template, as [`template::read`] gives it.
    pub template: Node,
    /// Values for its parameters. Those that are not given keep the value that the stack has, and then their default.
    pub parameters: BTreeMap<String, String>,
}

/// What came of an [`Engine::apply`].
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The stack as it is now.
    pub stack: Stack,
    /// False where it was so already, and nothing was done.
    pub changed: bool,
}

/// A stack in full.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The stack.
    pub stack: Stack,
    /// Its resources, by name.
    pub resources: Vec<ResourceState>,
    /// Its newest events, the newest last.
    pub events: Vec<Event>,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    deps: Deps,
    ledger: Ledger,
    /// Stacks with an operation in this process.
    busy: Mutex<BTreeSet<(Place, String)>>,
    /// Tells that one of them is free again.
    released: Notify,
}

/// Holds a stack's place among the busy ones.
struct Busy {
    inner: Arc<Inner>,
    key: (Place, String),
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.inner.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        self.inner.released.notify_waiters();
    }
}

impl Engine {
    /// Ready; nothing runs until [`Engine::resume`] is called.
    pub fn new(deps: Deps) -> Self {
        let ledger = Ledger::new(deps.store.clone());
        Self(Arc::new(Inner { deps, ledger, busy: Mutex::default(), released: Notify::new() }))
    }

    /// The same, with a place at which a test stops the world.
    #[cfg(test)]
    pub(crate) fn halting(deps: Deps, halt: Arc<crate::tests::world::Halt>) -> Self {
        let mut ledger = Ledger::new(deps.store.clone());
        ledger.halt = halt;
        Self(Arc::new(Inner { deps, ledger, busy: Mutex::default(), released: Notify::new() }))
    }

    /// Goes on with every operation that was cut off. Tells how many there were; they run in the background.
    pub async fn resume(&self) -> Result<usize, Error> {
        let mut resumed = 0;
        for (place, stack) in self.0.ledger.everywhere().await? {
            if stack.status.stage() == Stage::Rest {
                continue;
            }
            let Ok((busy, lease)) = self.take(&place, &stack, "updated").await else { continue };
            tracing::info!(
                stack = stack.name,
                status = stack.status.as_str(),
                "going on with an operation that was cut off"
            );
            let resources = self.0.ledger.resources(&place, &stack.name).await?;
            let _nobody_waits = self.start(place, stack, resources, busy, lease, None);
            resumed += 1;
        }
        Ok(resumed)
    }

    /// What [`Engine::apply`] would do.
    pub async fn plan(&self, call: &Call, wish: &Wish) -> Result<Vec<Planned>, Error> {
        let place = place(call);
        let stack = self.0.ledger.stack(&place, &wish.stack).await?;
        let resources = self.0.ledger.resources(&place, &wish.stack).await?;
        let (application, _) = self.application(&place, stack.as_ref(), wish).await?;
        plan::plan(&application, &resources, &self.0.deps.types, |id, suffix| {
            naming(&place, &wish.stack, id, suffix.to_owned())
        })
    }

    /// Makes a stack what is wanted; makes it, where there is none. Events go to `progress` as they happen (those that find it full
    /// are only in the history). Runs on if it is cut off.
    pub async fn apply(
        &self,
        call: &Call,
        wish: Wish,
        progress: Option<mpsc::Sender<Event>>,
    ) -> Result<Applied, Error> {
        if !is_stack_name(&wish.stack) {
            return Err(Error::Name(wish.stack));
        }
        let Inner { ledger, deps, .. } = self.0.as_ref();
        let place = place(call);
        let before = ledger.stack(&place, &wish.stack).await?;
        if before.is_none() && ledger.stacks(&place).await?.len() >= STACKS_MAX {
            return Err(Error::TooMany(STACKS_MAX));
        }
        let draft = before.unwrap_or_else(|| self.new_stack(&place, &wish.stack));
        let (busy, lease) = self.take(&place, &draft, "updated").await?;
        // Read again: now nobody else changes it.
        let before = ledger.stack(&place, &wish.stack).await?;
        if let Some(before) = before.as_ref().filter(|before| before.status.stage() != Stage::Rest) {
            return Err(state(before, "updated"));
        }
        let resources = ledger.resources(&place, &wish.stack).await?;
        let (application, parameters) = self.application(&place, before.as_ref(), &wish).await?;
        let document = wish.template.to_json();
        let retyped = resources.values().filter(|state| {
            state.current.is_some()
                && application.resources.get(&state.id).is_some_and(|wanted| wanted.kind != state.kind)
        });
        let retyped: Vec<String> = retyped.map(|state| state.id.clone()).collect();
        if !retyped.is_empty() {
            return Err(Error::TypeChanged(retyped));
        }
        if let Some(before) = before.as_ref().filter(|before| before.status.is_good()) {
            let same = ledger.template(&place, &wish.stack, Which::Current).await?.as_ref() == Some(&document)
                && before.parameters == parameters
                && resources.values().all(|state| state.doomed.is_empty())
                && plan::plan(&application, &resources, &deps.types, |id, suffix| {
                    naming(&place, &wish.stack, id, suffix.to_owned())
                })?
                .is_empty();
            if same {
                lease.release().await?;
                return Ok(Applied { stack: before.clone(), changed: false });
            }
        }
        let mut stack = before.unwrap_or_else(|| self.new_stack(&place, &wish.stack));
        stack.status = if stack.established { Status::UpdateInProgress } else { Status::CreateInProgress };
        stack.reason = None;
        stack.updated_ms = deps.clock.now_ms();
        stack.target_parameters = parameters;
        stack.owner = owner(&call.principal);
        let template = Some((Which::Target, document));
        let change = Change { template, ..self.first_change(&stack) };
        let ended = self.begin(place, stack, resources, (busy, lease), change, progress).await?;
        match ended.status {
            Status::CreateComplete | Status::UpdateComplete => Ok(Applied { stack: ended, changed: true }),
            status => Err(Error::Failed {
                id: ended.id,
                status: status.as_str(),
                reason: ended.reason.unwrap_or_else(|| "nobody knows why".to_owned()),
            }),
        }
    }

    /// Deletes a stack and all that it made. One that is not there is deleted already.
    pub async fn delete(&self, call: &Call, name: &str, progress: Option<mpsc::Sender<Event>>) -> Result<(), Error> {
        let place = place(call);
        let Some(stack) = self.0.ledger.stack(&place, name).await? else { return Ok(()) };
        let (busy, lease) = self.take(&place, &stack, "deleted").await?;
        let Some(mut stack) = self.0.ledger.stack(&place, name).await? else { return Ok(()) };
        if stack.status.stage() != Stage::Rest {
            return Err(state(&stack, "deleted"));
        }
        self.check_unused(&place, &stack).await?;
        let mut resources = self.0.ledger.resources(&place, name).await?;
        stack.status = Status::DeleteInProgress;
        stack.reason = None;
        stack.updated_ms = self.0.deps.clock.now_ms();
        stack.owner = owner(&call.principal);
        let mut change = self.first_change(&stack);
        for state in resources.values_mut() {
            let kept = state.accept(false);
            for instance in kept {
                let mut event = operation::stack_event(&stack);
                event.logical_id.clone_from(&state.id);
                event.kind.clone_from(&state.kind);
                event.physical_id = instance.physical_id;
                event.status = resource_status::DELETE_SKIPPED;
                change.events.push(event);
            }
        }
        change.resources = resources.values().cloned().collect();
        resources.retain(|_, state| !state.is_gone());
        let ended = self.begin(place, stack, resources, (busy, lease), change, progress).await?;
        match ended.status {
            Status::DeleteComplete => Ok(()),
            status => {
                Err(Error::Failed { id: ended.id, status: status.as_str(), reason: ended.reason.unwrap_or_default() })
            }
        }
    }

    /// All stacks of the call's account and region, by name.
    pub async fn list(&self, call: &Call) -> Result<Vec<Stack>, Error> {
        Ok(self.0.ledger.stacks(&place(call)).await?)
    }

    /// A stack, its resources, and its newest events.
    pub async fn describe(&self, call: &Call, name: &str, events_max: usize) -> Result<Description, Error> {
        let place = place(call);
        let stack = self.0.ledger.stack(&place, name).await?.ok_or_else(|| Error::Missing(name.to_owned()))?;
        let resources = self.0.ledger.resources(&place, name).await?.into_values().collect();
        let events = self.0.ledger.events(&stack.id, events_max).await?;
        Ok(Description { stack, resources, events })
    }

    /// The template of a stack, functions in their long form.
    pub async fn template(&self, call: &Call, name: &str) -> Result<Value, Error> {
        let document = self.0.ledger.template(&place(call), name, Which::Current).await?;
        document.ok_or_else(|| Error::Missing(name.to_owned()))
    }

    /// Exports that others import stay; asked before anything is deleted, and held true by the commit that ends the stack.
    async fn check_unused(&self, place: &Place, stack: &Stack) -> Result<(), Error> {
        for output in &stack.outputs {
            let Some(export) = &output.export else { continue };
            let users = self.0.ledger.stacks(place).await?;
            let stacks: Vec<String> = users
                .into_iter()
                .filter(|user| user.name != stack.name && user.imports.contains(export))
                .map(|user| user.name)
                .collect();
            if !stacks.is_empty() {
                return Err(Error::ExportUsed { name: export.clone(), action: "deleted", stacks });
            }
        }
        Ok(())
    }

    async fn application(
        &self,
        place: &Place,
        before: Option<&Stack>,
        wish: &Wish,
    ) -> Result<(Application, BTreeMap<String, String>), Error> {
        let template = Template::from_node(&wish.template)?;
        let mut parameters = before.map(|before| before.parameters.clone()).unwrap_or_default();
        parameters.retain(|name, _| template.parameters.iter().any(|parameter| parameter.name == *name));
        parameters.extend(wish.parameters.clone());
        let new;
        let stack = match before {
            Some(before) => before,
            None => {
                new = self.new_stack(place, &wish.stack);
                &new
            }
        };
        let application = Application::build(Plot {
            template: &template,
            parameters: &parameters,
            pseudo: Pseudo {
                region: place.region.to_string(),
                account: place.account.to_string(),
                stack_name: stack.name.clone(),
                stack_id: stack.id.clone(),
            },
            exports: self.0.ledger.exports(place).await?,
            types: &self.0.deps.types,
        })?;
        let parameters = application.parameters.texts().clone();
        Ok((application, parameters))
    }

    fn new_stack(&self, place: &Place, name: &str) -> Stack {
        let now_ms = self.0.deps.clock.now_ms();
        let id = self.0.deps.random.uuid();
        Stack {
            name: name.to_owned(),
            id: format!("arn:aws:cloudformation:{}:{}:stack/{name}/{id}", place.region, place.account),
            status: Status::CreateInProgress,
            reason: None,
            created_ms: now_ms,
            updated_ms: now_ms,
            description: None,
            parameters: BTreeMap::new(),
            hidden: BTreeSet::new(),
            outputs: Vec::new(),
            imports: BTreeSet::new(),
            established: false,
            target_parameters: BTreeMap::new(),
            owner: Owner::Root,
        }
    }

    fn first_change(&self, stack: &Stack) -> Change {
        let mut event = operation::stack_event(stack);
        event.reason = Some("User Initiated".to_owned());
        Change { stack: Some(stack.clone()), events: vec![event], ..Change::default() }
    }

    /// Takes a stack for an operation: nobody else has it then, in this process or another. Waits for an operation that has ended and is
    /// about to let go, and for one that is not begun yet.
    async fn take(&self, place: &Place, stack: &Stack, action: &'static str) -> Result<(Busy, store::Lease), Error> {
        let key = (place.clone(), stack.name.clone());
        loop {
            let released = self.0.released.notified();
            if self.0.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone()) {
                break;
            }
            let now = self.0.ledger.stack(place, &stack.name).await?;
            if let Some(now) = now.filter(|now| now.status.stage() != Stage::Rest) {
                return Err(state(&now, action));
            }
            released.await;
        }
        let busy = Busy { inner: Arc::clone(&self.0), key };
        let name = format!("stacks/{}/{}/{}", place.account, place.region, stack.name);
        let lease = self.0.deps.store.lease(&name, &self.0.deps.node, LEASE_TTL).await?;
        Ok((busy, lease.ok_or_else(|| state(stack, action))?))
    }

    /// Writes an operation's beginning and runs it to its end.
    async fn begin(
        &self,
        place: Place,
        stack: Stack,
        resources: BTreeMap<String, ResourceState>,
        (busy, lease): (Busy, store::Lease),
        change: Change,
        progress: Option<mpsc::Sender<Event>>,
    ) -> Result<Stack, Error> {
        let id = stack.id.clone();
        let (begun, wait) = oneshot::channel();
        let (engine, progress_of_begin) = (self.clone(), progress.clone());
        // In a task from the first commit on, so that a caller who hangs up leaves nothing half begun.
        self.0.deps.tasks.spawn(Kind::Work, "stack", async move {
            let first = change.events.clone();
            let written = engine.0.ledger.write(&place, &stack.name, &lease, change).await;
            let ended = match written {
                Ok(()) => {
                    if let Some(progress) = progress_of_begin {
                        first.into_iter().for_each(|event| drop(progress.try_send(event)));
                    }
                    engine.run(place, stack, resources, busy, lease, progress).await
                }
                Err(error) => Err(error),
            };
            let _nobody_waits = begun.send(ended);
        });
        wait.await.unwrap_or(Err(Error::Interrupted(id)))
    }

    /// Goes on with an operation in the background.
    fn start(
        &self,
        place: Place,
        stack: Stack,
        resources: BTreeMap<String, ResourceState>,
        busy: Busy,
        lease: store::Lease,
        progress: Option<mpsc::Sender<Event>>,
    ) -> tokio::task::JoinHandle<()> {
        let engine = self.clone();
        self.0.deps.tasks.spawn(Kind::Work, "stack", async move {
            let name = stack.name.clone();
            match engine.run(place, stack, resources, busy, lease, progress).await {
                Ok(stack) => tracing::info!(stack = name, status = stack.status.as_str(), "the operation has ended"),
                Err(error) => tracing::warn!(stack = name, %error, "the operation was cut off"),
            }
        })
    }

    async fn run(
        &self,
        place: Place,
        stack: Stack,
        resources: BTreeMap<String, ResourceState>,
        busy: Busy,
        lease: store::Lease,
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
            place,
            stack: stack.name.clone(),
            stack_id: stack.id.clone(),
            lease: lease.clone(),
            progress,
        });
        let interrupted = workshop.interrupted();
        let operation = Operation { workshop, stack, resources, failure: None };
        let ended = tokio::select! {
            ended = operation.run() => ended,
            () = operation::hold(lease.clone(), LEASE_TTL, deps.clock.clone()) => Err(interrupted),
        };
        // Best effort: a lease that is not given back runs out.
        let _runs_out = lease.release().await;
        drop(busy);
        ended
    }
}

fn place(call: &Call) -> Place {
    Place { account: call.account, region: call.region.clone() }
}

fn state(stack: &Stack, action: &'static str) -> Error {
    Error::State { id: stack.id.clone(), status: stack.status.as_str(), action }
}

fn owner(principal: &Principal) -> Owner {
    match principal {
        Principal::Open { .. } => Owner::Open,
        Principal::Role { role, session } => Owner::Role { role: role.to_string(), session: session.to_string() },
        Principal::Root => Owner::Root,
        // Dispatch lets neither of them ask for stacks; they own nothing that a later call could be made with.
        Principal::Service { .. } | Principal::Anonymous => Owner::Role { role: String::new(), session: String::new() },
    }
}
