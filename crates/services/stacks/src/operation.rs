//! One operation on one stack, from wherever it stands to its end. It does what the stack's status says is left to do, so it does not
//! matter whether it was begun just now, or by a node that has stopped since.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use contract::BoxFuture;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use template::{Lookup, Node, Output, Problem, Pseudo, Template};

use crate::Error;
use crate::application::{Application, Asked, Named, Plot, output_fields};
use crate::graph::Edges;
use crate::model::{Event, OutputValue, ResourceState, Stack, Stage, Status, resource_status};
use crate::schedule::Schedule;
use crate::store::{Change, Shared, Which};
use crate::work::{End, Standing, Workshop, shortened};

/// The longest value of an output.
const OUTPUT_BYTES_MAX: usize = 4_096;

/// An operation on a stack.
pub(crate) struct Operation {
    pub(crate) workshop: Arc<Workshop>,
    pub(crate) stack: Stack,
    pub(crate) resources: BTreeMap<String, ResourceState>,
}

/// What is left of a round of work.
#[derive(Default)]
struct Undone {
    /// What failed, and why.
    failed: BTreeMap<String, String>,
    /// What waited for something that failed, and was not begun.
    unreached: BTreeSet<String>,
}

impl Undone {
    fn contains(&self, id: &str) -> bool {
        self.failed.contains_key(id) || self.unreached.contains(id)
    }
}

/// One piece of work, and what became of it.
type Job = BoxFuture<'static, (String, ResourceState, Result<(), End>)>;

impl Operation {
    /// Runs to the end. The stack as it is then, or why it cannot go on here.
    pub(crate) async fn run(mut self) -> Result<Stack, Error> {
        loop {
            match self.stack.status.stage() {
                Stage::Apply => self.apply().await?,
                Stage::Revert => self.revert().await?,
                Stage::Clean => self.clean().await?,
                Stage::Rest => return Ok(self.stack),
            }
        }
    }

    async fn apply(&mut self) -> Result<(), Error> {
        // What an earlier operation could not delete may sit on a name that is wanted now; if it stays, it is tried again at the end.
        let _still_there = self.destroy_all().await?;
        let failure = match self.application().await {
            Ok(application) => match self.make_all(&application).await? {
                None => match self.accept(&application).await {
                    Ok(()) => return Ok(()),
                    Err(error @ (Error::Store(_) | Error::Interrupted(_))) => return Err(error),
                    Err(error) => error.to_string(),
                },
                Some(failure) => failure,
            },
            Err(error @ (Error::Store(_) | Error::Interrupted(_))) => return Err(error),
            Err(error) => error.to_string(),
        };
        let status = if self.stack.established { Status::UpdateRollbackInProgress } else { Status::RollbackInProgress };
        self.enter(status, Some(failure), Change::default()).await
    }

    /// What the target template means.
    async fn application(&self) -> Result<Application, Error> {
        let Workshop { ledger, place, types, .. } = self.workshop.as_ref();
        let document = ledger.template(place, &self.stack.name, Which::Target).await?;
        let node = Node::from_json(&document.unwrap_or(Value::Null), 0);
        Application::build(Plot {
            template: &Template::from_node(&node)?,
            parameters: &self.stack.target_parameters,
            pseudo: pseudo(&self.workshop, &self.stack),
            exports: ledger.exports(place).await?,
            types,
        })
    }

