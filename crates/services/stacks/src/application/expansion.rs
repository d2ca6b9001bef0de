//! Resources as the template has them become resources that types make: `Globals` are merged in, and what is serverless is asked what
//! it stands for.

use std::collections::{BTreeMap, BTreeSet};

use contract::ResourceMacro;
use template::limits;
use template::{Entry, Node, Policy, Problem, Resource, Template, Value};

use super::extension::Asked;
use super::names::Hopeful;
use super::{Application, Types, Wanted, fits, line_of};
use crate::{Error, globals};

/// What the template's resources became.
#[derive(Default)]
struct Expanded {
    made: BTreeMap<String, Resource>,
    /// For each name of the template those of what it became, for `DependsOn`.
    became: BTreeMap<String, Vec<String>>,
    /// Resources of types that there are not.
    unknown: Vec<(String, String, u32)>,
}

impl Application {
    /// Fills in the resources.
    pub(super) fn expand(&mut self, template: &Template, present: &[&Resource], types: &Types) -> Result<(), Error> {
        let ids: BTreeSet<&str> = present.iter().map(|resource| resource.id.as_str()).collect();
        let first = Hopeful { ids: (!template.serverless).then_some(&ids) };
        let mut globals = Vec::new();
        for section in &template.globals {
            let value = self.evaluate(&section.value, &first)?;
            globals.extend(value.map(|value| Entry { value, ..section.clone() }));
        }
        let (mut expanded, mut asked) = (Expanded::default(), Vec::new());
        for resource in present {
            if resource.depends_on.contains(&resource.id) {
                return Err(Problem::Circle(vec![resource.id.clone()]).at(resource.line).into());
            }
            let mut resource = (*resource).clone();
            resource.properties = self
                .evaluate(&resource.properties, &first)?
                .unwrap_or_else(|| Node::new(resource.line, Value::Map(Vec::new())));
            let parts = match types.serverless(&resource.kind) {
                Some(kind) if template.serverless => {
                    globals::merge(kind.globals(), &globals, &mut resource.properties);
                    fits(resource.properties.bytes()).map_err(|problem| problem.at(resource.line))?;
                    let (parts, extensions) = self.meaning(kind.as_ref(), &resource)?;
                    asked.extend(extensions);
                    parts
                }
                Some(_) | None => vec![resource.clone()],
            };
            for part in &parts {
                self.bytes += part.properties.bytes();
                fits(self.bytes).map_err(|problem| problem.at(part.line))?;
            }
            expanded.add(&resource, parts, types)?;
        }
        for asked in asked {
            self.bytes += asked.write(&mut expanded.made, template)?;
            fits(self.bytes).map_err(|problem| problem.at(asked.line))?;
        }
        self.resources = expanded.wanted(template, types)?;
        Ok(())
    }

    /// The resources that a serverless one stands for, and what it wants of others.
    fn meaning(&mut self, kind: &dyn ResourceMacro, resource: &Resource) -> Result<(Vec<Resource>, Vec<Asked>), Error> {
        let wrong = |fault: contract::PropertyFault| {
            let line = line_of(&resource.properties, &fault.path, resource.line);
            Error::Properties { resource: resource.id.clone(), fault, line }
        };
        let expansion = kind.expand(&resource.id, &document(resource)).map_err(wrong)?;
        self.names.extend(expansion.names);
        let mut parts = Vec::with_capacity(expansion.resources.len());
        for (id, document) in expansion.resources {
            let value = Node::from_json(&document, resource.line);
            let mut part = Resource::read(&Entry { key: id, line: resource.line, value })?;
            if part.depends_on.is_empty() {
                part.depends_on.clone_from(&resource.depends_on);
            } else {
                // Names of an expansion's own parts are not the template's, so they are looked up as they are.
                part.depends_on.extend(resource.depends_on.iter().cloned());
            }
            part.deletion_policy = part.deletion_policy.or(resource.deletion_policy);
            part.replace_policy = part.replace_policy.or(resource.replace_policy);
            parts.push(part);
        }
        let extensions = expansion.extensions.into_iter().map(|extension| Asked {
            resource: resource.id.clone(),
            line: line_of(&resource.properties, &extension.asked_by, resource.line).unwrap_or(resource.line),
            extension,
        });
        Ok((parts, extensions.collect()))
    }
}

