//! What names in functions stand for, as far as it is known: before serverless resources are expanded, and after.

use std::collections::{BTreeMap, BTreeSet};

use template::{Lookup, Node, Resources, Value};

use super::Application;

/// Resources of an application, with what `known` says of those that there are.
pub(crate) struct Named<'a, F> {
    application: &'a Application,
    known: F,
}

impl<'a, F: Fn(Asked<'_>) -> Lookup> Named<'a, F> {
    pub(crate) fn new(application: &'a Application, known: F) -> Self {
        Self { application, known }
    }
}

/// Which part of a resource is asked for.
pub(crate) enum Asked<'a> {
    Reference { id: &'a str },
    Attribute { id: &'a str, attribute: &'a str },
}

impl<F: Fn(Asked<'_>) -> Lookup> Resources for Named<'_, F> {
    fn reference(&self, id: &str) -> Lookup {
        match self.application.resource_named(id) {
            Some(id) => (self.known)(Asked::Reference { id }),
            None => Lookup::NoResource,
        }
    }

    fn attribute(&self, id: &str, attribute: &str) -> Lookup {
        match self.application.resource_named(id) {
            Some(id) => (self.known)(Asked::Attribute { id, attribute }),
            None => Lookup::NoResource,
        }
    }
}

/// Before expansion: with serverless resources any name may turn up, without them only those of the template.
pub(super) struct Hopeful<'a> {
    pub(super) ids: Option<&'a BTreeSet<&'a str>>,
}

impl Resources for Hopeful<'_> {
    fn reference(&self, id: &str) -> Lookup {
        match self.ids {
            Some(ids) if !ids.contains(id) => Lookup::NoResource,
            Some(_) | None => Lookup::Later,
        }
    }

    fn attribute(&self, id: &str, _: &str) -> Lookup {
        self.reference(id)
    }
}

/// The arguments of all `Fn::ImportValue` that count: a branch that its condition leaves out imports nothing.
pub(super) fn imports_of<'n>(node: &'n Node, conditions: &BTreeMap<String, bool>, found: &mut Vec<&'n Node>) {
    match node.function() {
        Some(("Fn::ImportValue", name)) => found.push(name),
        Some(("Fn::If", argument)) => {
            if let Some([condition, then, otherwise]) = argument.as_list()
                && let Some(holds) = condition.as_text().and_then(|name| conditions.get(name))
            {
                return imports_of(if *holds { then } else { otherwise }, conditions, found);
            }
        }
        Some(_) | None => {}
    }
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| imports_of(item, conditions, found)),
        Value::Map(entries) => entries.iter().for_each(|entry| imports_of(&entry.value, conditions, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}
