//! Stacks, their resources and their history, as this crate works with them. Pure.
//!
//! An [`Instance`] is one real thing that stands, or is being made, for a resource. A resource has up to three kinds of them: the
//! `current` one; the `old` one that an operation which is under way would go back to; and those that are `doomed`: replaced,
//! removed or given up, and not deleted yet. An operation moves instances between these places, one record at a time, so that whoever
//! comes after a crash sees from the records alone what is left to do.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use template::Policy;

/// Where a stack stands, by CloudFormation's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are CloudFormation's own, and say all there is to say")]
pub enum Status {
    CreateInProgress,
    CreateComplete,
    RollbackInProgress,
    RollbackComplete,
    RollbackFailed,
    UpdateInProgress,
    UpdateCompleteCleanupInProgress,
    UpdateComplete,
    UpdateRollbackInProgress,
    UpdateRollbackCompleteCleanupInProgress,
    UpdateRollbackComplete,
    UpdateRollbackFailed,
    DeleteInProgress,
    DeleteComplete,
    DeleteFailed,
}

impl Status {
    const ALL: [Self; 15] = [
        Self::CreateInProgress,
        Self::CreateComplete,
        Self::RollbackInProgress,
        Self::RollbackComplete,
        Self::RollbackFailed,
        Self::UpdateInProgress,
        Self::UpdateCompleteCleanupInProgress,
        Self::UpdateComplete,
        Self::UpdateRollbackInProgress,
        Self::UpdateRollbackCompleteCleanupInProgress,
        Self::UpdateRollbackComplete,
        Self::UpdateRollbackFailed,
        Self::DeleteInProgress,
        Self::DeleteComplete,
        Self::DeleteFailed,
    ];

    /// CloudFormation's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateInProgress => "CREATE_IN_PROGRESS",
            Self::CreateComplete => "CREATE_COMPLETE",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackComplete => "ROLLBACK_COMPLETE",
            Self::RollbackFailed => "ROLLBACK_FAILED",
            Self::UpdateInProgress => "UPDATE_IN_PROGRESS",
            Self::UpdateCompleteCleanupInProgress => "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            Self::UpdateComplete => "UPDATE_COMPLETE",
            Self::UpdateRollbackInProgress => "UPDATE_ROLLBACK_IN_PROGRESS",
            Self::UpdateRollbackCompleteCleanupInProgress => "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            Self::UpdateRollbackComplete => "UPDATE_ROLLBACK_COMPLETE",
            Self::UpdateRollbackFailed => "UPDATE_ROLLBACK_FAILED",
            Self::DeleteInProgress => "DELETE_IN_PROGRESS",
            Self::DeleteComplete => "DELETE_COMPLETE",
            Self::DeleteFailed => "DELETE_FAILED",
        }
    }

    /// The status of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// What is left to do in it.
    pub(crate) fn stage(self) -> Stage {
        match self {
            Self::CreateInProgress | Self::UpdateInProgress => Stage::Apply,
            Self::RollbackInProgress | Self::UpdateRollbackInProgress => Stage::Revert,
            Self::UpdateCompleteCleanupInProgress
            | Self::UpdateRollbackCompleteCleanupInProgress
            | Self::DeleteInProgress => Stage::Clean,
            Self::CreateComplete
            | Self::RollbackComplete
            | Self::RollbackFailed
            | Self::UpdateComplete
            | Self::UpdateRollbackComplete
            | Self::UpdateRollbackFailed
            | Self::DeleteComplete
            | Self::DeleteFailed => Stage::Rest,
        }
    }

    /// Whether the stack is as its template says.
    pub fn is_good(self) -> bool {
        matches!(self, Self::CreateComplete | Self::UpdateComplete | Self::UpdateRollbackComplete)
    }
}

/// What is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Make and change what the target template wants.
    Apply,
    /// Change back what was changed.
    Revert,
    /// Delete what is doomed.
    Clean,
    /// Nothing.
    Rest,
}

