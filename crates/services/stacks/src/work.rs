//! Work on one resource: make it, change it, replace it, change it back, delete it. Each step is in the ledger before it happens and
//! after it has happened, so that whoever comes after a crash knows what may be there.
//!
//! What is there under a name that the template gives, and was there before, is never touched: the engine looks before it makes, and a
//! creation that is in the ledger is one that found nothing.

mod making;

use std::collections::BTreeSet;
use std::sync::Arc;

use contract::{Naming, ResourceType};
use serde_json::Value;
use store::Lease;
use tokio::sync::mpsc;

use crate::application::{Types, Wanted};
use crate::model::resource_status as status;
use crate::model::{Event, Instance, InstanceState, ResourceState};
use crate::steps::{Known, Steps, Trouble};
use crate::store::{Change, Ledger, Place};

/// A reason that is kept is no longer than this.
const REASON_BYTES_MAX: usize = 2_000;

/// What work on the resources of one stack shares.
pub(crate) struct Workshop {
    pub(crate) ledger: Ledger,
    pub(crate) steps: Steps,
    pub(crate) types: Types,
    pub(crate) place: Place,
    pub(crate) stack: String,
    pub(crate) stack_id: String,
    pub(crate) lease: Lease,
    /// Who watches; events that nobody takes in time are only in the history.
    pub(crate) progress: Option<mpsc::Sender<Event>>,
}

/// The identities of what stands for some resource of the stack, see [`Workshop::identity`].
pub(crate) type Standing = BTreeSet<String>;

/// Why work on a resource ended without success.
pub(crate) enum End {
    /// It failed; its state says so.
    Failed(String),
    /// The operation cannot go on here: the node stops, the lease is lost, the store fails.
    Halted(crate::Error),
}

impl From<crate::Error> for End {
    fn from(error: crate::Error) -> Self {
        Self::Halted(error)
    }
}

impl Workshop {
    /// Makes a resource what is wanted.
    pub(crate) async fn realise(
        &self,
        state: &mut ResourceState,
        wanted: &Wanted,
        properties: Value,
    ) -> Result<(), End> {
        let kind = self.kind(&wanted.kind)?;
        state.kind.clone_from(&wanted.kind);
        let Some(current) = &state.current else { return self.make(state, kind.as_ref(), wanted, properties).await };
        match &current.state {
            InstanceState::Creating { .. } => self.make_again(state, kind.as_ref(), wanted, properties).await,
            InstanceState::Ready if current.properties == properties => self.keep(state, wanted).await,
            InstanceState::Ready | InstanceState::Changing => {
                self.alter(state, kind.as_ref(), wanted, properties).await
            }
        }
    }

    /// Changes a resource back that was changed in place. Others are left to [`ResourceState::give_up`].
    pub(crate) async fn change_back(&self, state: &mut ResourceState) -> Result<(), End> {
        let (Some(current), Some(old)) = (&state.current, &state.old) else { return Ok(()) };
        if current.suffix != old.suffix
            || (current.state == InstanceState::Ready && current.properties == old.properties)
        {
            return Ok(());
        }
        let (kind, id) = (self.kind(&current.kind)?, current.physical_id.clone().unwrap_or_default());
        let (from, to) = (current.properties.clone(), old.properties.clone());
        let back = kind.update(&id, &self.naming(&state.id, current.suffix.clone()), &from, &to);
        let steps = match back {
            Ok(contract::Change::InPlace(steps)) => steps,
            Ok(contract::Change::Replace) => {
                return self
                    .failed(state, status::UPDATE_FAILED, "it cannot be changed back in place".to_owned())
                    .await;
            }
            Err(fault) => return self.failed(state, status::UPDATE_FAILED, properties_fault(&fault)).await,
        };
        self.note(state, status::UPDATE_IN_PROGRESS, None).await?;
        let known = match self.steps.change(kind.as_ref(), &id, &to, &steps).await {
            Ok(known) => known,
            Err(trouble) => return self.trouble(state, status::UPDATE_FAILED, trouble).await,
        };
        if let Some(mut back) = state.old.take() {
            set_known(&mut back, known);
            back.state = InstanceState::Ready;
            state.current = Some(back);
        }
        state.touched = false;
        Ok(self.note(state, status::UPDATE_COMPLETE, None).await?)
    }

