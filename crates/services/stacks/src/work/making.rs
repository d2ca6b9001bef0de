//! Making one resource: looked for before it is begun, in the ledger before each step and after, and made to its end or given up by whoever
//! comes after a crash.

use std::sync::Arc;

use contract::{Naming, ResourceType};
use serde_json::Value;

use super::{End, Workshop, properties_fault, set_known};
use crate::application::Wanted;
use crate::model::resource_status as status;
use crate::model::{Instance, InstanceState, ResourceState};
use crate::steps::{Known, Trouble};
use crate::store::Change;

/// Letters of generated names.
const SUFFIX_LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const SUFFIX_LENGTH: usize = 12;

impl Workshop {
    pub(super) async fn make(
        &self,
        state: &mut ResourceState,
        kind: &dyn ResourceType,
        wanted: &Wanted,
        properties: Value,
    ) -> Result<(), End> {
        let naming = self.naming(&state.id, self.steps.random.text(SUFFIX_LETTERS, SUFFIX_LENGTH));
        let physical_id = kind.physical_id(&properties, &naming);
        state.updated_ms = self.steps.clock.now_ms();
        if let Err(fault) = kind.check(&properties) {
            return self.failed(state, status::CREATE_FAILED, properties_fault(&fault)).await;
        }
        if let Some(id) = &physical_id
            && kind.physical_id(&properties, &Naming { suffix: "another".to_owned(), ..naming.clone() }).as_ref()
                == Some(id)
        {
            // The template names it, so somebody may have it already.
            if state.current.as_ref().is_some_and(|current| current.physical_id.as_ref() == Some(id)) {
                let reason = format!(
                    "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {id} and update \
                     the stack again."
                );
                return self.failed(state, status::UPDATE_FAILED, reason).await;
            }
            match self.steps.is_there(kind, id, &properties).await {
                Ok(false) => {}
                Ok(true) => {
                    let reason = format!(
                        "{id} already exists, and this stack did not make it. Delete it, or the application that it belongs to, or \
                         give this one another name."
                    );
                    return self.failed(state, status::CREATE_FAILED, reason).await;
                }
                Err(trouble) => return self.trouble(state, status::CREATE_FAILED, trouble).await,
            }
        }
        let made = Instance {
            kind: kind.name().to_owned(),
            suffix: naming.suffix,
            physical_id,
            state: InstanceState::Creating { answers: Vec::new() },
            properties,
            reference: Value::Null,
            attributes: Default::default(),
            needs: wanted.needs.clone(),
            deletion_policy: wanted.deletion_policy,
            replace_policy: wanted.replace_policy,
        };
        if let Some(before) = state.current.replace(made) {
            match &state.old {
                None => state.old = Some(before),
                // What the operation would go back to is another one: this one was made on the way.
                Some(old) if old.suffix != before.suffix => state.doomed.push(before),
                Some(_) => {}
            }
        }
        state.touched = true;
        self.note(state, status::CREATE_IN_PROGRESS, None).await?;
        self.create(state, kind).await
    }

    /// Makes anew what was being made when the node stopped.
    pub(super) async fn make_again(
        &self,
        state: &mut ResourceState,
        kind: &dyn ResourceType,
        wanted: &Wanted,
        properties: Value,
    ) -> Result<(), End> {
        let Some(current) = &mut state.current else { return Ok(()) };
        if current.physical_id.is_some() {
            // It is ours, if it is there: nothing was there when its creation was begun.
            let instance = current.clone();
            if let Err(trouble) = self.delete(&instance).await {
                return self.trouble(state, status::CREATE_FAILED, trouble).await;
            }
            current.state = InstanceState::Creating { answers: Vec::new() };
            current.properties = properties;
        }
        current.needs.clone_from(&wanted.needs);
        current.deletion_policy = wanted.deletion_policy;
        current.replace_policy = wanted.replace_policy;
        self.create(state, kind).await
    }