    /// Makes and changes all that the template wants; the first failure, if there was one.
    async fn make_all(&mut self, application: &Application) -> Result<Option<String>, Error> {
        let edges: Edges =
            application.resources.iter().map(|(id, wanted)| (id.clone(), wanted.needs.clone())).collect();
        let mut schedule = Schedule::new(&edges);
        let mut running: FuturesUnordered<Job> = FuturesUnordered::new();
        let mut failure: Option<String> = None;
        loop {
            while failure.is_none() && !self.workshop.steps.stopping.is_cancelled() {
                let Some(id) = schedule.start() else { break };
                let wanted = application.resources[&id].clone();
                let properties = match application.evaluate(&wanted.properties, &self.known(application)) {
                    Ok(properties) => properties.map_or(Value::Null, |node| node.to_json()),
                    Err(error) => {
                        schedule.failed();
                        failure = Some(error.to_string());
                        break;
                    }
                };
                let state = self.resources.get(&id).cloned().unwrap_or_else(|| ResourceState::new(&id, &wanted.kind));
                let workshop = Arc::clone(&self.workshop);
                running.push(Box::pin(async move {
                    let mut state = state;
                    let end = workshop.realise(&mut state, &wanted, properties).await;
                    (id, state, end)
                }));
            }
            let Some((id, state, end)) = running.next().await else { break };
            self.resources.insert(id.clone(), state);
            let end = match end {
                Ok(()) => self.check_own(application, &id).await,
                other => other,
            };
            match end {
                Ok(()) => schedule.done(&id),
                Err(End::Failed(reason)) => {
                    schedule.failed();
                    failure.get_or_insert(format!("{id}: {reason}"));
                }
                Err(End::Halted(error)) => return Err(error),
            }
        }
        if failure.is_none() && schedule.is_stuck() {
            return Err(self.workshop.interrupted());
        }
        Ok(failure)
    }

    /// A service may answer a creation with what is there already, as `PublishVersion` does where nothing changed since the last one. What
    /// stands for one resource of the template cannot stand for another as well: whichever went would take it along.
    async fn check_own(&mut self, application: &Application, id: &str) -> Result<(), End> {
        let Some(state) = self.resources.get(id).filter(|state| state.is_made_now()) else { return Ok(()) };
        let identity = |state: &ResourceState| self.workshop.identity(state.current.as_ref()?);
        let own = identity(state);
        let others = self.resources.values().filter(|other| {
            other.id != id && application.resources.contains_key(&other.id) && own.is_some() && identity(other) == own
        });
        let Some(other) = others.map(|other| other.id.clone()).next() else { return Ok(()) };
        let mut state = state.clone();
        let end = self.workshop.refuse_double(&mut state, &other).await;
        self.resources.insert(id.to_owned(), state);
        end
    }

    /// All is as the template wants: from here on there is no way back, only cleaning up.
    async fn accept(&mut self, application: &Application) -> Result<(), Error> {
        let before = Shared::of(&self.stack);
        let mut stack = self.stack.clone();
        stack.outputs = self.outputs(application)?;
        stack.imports.clone_from(&application.imports);
        stack.description.clone_from(&application.description);
        stack.hidden.clone_from(&application.hidden);
        stack.parameters = application.parameters.texts().clone();
        stack.target_parameters = BTreeMap::new();
        stack.reason = None;
        let (mut resources, mut events) = (self.resources.clone(), Vec::new());
        for state in resources.values_mut() {
            let wanted = application.resources.contains_key(&state.id);
            let kept = state.accept(wanted);
            state.reason = None;
            events.extend(
                kept.into_iter()
                    .map(|instance| self.workshop.event(state, instance.physical_id, resource_status::DELETE_SKIPPED)),
            );
        }
        let changed = resources.values().filter(|state| self.resources.get(&state.id) != Some(*state));
        let doomed = resources.values().any(|state| !state.doomed.is_empty());
        stack.status = match (doomed, self.stack.established) {
            (true, _) => Status::UpdateCompleteCleanupInProgress,
            (false, true) => Status::UpdateComplete,
            (false, false) => Status::CreateComplete,
        };
        stack.established = true;
        stack.updated_ms = self.workshop.steps.clock.now_ms();
        events.push(stack_event(&stack));
        let change = Change {
            shared: Some((before, Shared::of(&stack))),
            stack: Some(stack.clone()),
            promote: true,
            resources: changed.cloned().collect(),
            events,
            ..Change::default()
        };
        self.workshop.write(change).await?;
        self.stack = stack;
        self.resources = resources;
        self.resources.retain(|_, state| !state.is_gone());
        Ok(())
    }