    /// Deletes a doomed instance and takes it off the list. What stands for a resource stays, though it be doomed as another's: a
    /// service may answer a creation with what is there already, as `PublishVersion` does where nothing changed since the last one.
    pub(crate) async fn destroy(
        &self,
        state: &mut ResourceState,
        suffix: &str,
        standing: &Standing,
    ) -> Result<(), End> {
        let Some(at) = state.doomed.iter().position(|doomed| doomed.suffix == suffix) else { return Ok(()) };
        let mut instance = state.doomed[at].clone();
        match self.locate(&state.id, &instance).await {
            Ok(found) => instance.physical_id = found,
            Err(trouble) => return self.trouble(state, status::DELETE_FAILED, trouble).await,
        }
        if self.identity(&instance).is_some_and(|identity| standing.contains(&identity)) {
            state.doomed.remove(at);
            return Ok(self.note_instance(state, &instance, status::DELETE_SKIPPED).await?);
        }
        self.note_instance(state, &instance, status::DELETE_IN_PROGRESS).await?;
        match self.delete(&instance).await {
            Ok(()) => {
                state.doomed.remove(at);
                Ok(self.note_instance(state, &instance, status::DELETE_COMPLETE).await?)
            }
            Err(trouble) => self.trouble(state, status::DELETE_FAILED, trouble).await,
        }
    }

    /// What tells one real thing from all others: what it takes to delete it. A physical id alone does not: two log streams of one name
    /// lie in two groups. None while nobody knows what it is.
    pub(crate) fn identity(&self, instance: &Instance) -> Option<String> {
        let (id, kind) = (instance.physical_id.as_ref()?, self.types.get(&instance.kind)?);
        let steps = kind.delete(id, &instance.properties);
        let steps = steps.iter().map(|step| format!(" {} {}", step.operation.name, step.input));
        Some(format!("{} {id}{}", instance.kind, steps.collect::<String>()))
    }

    /// What was made stands for another resource already.
    pub(crate) async fn refuse_double(&self, state: &mut ResourceState, other: &str) -> Result<(), End> {
        let id = state.current.as_ref().and_then(|current| current.physical_id.clone()).unwrap_or_default();
        let reason = format!(
            "{id} already exists, and is the resource {other} of this template: the service made nothing new. Take one of the two out."
        );
        self.failed(state, status::CREATE_FAILED, reason).await
    }

    /// Tells that the node stops.
    pub(crate) fn interrupted(&self) -> crate::Error {
        crate::Error::Interrupted(self.stack_id.clone())
    }

    /// An event about a resource.
    pub(crate) fn event(&self, state: &ResourceState, physical_id: Option<String>, what: &'static str) -> Event {
        Event {
            time_ms: self.steps.clock.now_ms(),
            stack_id: self.stack_id.clone(),
            stack: self.stack.clone(),
            logical_id: state.id.clone(),
            physical_id,
            kind: state.kind.clone(),
            status: what,
            reason: state.reason.clone(),
        }
    }

    /// Writes a change, and tells whoever watches.
    pub(crate) async fn write(&self, change: Change) -> Result<(), crate::Error> {
        let events = change.events.clone();
        self.ledger.write(&self.place, &self.stack, &self.lease, change).await?;
        for event in events {
            let Event { logical_id, kind, status, reason, .. } = &event;
            tracing::info!(stack = self.stack, resource = logical_id, kind, status, reason, "stack event");
            if let Some(progress) = &self.progress {
                // A reader that does not read must not hold the work up; the history has what it misses.
                let _full_or_gone = progress.try_send(event);
            }
        }
        Ok(())
    }

    async fn alter(
        &self,
        state: &mut ResourceState,
        kind: &dyn ResourceType,
        wanted: &Wanted,
        properties: Value,
    ) -> Result<(), End> {
        let Some(current) = state.current.clone() else { return Ok(()) };
        let id = current.physical_id.clone().unwrap_or_default();
        // A change that was under way to these very properties is made from those before it.
        let again = current.state == InstanceState::Changing && current.properties == properties;
        let from = match &state.old {
            Some(old) if again && old.suffix == current.suffix => old.properties.clone(),
            Some(_) | None => current.properties.clone(),
        };
        if let Err(fault) = kind.check(&properties) {
            return self.failed(state, status::UPDATE_FAILED, properties_fault(&fault)).await;
        }
        let naming = self.naming(&state.id, current.suffix.clone());
        let steps = match kind.update(&id, &naming, &from, &properties) {
            Ok(contract::Change::InPlace(steps)) => steps,
            Ok(contract::Change::Replace) => return self.make(state, kind, wanted, properties).await,
            Err(fault) => return self.failed(state, status::UPDATE_FAILED, properties_fault(&fault)).await,
        };
        let before = state.clone();
        state.touched = true;
        state.old.get_or_insert_with(|| current.clone());
        if let Some(current) = &mut state.current {
            current.properties = properties.clone();
            current.state = InstanceState::Changing;
        }
        self.note(state, status::UPDATE_IN_PROGRESS, None).await?;
        let known = match self.steps.change(kind, &id, &properties, &steps).await {
            Ok(known) => known,
            Err(Trouble::Refused(reason)) if !again => {
                *state = before;
                return self.failed(state, status::UPDATE_FAILED, reason).await;
            }
            Err(trouble) => return self.trouble(state, status::UPDATE_FAILED, trouble).await,
        };
        if let Some(current) = &mut state.current {
            set_known(current, known);
            current.state = InstanceState::Ready;
            current.needs.clone_from(&wanted.needs);
            current.deletion_policy = wanted.deletion_policy;
            current.replace_policy = wanted.replace_policy;
        }
        Ok(self.note(state, status::UPDATE_COMPLETE, None).await?)
    }

