//! Which types of resources there are, and what to say where a template asks for another.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::{ResourceMacro, ResourceType};

/// The resource types of all services, by name.
#[derive(Clone, Default)]
pub struct Types {
    types: BTreeMap<&'static str, Arc<dyn ResourceType>>,
    macros: BTreeMap<&'static str, Arc<dyn ResourceMacro>>,
}

impl Types {
    /// All of them.
    pub fn new(types: &[Arc<dyn ResourceType>], macros: &[Arc<dyn ResourceMacro>]) -> Self {
        Self {
            types: types.iter().map(|kind| (kind.name(), Arc::clone(kind))).collect(),
            macros: macros.iter().map(|kind| (kind.name(), Arc::clone(kind))).collect(),
        }
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn ResourceType>> {
        self.types.get(name)
    }

    /// The names of all, those of serverless resources too.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.types.keys().chain(self.macros.keys()).copied()
    }

    /// Whether templates can make resources of this type by itself.
    pub(super) fn has(&self, name: &str) -> bool {
        self.types.contains_key(name)
    }

    /// What a serverless type means.
    pub(super) fn serverless(&self, name: &str) -> Option<&Arc<dyn ResourceMacro>> {
        self.macros.get(name)
    }

    /// What to do about types that there are not.
    pub(super) fn advice(&self, unknown: &[&str]) -> String {
        let mut sentences = Vec::new();
        let mut strange = Vec::new();
        for kind in unknown {
            let subject = if unknown.len() > 1 { format!("{kind}: ") } else { String::new() };
            if self.macros.contains_key(kind) {
                sentences.push(format!("{subject}It needs `Transform: AWS::Serverless-2016-10-31`."));
            } else if let Some(meant) = base::did_you_mean(kind, self.names()) {
                sentences.push(format!("{subject}{meant}"));
            } else {
                strange.push(*kind);
            }
        }
        if !strange.is_empty() {
            sentences.push(format!(
                "This node does not make {} yet: take the resource out, or give it a Condition that does not hold here.",
                strange.join(", ")
            ));
        }
        sentences.join(" ")
    }
}