    fn outputs(&self, application: &Application) -> Result<Vec<OutputValue>, Error> {
        let known = self.known(application);
        let text = |output: &Output, (field, node): (&'static str, &Node)| -> Result<String, Error> {
            let value = application.evaluate(node, &known)?;
            let value = value.as_ref().and_then(Node::scalar).ok_or_else(|| {
                Error::from(Problem::OutputText { output: output.name.clone(), field }.at(output.line))
            })?;
            match value.len() {
                0..=OUTPUT_BYTES_MAX => Ok(value),
                bytes => Err(output_fault(output, format!("it has {bytes} bytes, and may have {OUTPUT_BYTES_MAX}"))),
            }
        };
        let outputs = application.outputs.iter().map(|output| {
            let mut texts = output_fields(output).map(|field| text(output, field));
            let value = texts.next().transpose()?.unwrap_or_default();
            let export = texts.next().transpose()?;
            Ok(OutputValue { name: output.name.clone(), value, description: output.description.clone(), export })
        });
        let outputs: Vec<OutputValue> = outputs.collect::<Result<_, Error>>()?;
        let mut exports = BTreeSet::new();
        for (output, made) in application.outputs.iter().zip(&outputs) {
            if let Some(export) = made.export.as_ref().filter(|export| !exports.insert(*export)) {
                return Err(output_fault(output, format!("another output is exported as {export} already")));
            }
        }
        Ok(outputs)
    }

    async fn revert(&mut self) -> Result<(), Error> {
        // A stack that never was complete goes back to nothing: what was changed on the way is deleted as what was made is.
        let back = self.stack.established;
        let touched = self.resources.values().filter(|state| state.touched && back);
        let edges: Edges =
            touched.filter_map(|state| Some((state.id.clone(), state.old.as_ref()?.needs.clone()))).collect();
        let undone = self
            .each(&edges, |workshop, mut state| {
                Box::pin(async move {
                    let end = workshop.change_back(&mut state).await;
                    (state, end)
                })
            })
            .await?;
        let (mut resources, mut events) = (self.resources.clone(), Vec::new());
        for state in resources.values_mut().filter(|state| state.touched && !undone.contains(&state.id)) {
            if !back {
                state.forget_old();
            }
            let kept = state.give_up();
            events.extend(
                kept.map(|instance| self.workshop.event(state, instance.physical_id, resource_status::DELETE_SKIPPED)),
            );
        }
        let changed: Vec<_> =
            resources.values().filter(|state| self.resources.get(&state.id) != Some(*state)).cloned().collect();
        self.resources = resources;
        self.resources.retain(|_, state| !state.is_gone());
        let change = Change { resources: changed, events, ..Change::default() };
        if back {
            let status = Status::UpdateRollbackCompleteCleanupInProgress;
            let reason = match undone.failed.is_empty() {
                true => self.stack.reason.clone(),
                false => Some(joined(self.stack.reason.as_deref(), &failures("update", &undone.failed))),
            };
            return self.enter(status, reason, change).await;
        }
        self.workshop.write(change).await?;
        self.clean().await
    }