impl Expanded {
    /// Takes what a resource became.
    fn add(&mut self, resource: &Resource, parts: Vec<Resource>, types: &Types) -> Result<(), Error> {
        self.became.insert(resource.id.clone(), parts.iter().map(|part| part.id.clone()).collect());
        for part in parts {
            if !types.has(&part.kind) {
                self.unknown.push((resource.id.clone(), part.kind.clone(), resource.line));
            }
            match self.made.get(&part.id) {
                None => drop(self.made.insert(part.id.clone(), part)),
                Some(other) if other.kind == part.kind && other.properties.to_json() == part.properties.to_json() => {}
                Some(_) => {
                    let message = format!("it makes a resource {}, and so does another", part.id);
                    return Err(Error::Properties {
                        resource: resource.id.clone(),
                        fault: contract::PropertyFault { path: String::new(), message },
                        line: (resource.line > 0).then_some(resource.line),
                    });
                }
            }
        }
        Ok(())
    }

    /// All of it, with what each resource must wait for beside what it refers to.
    fn wanted(self, template: &Template, types: &Types) -> Result<BTreeMap<String, Wanted>, Error> {
        let Self { made, became, unknown } = self;
        if let Some((resource, _, line)) = unknown.first().cloned() {
            let kinds: BTreeSet<&str> = unknown.iter().map(|(_, kind, _)| kind.as_str()).collect();
            let kinds: Vec<&str> = kinds.into_iter().collect();
            let advice = types.advice(&kinds);
            let kinds = kinds.into_iter().map(str::to_owned).collect();
            return Err(Error::Types { kinds, resource, line: (line > 0).then_some(line), advice });
        }
        if made.len() > limits::RESOURCES_MAX {
            let (count, count_max) = (made.len(), limits::RESOURCES_MAX);
            return Err(Problem::TooMany { section: "Resources", count, count_max }.nowhere().into());
        }
        let parts: BTreeSet<String> = made.keys().cloned().collect();
        let mut wanted = BTreeMap::new();
        for (id, resource) in made {
            let mut needs = BTreeSet::new();
            for name in &resource.depends_on {
                match became.get(name) {
                    Some(parts) => needs.extend(parts.iter().filter(|part| **part != id).cloned()),
                    None if parts.contains(name) => drop(needs.insert(name.clone())),
                    // Its condition does not hold.
                    None if template.resources.iter().any(|resource| resource.id == *name) => {}
                    None => {
                        let names = vec![name.clone()];
                        return Err(Problem::Unresolved { names, block: "Resources" }.at(resource.line).into());
                    }
                }
            }
            let Resource { kind, line, properties, deletion_policy, replace_policy, .. } = resource;
            wanted.insert(id, Wanted { kind, line, properties, needs, deletion_policy, replace_policy });
        }
        Ok(wanted)
    }
}

/// The whole document of a resource, as a [`ResourceMacro`] is given it.
fn document(resource: &Resource) -> serde_json::Value {
    let policy = |policy: Policy| match policy {
        Policy::Delete => "Delete",
        Policy::Retain => "Retain",
        Policy::RetainExceptOnCreate => "RetainExceptOnCreate",
    };
    let mut members = serde_json::Map::new();
    members.insert("Type".into(), resource.kind.clone().into());
    members.insert("Properties".into(), resource.properties.to_json());
    if !resource.depends_on.is_empty() {
        members.insert("DependsOn".into(), resource.depends_on.clone().into());
    }
    if let Some(deletion) = resource.deletion_policy {
        members.insert("DeletionPolicy".into(), policy(deletion).into());
    }
    if let Some(replace) = resource.replace_policy {
        members.insert("UpdateReplacePolicy".into(), policy(replace).into());
    }
    members.extend(resource.others.iter().map(|entry| (entry.key.clone(), entry.value.to_json())));
    members.into()
}
