//! What is on disk: shapes of records, and their way to and from the working model.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Record;
use template::Policy;

use crate::model::{self, Event, Instance, InstanceState, OutputValue, Owner, ResourceState, Stack, Status};

#[derive(Serialize, Deserialize)]
pub(super) struct StackRecord {
    name: String,
    id: String,
    status: String,
    reason: Option<String>,
    created_ms: i64,
    updated_ms: i64,
    description: Option<String>,
    parameters: BTreeMap<String, String>,
    hidden: BTreeSet<String>,
    outputs: Vec<OutputRecord>,
    imports: BTreeSet<String>,
    established: bool,
    target_parameters: BTreeMap<String, String>,
    owner: OwnerRecord,
}

impl Record for StackRecord {
    const KIND: &'static str = "stack";
    const VERSION: u16 = 1;
}

#[derive(Serialize, Deserialize)]
struct OutputRecord {
    name: String,
    value: String,
    description: Option<String>,
    export: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OwnerRecord {
    Open,
    Root,
    Role { role: String, session: String },
}

#[derive(Serialize, Deserialize)]
pub(super) struct ResourceRecord {
    id: String,
    kind: String,
    status: String,
    reason: Option<String>,
    updated_ms: i64,
    touched: bool,
    current: Option<InstanceRecord>,
    old: Option<InstanceRecord>,
    doomed: Vec<InstanceRecord>,
}

impl Record for ResourceRecord {
    const KIND: &'static str = "stack-resource";
    const VERSION: u16 = 1;
}

#[derive(Serialize, Deserialize)]
struct InstanceRecord {
    kind: String,
    suffix: String,
    physical_id: Option<String>,
    state: StateRecord,
    properties: Value,
    reference: Value,
    attributes: BTreeMap<String, Value>,
    needs: BTreeSet<String>,
    deletion_policy: Option<PolicyRecord>,
    replace_policy: Option<PolicyRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StateRecord {
    Creating { answers: Vec<Value> },
    Ready,
    Changing,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PolicyRecord {
    Delete,
    Retain,
    RetainExceptOnCreate,
}

#[derive(Serialize, Deserialize)]
pub(super) struct EventRecord {
    time_ms: i64,
    stack_id: String,
    stack: String,
    logical_id: String,
    physical_id: Option<String>,
    kind: String,
    status: String,
    reason: Option<String>,
}

impl Record for EventRecord {
    const KIND: &'static str = "stack-event";
    const VERSION: u16 = 1;
}

/// A template as it was given.
#[derive(Serialize, Deserialize)]
pub(super) struct TemplateRecord {
    pub(super) document: Value,
}

impl Record for TemplateRecord {
    const KIND: &'static str = "stack-template";
    const VERSION: u16 = 1;
}

/// What a stack exports under one name.
#[derive(Serialize, Deserialize)]
pub(super) struct ExportRecord {
    pub(super) name: String,
    pub(super) stack: String,
    pub(super) value: String,
}

impl Record for ExportRecord {
    const KIND: &'static str = "stack-export";
    const VERSION: u16 = 1;
}

impl From<&Stack> for StackRecord {
    fn from(stack: &Stack) -> Self {
        let stack = stack.clone();
        Self {
            name: stack.name,
            id: stack.id,
            status: stack.status.as_str().to_owned(),
            reason: stack.reason,
            created_ms: stack.created_ms,
            updated_ms: stack.updated_ms,
            description: stack.description,
            parameters: stack.parameters,
            hidden: stack.hidden,
            outputs: stack
                .outputs
                .into_iter()
                .map(|OutputValue { name, value, description, export }| OutputRecord {
                    name,
                    value,
                    description,
                    export,
                })
                .collect(),
            imports: stack.imports,
            established: stack.established,
            target_parameters: stack.target_parameters,
            owner: match stack.owner {
                Owner::Open => OwnerRecord::Open,
                Owner::Root => OwnerRecord::Root,
                Owner::Role { role, session } => OwnerRecord::Role { role, session },
            },
        }
    }
}

impl StackRecord {
    pub(super) fn model(self) -> Result<Stack, store::Error> {
        let status = Status::parse(&self.status).ok_or_else(|| store::Error::Record {
            kind: Self::KIND,
            why: format!("nobody knows the status '{}'", self.status),
        })?;
        Ok(Stack {
            name: self.name,
            id: self.id,
            status,
            reason: self.reason,
            created_ms: self.created_ms,
            updated_ms: self.updated_ms,
            description: self.description,
            parameters: self.parameters,
            hidden: self.hidden,
            outputs: self
                .outputs
                .into_iter()
                .map(|OutputRecord { name, value, description, export }| OutputValue {
                    name,
                    value,
                    description,
                    export,
                })
                .collect(),
            imports: self.imports,
            established: self.established,
            target_parameters: self.target_parameters,
            owner: match self.owner {
                OwnerRecord::Open => Owner::Open,
                OwnerRecord::Root => Owner::Root,
                OwnerRecord::Role { role, session } => Owner::Role { role, session },
            },
        })
    }
}

impl From<&ResourceState> for ResourceRecord {
    fn from(resource: &ResourceState) -> Self {
        Self {
            id: resource.id.clone(),
            kind: resource.kind.clone(),
            status: resource.status.to_owned(),
            reason: resource.reason.clone(),
            updated_ms: resource.updated_ms,
            touched: resource.touched,
            current: resource.current.as_ref().map(InstanceRecord::from),
            old: resource.old.as_ref().map(InstanceRecord::from),
            doomed: resource.doomed.iter().map(InstanceRecord::from).collect(),
        }
    }
}

impl From<ResourceRecord> for ResourceState {
    fn from(record: ResourceRecord) -> Self {
        Self {
            id: record.id,
            kind: record.kind,
            status: model::resource_status::parse(&record.status),
            reason: record.reason,
            updated_ms: record.updated_ms,
            touched: record.touched,
            current: record.current.map(Instance::from),
            old: record.old.map(Instance::from),
            doomed: record.doomed.into_iter().map(Instance::from).collect(),
        }
    }
}

impl From<&Instance> for InstanceRecord {
    fn from(instance: &Instance) -> Self {
        let instance = instance.clone();
        Self {
            kind: instance.kind,
            suffix: instance.suffix,
            physical_id: instance.physical_id,
            state: match instance.state {
                InstanceState::Creating { answers } => StateRecord::Creating { answers },
                InstanceState::Ready => StateRecord::Ready,
                InstanceState::Changing => StateRecord::Changing,
            },
            properties: instance.properties,
            reference: instance.reference,
            attributes: instance.attributes,
            needs: instance.needs,
            deletion_policy: instance.deletion_policy.map(PolicyRecord::from),
            replace_policy: instance.replace_policy.map(PolicyRecord::from),
        }
    }
}

impl From<InstanceRecord> for Instance {
    fn from(record: InstanceRecord) -> Self {
        Self {
            kind: record.kind,
            suffix: record.suffix,
            physical_id: record.physical_id,
            state: match record.state {
                StateRecord::Creating { answers } => InstanceState::Creating { answers },
                StateRecord::Ready => InstanceState::Ready,
                StateRecord::Changing => InstanceState::Changing,
            },
            properties: record.properties,
            reference: record.reference,
            attributes: record.attributes,
            needs: record.needs,
            deletion_policy: record.deletion_policy.map(Policy::from),
            replace_policy: record.replace_policy.map(Policy::from),
        }
    }
}

impl From<Policy> for PolicyRecord {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Delete => Self::Delete,
            Policy::Retain => Self::Retain,
            Policy::RetainExceptOnCreate => Self::RetainExceptOnCreate,
        }
    }
}

impl From<PolicyRecord> for Policy {
    fn from(record: PolicyRecord) -> Self {
        match record {
            PolicyRecord::Delete => Self::Delete,
            PolicyRecord::Retain => Self::Retain,
            PolicyRecord::RetainExceptOnCreate => Self::RetainExceptOnCreate,
        }
    }
}

impl From<&Event> for EventRecord {
    fn from(event: &Event) -> Self {
        let event = event.clone();
        Self {
            time_ms: event.time_ms,
            stack_id: event.stack_id,
            stack: event.stack,
            logical_id: event.logical_id,
            physical_id: event.physical_id,
            kind: event.kind,
            status: event.status.to_owned(),
            reason: event.reason,
        }
    }
}

impl From<EventRecord> for Event {
    fn from(record: EventRecord) -> Self {
        Self {
            time_ms: record.time_ms,
            stack_id: record.stack_id,
            stack: record.stack,
            logical_id: record.logical_id,
            physical_id: record.physical_id,
            kind: record.kind,
            status: model::resource_status::parse(&record.status),
            reason: record.reason,
        }
    }
}
