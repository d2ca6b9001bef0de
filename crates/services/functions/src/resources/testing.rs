//! What the tests of resource types share.

use contract::{Change, Naming, Step};

pub(crate) fn naming() -> Naming {
    Naming {
        stack: "stack".into(),
        logical_id: "Thing".into(),
        suffix: "abc123".into(),
        region: "us-east-1".into(),
        account: "000000000000".into(),
    }
}

pub(crate) fn operations(steps: &[Step]) -> Vec<&'static str> {
    steps.iter().map(|step| step.operation.name).collect()
}

/// The operations of a change in place; none if it replaces.
pub(crate) fn changes(change: &Change) -> Option<Vec<&'static str>> {
    match change {
        Change::InPlace(steps) => Some(operations(steps)),
        Change::Replace => None,
    }
}