/// A stack.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its ARN; a new one for every stack, even of the same name.
    pub id: String,
    /// Where it stands.
    pub status: Status,
    /// Why, where there is something to say.
    pub reason: Option<String>,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last changed.
    pub updated_ms: i64,
    /// From the template.
    pub description: Option<String>,
    /// The parameters' values; those that must not be shown are not shown by [`Stack::shown_parameters`].
    pub parameters: BTreeMap<String, String>,
    /// The parameters that must not be shown.
    pub hidden: BTreeSet<String>,
    /// What it tells.
    pub outputs: Vec<OutputValue>,
    /// What other stacks' exports it uses.
    pub imports: BTreeSet<String>,
    /// Whether it was ever complete: then a failure goes back to that, and not to nothing.
    pub established: bool,
    /// Values of parameters that the operation under way wants.
    pub target_parameters: BTreeMap<String, String>,
    /// Who asked for the operation under way: its calls are made in that name.
    pub(crate) owner: Owner,
}

/// In whose name an operation's calls are made; what can be kept of a principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Open,
    Root,
    Role { role: String, session: String },
}

impl Stack {
    /// The parameters as a person may see them.
    pub fn shown_parameters(&self) -> BTreeMap<String, String> {
        let show = |(name, value): (&String, &String)| {
            let value = if self.hidden.contains(name) { "****".to_owned() } else { value.clone() };
            (name.clone(), value)
        };
        self.parameters.iter().map(show).collect()
    }
}

/// One output of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputValue {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// For a person.
    pub description: Option<String>,
    /// Under which name other stacks import it.
    pub export: Option<String>,
}

/// A resource of a stack.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceState {
    /// Its logical id.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// `CREATE_COMPLETE` and the like.
    pub status: &'static str,
    /// Why, where there is something to say.
    pub reason: Option<String>,
    /// When that was, in milliseconds since the epoch.
    pub updated_ms: i64,
    /// Whether the operation under way has changed it or begun to.
    pub touched: bool,
    /// What stands for it.
    pub current: Option<Instance>,
    /// What stood for it before the operation under way touched it.
    pub old: Option<Instance>,
    /// What is to be deleted.
    pub doomed: Vec<Instance>,
}

/// One real thing that stands for a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Its type.
    pub kind: String,
    /// Random letters that its generated names end in; no two instances of a stack share them.
    pub suffix: String,
    /// Its physical id, once it is known.
    pub physical_id: Option<String>,
    /// How far it is.
    pub state: InstanceState,
    /// The properties that it has, or is being given.
    pub properties: Value,
    /// What `Ref` gives.
    pub reference: Value,
    /// What `Fn::GetAtt` gives.
    pub attributes: BTreeMap<String, Value>,
    /// The resources that it needs, so that it is deleted before them.
    pub needs: BTreeSet<String>,
    /// What becomes of it when the resource is removed.
    pub deletion_policy: Option<Policy>,
    /// What becomes of it when it is replaced.
    pub replace_policy: Option<Policy>,
}

/// How far an instance is.
#[derive(Clone, Debug, PartialEq)]
pub enum InstanceState {
    /// Being made; these answers came already. A create that was not answered may have happened or not.
    Creating {
        /// The answers of the steps that are done.
        answers: Vec<Value>,
    },
    /// Made.
    Ready,
    /// Being changed to its properties from the old instance's; some steps may have happened.
    Changing,
}

/// One line of a stack's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in milliseconds since the epoch.
    pub time_ms: i64,
    /// The stack's id.
    pub stack_id: String,
    /// The stack's name.
    pub stack: String,
    /// The resource, or the stack's name where the event is about the stack.
    pub logical_id: String,
    /// Its physical id, where it is known; the stack's id where the event is about the stack.
    pub physical_id: Option<String>,
    /// The type; `AWS::CloudFormation::Stack` where the event is about the stack.
    pub kind: String,
    /// `CREATE_IN_PROGRESS` and the like.
    pub status: &'static str,
    /// Why, where there is something to say.
    pub reason: Option<String>,
}

impl ResourceState {
    /// A resource of which nothing stands yet.
    pub(crate) fn new(id: &str, kind: &str) -> Self {
        Self {
            id: id.to_owned(),
            kind: kind.to_owned(),
            status: resource_status::CREATE_IN_PROGRESS,
            reason: None,
            updated_ms: 0,
            touched: false,
            current: None,
            old: None,
            doomed: Vec::new(),
        }
    }