    async fn clean(&mut self) -> Result<(), Error> {
        let failed = self.destroy_all().await?;
        let reverted = self.resources.values().all(|state| !state.touched);
        let status = match self.stack.status {
            Status::RollbackInProgress if failed.is_empty() => Status::RollbackComplete,
            Status::RollbackInProgress => Status::RollbackFailed,
            Status::UpdateCompleteCleanupInProgress => Status::UpdateComplete,
            Status::UpdateRollbackCompleteCleanupInProgress if reverted => Status::UpdateRollbackComplete,
            Status::UpdateRollbackCompleteCleanupInProgress => Status::UpdateRollbackFailed,
            Status::DeleteInProgress if failed.is_empty() => Status::DeleteComplete,
            Status::DeleteInProgress => Status::DeleteFailed,
            Status::CreateInProgress
            | Status::CreateComplete
            | Status::RollbackComplete
            | Status::RollbackFailed
            | Status::UpdateInProgress
            | Status::UpdateComplete
            | Status::UpdateRollbackInProgress
            | Status::UpdateRollbackComplete
            | Status::UpdateRollbackFailed
            | Status::DeleteComplete
            | Status::DeleteFailed => return Ok(()),
        };
        let reason = match (failed.is_empty(), status) {
            (false, Status::DeleteFailed) => Some(failures("delete", &failed)),
            (false, Status::RollbackFailed) => Some(joined(self.stack.reason.as_deref(), &failures("delete", &failed))),
            _ => self.stack.reason.clone(),
        };
        let remove = (status == Status::DeleteComplete).then(|| self.stack.id.clone());
        let shared = remove.is_some().then(|| (Shared::of(&self.stack), Shared::default()));
        self.enter(status, reason, Change { remove, shared, ..Change::default() }).await
    }

    /// Deletes all that is doomed, the dependants first; what could not be, and why.
    async fn destroy_all(&mut self) -> Result<BTreeMap<String, String>, Error> {
        let mut failed = BTreeMap::new();
        // One round for each generation: a resource may have been replaced more than once.
        loop {
            let doomed: BTreeMap<String, BTreeSet<String>> = self
                .resources
                .values()
                .filter(|state| !failed.contains_key(&state.id))
                .filter_map(|state| Some((state.id.clone(), state.doomed.first()?.needs.clone())))
                .collect();
            if doomed.is_empty() {
                return Ok(failed);
            }
            let mut edges: Edges = doomed.keys().map(|id| (id.clone(), BTreeSet::new())).collect();
            for (id, needs) in &doomed {
                for need in needs {
                    if let Some(dependants) = edges.get_mut(need) {
                        dependants.insert(id.clone());
                    }
                }
            }
            let standing = Arc::new(self.standing());
            let undone = self
                .each(&edges, |workshop, mut state| {
                    let standing = Arc::clone(&standing);
                    Box::pin(async move {
                        let suffix = state.doomed.first().map(|doomed| doomed.suffix.clone()).unwrap_or_default();
                        let end = workshop.destroy(&mut state, &suffix, &standing).await;
                        (state, end)
                    })
                })
                .await?;
            self.resources.retain(|_, state| !state.is_gone());
            if !undone.failed.is_empty() {
                // What others that are still there may need stays.
                failed.extend(undone.failed);
                return Ok(failed);
            }
        }
    }

    /// What stays, whatever is doomed.
    fn standing(&self) -> Standing {
        let instances = self.resources.values().flat_map(|state| state.current.iter().chain(&state.old));
        instances.filter_map(|instance| self.workshop.identity(instance)).collect()
    }

    /// Works on the resources named in `edges`, each after what it waits for.
    async fn each<F>(&mut self, edges: &Edges, work: F) -> Result<Undone, Error>
    where
        F: Fn(Arc<Workshop>, ResourceState) -> BoxFuture<'static, (ResourceState, Result<(), End>)>,
    {
        let mut schedule = Schedule::new(edges);
        let mut running: FuturesUnordered<Job> = FuturesUnordered::new();
        let mut failed = BTreeMap::new();
        loop {
            while !self.workshop.steps.stopping.is_cancelled() {
                let Some(id) = schedule.start() else { break };
                let Some(state) = self.resources.get(&id).cloned() else {
                    schedule.done(&id);
                    continue;
                };
                let job = work(Arc::clone(&self.workshop), state);
                running.push(Box::pin(async move {
                    let (state, end) = job.await;
                    (id, state, end)
                }));
            }
            let Some((id, state, end)) = running.next().await else {
                if schedule.is_stuck() && self.workshop.steps.stopping.is_cancelled() {
                    return Err(self.workshop.interrupted());
                }
                if !schedule.is_stuck() || !failed.is_empty() {
                    return Ok(Undone { failed, unreached: schedule.left() });
                }
                schedule.release();
                continue;
            };
            self.resources.insert(id.clone(), state);
            match end {
                Ok(()) => schedule.done(&id),
                Err(End::Failed(reason)) => {
                    schedule.failed();
                    failed.insert(id, reason);
                }
                Err(End::Halted(error)) => return Err(error),
            }
        }
    }