    /// Nothing of the resource changes but what only the engine knows of it.
    async fn keep(&self, state: &mut ResourceState, wanted: &Wanted) -> Result<(), End> {
        let Some(current) = &mut state.current else { return Ok(()) };
        let known = (&current.needs, current.deletion_policy, current.replace_policy);
        if known == (&wanted.needs, wanted.deletion_policy, wanted.replace_policy) {
            return Ok(());
        }
        state.old.get_or_insert_with(|| current.clone());
        state.touched = true;
        current.needs.clone_from(&wanted.needs);
        current.deletion_policy = wanted.deletion_policy;
        current.replace_policy = wanted.replace_policy;
        Ok(self.write(Change { resources: vec![state.clone()], ..Change::default() }).await?)
    }

    /// Deletes what the instance is known to be; nothing, if nothing was made.
    async fn delete(&self, instance: &Instance) -> Result<(), Trouble> {
        let (Some(id), kind) = (&instance.physical_id, self.kind_of(instance)?) else { return Ok(()) };
        for step in kind.delete(id, &instance.properties) {
            self.steps.call_deleting(&step).await?;
        }
        Ok(())
    }

    fn kind_of(&self, instance: &Instance) -> Result<&Arc<dyn ResourceType>, Trouble> {
        let unknown = || Trouble::Refused(format!("this node does not know the type {} any more", instance.kind));
        self.types.get(&instance.kind).ok_or_else(unknown)
    }

    fn kind(&self, name: &str) -> Result<Arc<dyn ResourceType>, End> {
        let known = self.types.get(name).cloned();
        known.ok_or_else(|| End::Failed(format!("this node does not know the type {name} any more")))
    }

    fn naming(&self, id: &str, suffix: String) -> Naming {
        naming(&self.place, &self.stack, id, suffix)
    }

    async fn trouble(&self, state: &mut ResourceState, what: &'static str, trouble: Trouble) -> Result<(), End> {
        match trouble {
            Trouble::Refused(reason) | Trouble::Unknown(reason) => self.failed(state, what, reason).await,
            Trouble::Stopping => Err(End::Halted(self.interrupted())),
        }
    }

    async fn failed(&self, state: &mut ResourceState, what: &'static str, reason: String) -> Result<(), End> {
        let reason = shortened(reason);
        self.note(state, what, Some(reason.clone())).await?;
        Err(End::Failed(reason))
    }

    async fn note(
        &self,
        state: &mut ResourceState,
        what: &'static str,
        reason: Option<String>,
    ) -> Result<(), crate::Error> {
        let physical_id = state.current.as_ref().and_then(|current| current.physical_id.clone());
        self.note_as(state, physical_id, what, reason).await
    }

    async fn note_instance(
        &self,
        state: &mut ResourceState,
        instance: &Instance,
        what: &'static str,
    ) -> Result<(), crate::Error> {
        self.note_as(state, instance.physical_id.clone(), what, None).await
    }

    async fn note_as(
        &self,
        state: &mut ResourceState,
        physical_id: Option<String>,
        what: &'static str,
        reason: Option<String>,
    ) -> Result<(), crate::Error> {
        let event = {
            state.reason = reason;
            self.event(state, physical_id, what)
        };
        // A resource that stands is not called deleted because one that it replaced was.
        let about_old = state.current.is_some() && what.starts_with("DELETE");
        if about_old {
            state.reason = None;
        } else {
            state.status = what;
        }
        state.updated_ms = event.time_ms;
        self.write(Change { resources: vec![state.clone()], events: vec![event], ..Change::default() }).await
    }
}

/// Names for what a resource's properties leave unnamed.
pub(crate) fn naming(place: &Place, stack: &str, id: &str, suffix: String) -> Naming {
    Naming {
        stack: stack.to_owned(),
        logical_id: id.to_owned(),
        suffix,
        region: place.region.to_string(),
        account: place.account.to_string(),
    }
}

/// A reason of the length that is kept.
pub(crate) fn shortened(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
    reason
}

fn set_known(instance: &mut Instance, known: Known) {
    instance.reference = known.reference;
    instance.attributes = known.attributes;
}

fn properties_fault(fault: &contract::PropertyFault) -> String {
    match fault.path.as_str() {
        "" => format!("Properties validation failed: {}", fault.message),
        path => format!("Properties validation failed: {path}: {}", fault.message),
    }
}