    /// Runs the steps of a creation that is in the ledger, from where its answers end.
    async fn create(&self, state: &mut ResourceState, kind: &dyn ResourceType) -> Result<(), End> {
        let Some(made) = state.current.clone() else { return Ok(()) };
        let InstanceState::Creating { mut answers } = made.state.clone() else { return Ok(()) };
        let steps = match kind.create(&made.properties, &self.naming(&state.id, made.suffix.clone())) {
            Ok(steps) => steps,
            Err(fault) => return self.not_made(state, properties_fault(&fault)).await,
        };
        let count = steps.len();
        for (index, step) in steps.iter().enumerate().skip(answers.len()) {
            if let (Some(id), true) = (&made.physical_id, index > 0)
                && let Err(Trouble::Stopping) = self.steps.settle_itself(kind, id, &made.properties).await
            {
                // Other trouble is the next step's to meet: what is read may only come to be in it.
                return Err(End::Halted(self.interrupted()));
            }
            match self.steps.call(step).await {
                Ok(answer) => answers.push(answer),
                Err(Trouble::Refused(reason)) if index == 0 => return self.not_made(state, reason).await,
                Err(trouble) => return self.trouble(state, status::CREATE_FAILED, trouble).await,
            }
            if let Some(current) = &mut state.current {
                current.state = InstanceState::Creating { answers: answers.clone() };
                if index + 1 < count || current.physical_id.is_none() {
                    self.write(Change { resources: vec![state.clone()], ..Change::default() }).await?;
                }
            }
        }
        let Some(id) = made.physical_id.clone().or_else(|| kind.identify(&answers)) else {
            let reason = "the service did not tell what it had made".to_owned();
            return self.failed(state, status::CREATE_FAILED, reason).await;
        };
        if let Some(current) = &mut state.current {
            current.physical_id = Some(id.clone());
        }
        match self.complete(kind, &id, &made.properties).await {
            Ok(known) => {
                if let Some(current) = &mut state.current {
                    set_known(current, known);
                    current.state = InstanceState::Ready;
                }
                Ok(self.note(state, status::CREATE_COMPLETE, None).await?)
            }
            Err(trouble) => self.trouble(state, status::CREATE_FAILED, trouble).await,
        }
    }

    /// What can be done only now that its id is known.
    async fn complete(&self, kind: &dyn ResourceType, id: &str, properties: &Value) -> Result<Known, Trouble> {
        for step in kind.complete(id, properties) {
            self.steps.settle_itself(kind, id, properties).await?;
            self.steps.call(&step).await.map_err(Trouble::after_something)?;
        }
        self.steps.settle(kind, id, properties).await
    }

    /// The instance's physical id; none if nothing was made.
    pub(super) async fn locate(&self, id: &str, instance: &Instance) -> Result<Option<String>, Trouble> {
        match &instance.physical_id {
            Some(id) => Ok(Some(id.clone())),
            None => self.find(id, self.kind_of(instance)?, instance).await,
        }
    }

    /// The physical id of something that only the answers tell, and whose creation was cut off: it is created to its end, which makes
    /// nothing twice, as [`ResourceType::identify`] demands.
    async fn find(
        &self,
        id: &str,
        kind: &Arc<dyn ResourceType>,
        instance: &Instance,
    ) -> Result<Option<String>, Trouble> {
        let InstanceState::Creating { mut answers } = instance.state.clone() else { return Ok(None) };
        if let Some(id) = kind.identify(&answers) {
            return Ok(Some(id));
        }
        let naming = self.naming(id, instance.suffix.clone());
        let steps =
            kind.create(&instance.properties, &naming).map_err(|fault| Trouble::Refused(properties_fault(&fault)))?;
        let first = answers.len();
        for step in steps.iter().skip(first) {
            match self.steps.call(step).await {
                Ok(answer) => answers.push(answer),
                Err(Trouble::Refused(_)) if answers.is_empty() => return Ok(None),
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(kind.identify(&answers))
    }

    /// Its creation was refused before anything happened: what stood for it before does so again.
    async fn not_made(&self, state: &mut ResourceState, reason: String) -> Result<(), End> {
        state.current = state.old.take();
        state.touched = false;
        self.failed(state, status::CREATE_FAILED, reason).await
    }
}
