//! What an operation would do, before it is done. Pure.

use std::collections::{BTreeMap, BTreeSet};

use contract::Naming;
use serde_json::Value;
use template::Lookup;

use crate::Error;
use crate::application::{Application, Asked, Named, Types};
use crate::model::{InstanceState, ResourceState};
use crate::operation::look_up;

/// What would happen to one resource. Those to which nothing happens are not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The resource.
    pub logical_id: String,
    /// Its type.
    pub kind: String,
    /// What stands for it now.
    pub physical_id: Option<String>,
    /// What would happen.
    pub action: Action,
    /// Why: the properties that change, or the resources that it depends on and that do.
    pub reason: String,
}

/// What would happen to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It would be made.
    Add,
    /// It would be changed where it is, or may be: that depends on a resource that is not made yet.
    Modify,
    /// It would be made anew, and the old one deleted.
    Replace,
    /// It would be deleted.
    Remove,
}

impl Action {
    /// `Add`, `Modify`, `Replace`, `Remove`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::Modify => "Modify",
            Self::Replace => "Replace",
            Self::Remove => "Remove",
        }
    }
}

/// The difference between what is and what the application wants, in the order in which it would be made true.
pub(crate) fn plan(
    application: &Application,
    resources: &BTreeMap<String, ResourceState>,
    types: &Types,
    naming: impl Fn(&str, &str) -> Naming,
) -> Result<Vec<Planned>, Error> {
    let mut planned = Vec::new();
    // Resources whose reference and attributes are not what they are now.
    let mut moving: BTreeSet<&str> = BTreeSet::new();
    for id in &application.order {
        let wanted = &application.resources[id];
        let state = resources.get(id);
        let mut entry = Planned {
            logical_id: id.clone(),
            kind: wanted.kind.clone(),
            physical_id: None,
            action: Action::Add,
            reason: "it is new".to_owned(),
        };
        let Some(current) = state.and_then(|state| state.current.as_ref()) else {
            moving.insert(id);
            planned.push(entry);
            continue;
        };
        entry.physical_id.clone_from(&current.physical_id);
        let known = |asked: Asked<'_>| match &asked {
            Asked::Reference { id } | Asked::Attribute { id, .. } if moving.contains(id) => Lookup::Later,
            Asked::Reference { .. } | Asked::Attribute { .. } => look_up(resources, asked),
        };
        let properties = application.evaluate(&wanted.properties, &Named::new(application, known))?;
        let Some(properties) = properties.filter(|properties| !properties.has_function()) else {
            entry.action = Action::Modify;
            let needs: Vec<&str> =
                wanted.needs.iter().map(String::as_str).filter(|need| moving.contains(need)).collect();
            entry.reason = format!("it refers to {}", needs.join(", "));
            planned.push(entry);
            continue;
        };
        let properties = properties.to_json();
        if current.state == InstanceState::Ready && current.properties == properties {
            continue;
        }
        let kind = types.get(&wanted.kind);
        let change = kind.map(|kind| {
            let physical_id = current.physical_id.as_deref().unwrap_or_default();
            kind.update(physical_id, &naming(id, &current.suffix), &current.properties, &properties)
        });
        entry.reason = different(&current.properties, &properties);
        entry.action = match change {
            Some(Ok(contract::Change::Replace)) => {
                moving.insert(id);
                Action::Replace
            }
            Some(Ok(contract::Change::InPlace(_))) | None => Action::Modify,
            Some(Err(fault)) => {
                let line = (wanted.line > 0).then_some(wanted.line);
                return Err(Error::Properties { resource: id.clone(), fault, line });
            }
        };
        planned.push(entry);
    }
    for state in resources.values().filter(|state| !application.resources.contains_key(&state.id)) {
        let Some(gone) = state.current.as_ref().or(state.doomed.first()) else { continue };
        planned.push(Planned {
            logical_id: state.id.clone(),
            kind: state.kind.clone(),
            physical_id: gone.physical_id.clone(),
            action: Action::Remove,
            reason: "the template has it no more".to_owned(),
        });
    }
    Ok(planned)
}

fn different(old: &Value, new: &Value) -> String {
    let names = |value: &Value| -> BTreeSet<String> {
        value.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default()
    };
    let all = &names(old) | &names(new);
    let names: Vec<String> = all.into_iter().filter(|name| old.get(name) != new.get(name)).collect();
    if names.is_empty() {
        "an earlier change was not finished".to_owned()
    } else {
        format!("{} changed", names.join(", "))
    }
}