    /// The operation succeeded: what it left behind is doomed, unless it is to be kept. Gives back what is kept.
    pub(crate) fn accept(&mut self, wanted: bool) -> Vec<Instance> {
        let removed = if wanted { None } else { self.current.take() };
        let replaced = self.old.take().filter(|old| {
            self.current.as_ref().or(removed.as_ref()).is_none_or(|current| current.suffix != old.suffix)
        });
        self.touched = false;
        let mut kept = Vec::new();
        for (instance, policy) in [
            removed.map(|instance| (instance.deletion_policy, instance)),
            replaced.map(|instance| (instance.replace_policy, instance)),
        ]
        .into_iter()
        .flatten()
        .map(|(policy, instance)| (instance, policy))
        {
            match policy {
                Some(Policy::Retain | Policy::RetainExceptOnCreate) => kept.push(instance),
                Some(Policy::Delete) | None => self.doomed.push(instance),
            }
        }
        kept
    }

    /// The operation failed, and everything that was changed in place was changed back: what it made is doomed.
    pub(crate) fn give_up(&mut self) -> Option<Instance> {
        self.touched = false;
        let made = match (&self.current, self.old.take()) {
            (Some(current), Some(old)) if current.suffix == old.suffix => {
                self.current = Some(old);
                None
            }
            (_, old) => std::mem::replace(&mut self.current, old),
        };
        let made = made?;
        let keep = self.current.is_none()
            && made.deletion_policy == Some(Policy::Retain)
            && made.state == InstanceState::Ready;
        if keep {
            return Some(made);
        }
        self.doomed.push(made);
        None
    }

    /// There is no way back: what stood for it before the operation is doomed, too, if it is another thing.
    pub(crate) fn forget_old(&mut self) {
        let suffix = self.current.as_ref().map(|current| current.suffix.clone());
        self.doomed.extend(self.old.take().filter(|old| Some(&old.suffix) != suffix.as_ref()));
    }

    /// Whether the operation under way made what stands for it.
    pub(crate) fn is_made_now(&self) -> bool {
        let Some(current) = &self.current else { return false };
        self.touched && self.old.as_ref().is_none_or(|old| old.suffix != current.suffix)
    }

    /// Whether nothing is left of it.
    pub(crate) fn is_gone(&self) -> bool {
        self.current.is_none() && self.old.is_none() && self.doomed.is_empty()
    }
}

/// The states of resources, by CloudFormation's names.
pub(crate) mod resource_status {
    pub(crate) const CREATE_IN_PROGRESS: &str = "CREATE_IN_PROGRESS";
    pub(crate) const CREATE_COMPLETE: &str = "CREATE_COMPLETE";
    pub(crate) const CREATE_FAILED: &str = "CREATE_FAILED";
    pub(crate) const UPDATE_IN_PROGRESS: &str = "UPDATE_IN_PROGRESS";
    pub(crate) const UPDATE_COMPLETE: &str = "UPDATE_COMPLETE";
    pub(crate) const UPDATE_FAILED: &str = "UPDATE_FAILED";
    pub(crate) const DELETE_IN_PROGRESS: &str = "DELETE_IN_PROGRESS";
    pub(crate) const DELETE_COMPLETE: &str = "DELETE_COMPLETE";
    pub(crate) const DELETE_FAILED: &str = "DELETE_FAILED";
    pub(crate) const DELETE_SKIPPED: &str = "DELETE_SKIPPED";

    /// The constant of that name; a name that nobody knows (a newer program's) reads as in progress nowhere.
    pub(crate) fn parse(text: &str) -> &'static str {
        [
            CREATE_IN_PROGRESS,
            CREATE_COMPLETE,
            CREATE_FAILED,
            UPDATE_IN_PROGRESS,
            UPDATE_COMPLETE,
            UPDATE_FAILED,
            DELETE_IN_PROGRESS,
            DELETE_COMPLETE,
            DELETE_FAILED,
            DELETE_SKIPPED,
        ]
        .into_iter()
        .chain(super::Status::ALL.map(super::Status::as_str))
        .find(|known| *known == text)
        .unwrap_or("UNKNOWN")
    }
}

/// Whether a stack may have this name.
pub(crate) fn is_stack_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