    /// Writes the stack's new status with whatever else changes in the same moment.
    async fn enter(&mut self, status: Status, reason: Option<String>, mut change: Change) -> Result<(), Error> {
        let mut stack = self.stack.clone();
        stack.status = status;
        stack.reason = reason;
        stack.updated_ms = self.workshop.steps.clock.now_ms();
        change.events.push(stack_event(&stack));
        if change.remove.is_none() {
            change.stack = Some(stack.clone());
        }
        self.workshop.write(change).await?;
        self.stack = stack;
        Ok(())
    }

    /// What is known of the resources now.
    fn known<'a>(&'a self, application: &'a Application) -> Named<'a, impl Fn(Asked<'_>) -> Lookup> {
        Named::new(application, |asked| look_up(&self.resources, asked))
    }
}

fn output_fault(output: &Output, message: String) -> Error {
    Error::Properties {
        resource: format!("Outputs/{}", output.name),
        fault: contract::PropertyFault { path: String::new(), message },
        line: (output.line > 0).then_some(output.line),
    }
}

/// CloudFormation's sentence for what a cleaning or a way back left undone, and the reason of each.
fn failures(what: &str, failed: &BTreeMap<String, String>) -> String {
    let names: Vec<&str> = failed.keys().map(String::as_str).collect();
    let reasons: String = failed.iter().map(|(id, reason)| format!(" {id}: {reason}")).collect();
    shortened(format!("The following resource(s) failed to {what}: [{}].{reasons}", names.join(", ")))
}

fn joined(first: Option<&str>, second: &str) -> String {
    match first {
        Some(first) => shortened(format!("{} {second}", first.trim_end())),
        None => second.to_owned(),
    }
}

/// What `Ref` and `Fn::GetAtt` give of resources that stand.
pub(crate) fn look_up(resources: &BTreeMap<String, ResourceState>, asked: Asked<'_>) -> Lookup {
    let instance = |id: &str| resources.get(id).and_then(|state| state.current.as_ref());
    match asked {
        Asked::Reference { id } => instance(id).map_or(Lookup::Later, |found| Lookup::Value(found.reference.clone())),
        Asked::Attribute { id, attribute } => instance(id).map_or(Lookup::Later, |found| {
            found.attributes.get(attribute).map_or(Lookup::NoAttribute, |value| Lookup::Value(value.clone()))
        }),
    }
}

/// Values that every template of this stack knows.
pub(crate) fn pseudo(workshop: &Workshop, stack: &Stack) -> Pseudo {
    Pseudo {
        region: workshop.place.region.to_string(),
        account: workshop.place.account.to_string(),
        stack_name: stack.name.clone(),
        stack_id: stack.id.clone(),
    }
}

/// An event about the stack itself.
pub(crate) fn stack_event(stack: &Stack) -> Event {
    Event {
        time_ms: stack.updated_ms,
        stack_id: stack.id.clone(),
        stack: stack.name.clone(),
        logical_id: stack.name.clone(),
        physical_id: Some(stack.id.clone()),
        kind: "AWS::CloudFormation::Stack".to_owned(),
        status: stack.status.as_str(),
        reason: stack.reason.clone(),
    }
}

/// Renews a lease; returns once it was lost.
pub(crate) async fn hold(mut lease: store::Lease, ttl: std::time::Duration, clock: base::Clock) {
    loop {
        clock.sleep(ttl / 3).await;
        // Other errors may pass until the next try; if they do not, the commits of the operation meet them too.
        if let Err(store::Error::LeaseLost { .. }) = lease.renew(ttl).await {
            return;
        }
    }
}
