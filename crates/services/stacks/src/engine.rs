//! The engine: stacks are planned, applied, deleted, listed and described. It knows no service.
//!
//! What always holds: one operation at a time on a stack, held by a lease whose loss stops it; an operation goes on to its end when its
//! caller hangs up, and at the next start when the node stops ([`Engine::resume`]); it ends as wanted, or as it was before.

mod emptied;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use base::task::Tasks;
use base::{Clock, Random};
use contract::{Call, Caller, Principal};
use serde_json::Value;
use store::Store;
use template::{Node, Pseudo, Template};
use tokio::sync::{Notify, mpsc};

use crate::Error;
use crate::application::{Application, Plot, Types};
use crate::model::{Event, Owner, ResourceState, Stack, Status, is_stack_name, resource_status};
use crate::operation;
use crate::plan::{self, Planned};
use crate::store::{Change, Ledger, Place, Which};
use crate::work::naming;
use turn::{Beginning, Work};

pub use emptied::Emptied;

/// The most stacks of one account and region.
const STACKS_MAX: usize = 2_000;

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

/// What a wish comes to.
enum Draft {
    /// It is so already.
    Same(Box<Stack>),
    /// This is to be done.
    Begin(Box<Beginning>),
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    deps: Deps,
    ledger: Ledger,
    /// Stacks with an operation in this process.
    busy: Mutex<BTreeMap<(Place, String), Work>>,
    /// Tells that one of them is free again.
    released: Notify,
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
        for (place, stack) in self.0.ledger.unfinished().await? {
            resumed += usize::from(self.go_on(&place, &stack).await?);
        }
        Ok(resumed)
    }

    /// What [`Engine::apply`] would do.
    pub async fn plan(&self, call: &Call, wish: &Wish) -> Result<Vec<Planned>, Error> {
        let place = place(call);
        let stack = self.0.ledger.stack(&place, &wish.stack).await?;
        let resources = self.0.ledger.resources(&place, &wish.stack).await?;
        let (application, _) = self.application(&place, stack.as_ref(), wish).await?;
        self.difference(&place, &wish.stack, &application, &resources)
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
        let place = place(call);
        let before = self.0.ledger.stack(&place, &wish.stack).await?;
        if before.is_none() && self.0.ledger.stacks(&place).await?.len() >= STACKS_MAX {
            return Err(Error::TooMany(STACKS_MAX));
        }
        let held = self.take(&place, &wish.stack, "updated").await?;
        let ended = match self.draft(call, &place, wish).await {
            Ok(Draft::Begin(beginning)) => self.begin(*beginning, held, progress).await?,
            Ok(Draft::Same(stack)) => {
                held.let_go().await;
                return Ok(Applied { stack: *stack, changed: false });
            }
            Err(error) => {
                held.let_go().await;
                return Err(error);
            }
        };
        match ended.status {
            Status::CreateComplete | Status::UpdateComplete => Ok(Applied { stack: ended, changed: true }),
            Status::RollbackComplete => {
                self.forget(call, &place, &ended).await;
                Err(failed(ended, Status::RollbackComplete))
            }
            status => Err(failed(ended, status)),
        }
    }

    /// Deletes a stack and all that it made. One that is not there is deleted already.
    pub async fn delete(&self, call: &Call, name: &str, progress: Option<mpsc::Sender<Event>>) -> Result<(), Error> {
        let place = place(call);
        if self.0.ledger.stack(&place, name).await?.is_none() {
            return Ok(());
        }
        let held = self.take(&place, name, "deleted").await?;
        let ended = match self.draft_end(call, &place, name).await {
            Ok(Some(beginning)) => self.begin(beginning, held, progress).await?,
            nothing_to_do => {
                held.let_go().await;
                return nothing_to_do.map(|_| ());
            }
        };
        match ended.status {
            Status::DeleteComplete => Ok(()),
            status => Err(failed(ended, status)),
        }
    }

    /// A creation that failed and was taken back has left nothing but its record. CloudFormation keeps that, to be deleted by hand; here
    /// whoever asked is told why at this moment, and all is as it was before. The record stays only where nobody could be told, because
    /// the node was cut off, where somebody else has begun with the stack meanwhile, and where resources were to be retained: they
    /// stand, and nothing else tells which they are.
    async fn forget(&self, call: &Call, place: &Place, failed: &Stack) {
        let Ok(held) = self.take(place, &failed.name, "deleted").await else { return };
        let now = self.0.ledger.stack(place, &failed.name).await.ok().flatten();
        let is_it = now.is_some_and(|now| now.id == failed.id && now.status == Status::RollbackComplete);
        // Where that cannot be told, nothing is forgotten.
        let is_all_gone = is_it && !self.0.ledger.kept_resources(&failed.id).await.unwrap_or(true);
        let beginning = if is_all_gone { self.draft_end(call, place, &failed.name).await.ok().flatten() } else { None };
        match beginning {
            Some(beginning) => {
                if let Err(error) = self.begin(beginning, held, None).await {
                    tracing::warn!(stack = failed.name, %error, "what is left of a failed creation stays in the list");
                }
            }
            None => held.let_go().await,
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

    /// The template of a stack, functions in their long form. Of one that never was complete, the one that it was to be made from.
    pub async fn template(&self, call: &Call, name: &str) -> Result<Value, Error> {
        let place = place(call);
        for which in [Which::Current, Which::Target] {
            if let Some(document) = self.0.ledger.template(&place, name, which).await? {
                return Ok(document);
            }
        }
        Err(Error::Missing(name.to_owned()))
    }

    /// Checks a wish, while the stack is held, and says how to begin.
    async fn draft(&self, call: &Call, place: &Place, wish: Wish) -> Result<Draft, Error> {
        let Inner { ledger, deps, .. } = self.0.as_ref();
        let before = ledger.stack(place, &wish.stack).await?;
        let resources = ledger.resources(place, &wish.stack).await?;
        let (application, parameters) = self.application(place, before.as_ref(), &wish).await?;
        let retyped = resources.values().filter(|state| {
            let wanted = application.resources.get(&state.id);
            state.current.is_some() && wanted.is_some_and(|wanted| wanted.kind != state.kind)
        });
        let retyped: Vec<String> = retyped.map(|state| state.id.clone()).collect();
        if !retyped.is_empty() {
            return Err(Error::TypeChanged(retyped));
        }
        let document = wish.template.to_json();
        if let Some(before) = before.as_ref().filter(|before| before.status.is_good()) {
            let same = ledger.template(place, &wish.stack, Which::Current).await?.as_ref() == Some(&document)
                && before.parameters == parameters
                && resources.values().all(|state| state.doomed.is_empty())
                && self.difference(place, &wish.stack, &application, &resources)?.is_empty();
            if same {
                return Ok(Draft::Same(Box::new(before.clone())));
            }
        }
        let mut stack = before.unwrap_or_else(|| self.new_stack(place, &wish.stack));
        stack.status = if stack.established { Status::UpdateInProgress } else { Status::CreateInProgress };
        stack.reason = None;
        stack.updated_ms = deps.clock.now_ms();
        stack.target_parameters = parameters;
        stack.owner = owner(&call.principal);
        let change = Change { template: Some((Which::Target, document)), ..first_change(&stack) };
        Ok(Draft::Begin(Box::new(Beginning { place: place.clone(), stack, resources, change })))
    }

    /// How to begin to delete a stack, while it is held; none if it is gone.
    async fn draft_end(&self, call: &Call, place: &Place, name: &str) -> Result<Option<Beginning>, Error> {
        let Some(mut stack) = self.0.ledger.stack(place, name).await? else { return Ok(None) };
        self.check_unused(place, &stack).await?;
        let mut resources = self.0.ledger.resources(place, name).await?;
        stack.status = Status::DeleteInProgress;
        stack.reason = None;
        stack.updated_ms = self.0.deps.clock.now_ms();
        stack.owner = owner(&call.principal);
        let mut change = first_change(&stack);
        for state in resources.values_mut() {
            for instance in state.accept(false) {
                change.events.push(Event {
                    logical_id: state.id.clone(),
                    kind: state.kind.clone(),
                    physical_id: instance.physical_id,
                    status: resource_status::DELETE_SKIPPED,
                    ..operation::stack_event(&stack)
                });
            }
        }
        change.resources = resources.values().cloned().collect();
        resources.retain(|_, state| !state.is_gone());
        Ok(Some(Beginning { place: place.clone(), stack, resources, change }))
    }

    fn difference(
        &self,
        place: &Place,
        stack: &str,
        application: &Application,
        resources: &BTreeMap<String, ResourceState>,
    ) -> Result<Vec<Planned>, Error> {
        plan::plan(application, resources, &self.0.deps.types, |id, suffix| naming(place, stack, id, suffix.to_owned()))
    }

    /// Exports that others import stay; asked before anything is deleted, and held true by the commit that ends the stack.
    async fn check_unused(&self, place: &Place, stack: &Stack) -> Result<(), Error> {
        let exports: Vec<&String> = stack.outputs.iter().filter_map(|output| output.export.as_ref()).collect();
        if exports.is_empty() {
            return Ok(());
        }
        let others = self.0.ledger.stacks(place).await?;
        for export in exports {
            let users = others.iter().filter(|user| user.name != stack.name && user.imports.contains(export));
            let stacks: Vec<String> = users.map(|user| user.name.clone()).collect();
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
}

fn first_change(stack: &Stack) -> Change {
    let event = Event { reason: Some("User Initiated".to_owned()), ..operation::stack_event(stack) };
    Change { stack: Some(stack.clone()), events: vec![event], ..Change::default() }
}

fn failed(stack: Stack, status: Status) -> Error {
    let reason = stack.reason.unwrap_or_else(|| "the stack's events tell why".to_owned());
    Error::Failed { id: stack.id, status: status.as_str(), reason }
}

fn place(call: &Call) -> Place {
    Place { account: call.account, region: call.region.clone() }
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
