//! A template with its parameters: which resources it means, with everything resolved that does not depend on them. Pure.
//!
//! In this order, as CloudFormation has it: parameters, conditions, functions that need no resource, `Globals`, serverless
//! resources (each asks the [`ResourceMacro`] of the service that it belongs to), then names and order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contract::{ResourceMacro, ResourceType};
use template::evaluate::Surroundings;
use template::references::Names;
use template::{
    Bound, Entry, Evaluator, Lookup, Node, Output, Policy, Problem, Pseudo, Resource, Resources, Template, Value,
};
use template::{conditions, limits};

use crate::graph::{self, Edges};
use crate::{Error, globals};

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
}

/// What a template means.
pub(crate) struct Application {
    pub(crate) resources: BTreeMap<String, Wanted>,
    /// The resources, each after what it needs.
    pub(crate) order: Vec<String>,
    /// The outputs whose conditions hold.
    pub(crate) outputs: Vec<Output>,
    pub(crate) parameters: Bound,
    /// The parameters whose values are never shown.
    pub(crate) hidden: BTreeSet<String>,
    pub(crate) description: Option<String>,
    /// The exports of other stacks that it imports.
    pub(crate) imports: BTreeSet<String>,
    /// Further names for resources, such as `NAME.Alias`.
    names: BTreeMap<String, String>,
    mappings: Vec<Entry>,
    conditions: BTreeMap<String, bool>,
    pseudo: Pseudo,
    exports: BTreeMap<String, String>,
}

/// A resource as the template wants it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) kind: String,
    pub(crate) line: u32,
    /// With functions left where they need other resources.
    pub(crate) properties: Node,
    /// The resources that it needs.
    pub(crate) needs: BTreeSet<String>,
    pub(crate) deletion_policy: Option<Policy>,
    pub(crate) replace_policy: Option<Policy>,
}

/// What an application is built from.
pub(crate) struct Plot<'a> {
    pub(crate) template: &'a Template,
    pub(crate) parameters: &'a BTreeMap<String, String>,
    pub(crate) pseudo: Pseudo,
    pub(crate) exports: BTreeMap<String, String>,
    pub(crate) types: &'a Types,
}

impl Application {
    pub(crate) fn build(plot: Plot<'_>) -> Result<Self, Error> {
        let Plot { template, parameters, pseudo, exports, types } = plot;
        let bound = template.bind(parameters)?;
        let conditions = conditions::evaluate(template, &bound, &pseudo)?;
        let hidden = template.parameters.iter().filter(|parameter| parameter.no_echo);
        let mut application = Self {
            resources: BTreeMap::new(),
            order: Vec::new(),
            outputs: Vec::new(),
            hidden: hidden.map(|parameter| parameter.name.clone()).collect(),
            parameters: bound,
            description: template.description.clone(),
            imports: BTreeSet::new(),
            names: BTreeMap::new(),
            mappings: template.mappings.clone(),
            conditions,
            pseudo,
            exports,
        };
        let present: Vec<&Resource> =
            template.resources.iter().filter(|resource| application.holds(&resource.condition)).collect();
        application.outputs =
            template.outputs.iter().filter(|output| application.holds(&output.condition)).cloned().collect();
        let outputs = template.outputs.iter().map(|output| &output.value);
        let nodes: Vec<&Node> = present.iter().map(|resource| &resource.properties).chain(outputs).collect();
        application.collect_imports(&nodes)?;
        application.expand(template, &present, types)?;
        application.settle_names()?;
        application.check(types)?;
        Ok(application)
    }

    /// The value of `node` as far as `resources` are known.
    pub(crate) fn evaluate(&self, node: &Node, resources: &dyn Resources) -> Result<Option<Node>, template::Error> {
        let value = Evaluator::new(Surroundings {
            mappings: &self.mappings,
            parameters: &self.parameters,
            pseudo: &self.pseudo,
            conditions: &self.conditions,
            exports: &self.exports,
            resources,
        })
        .evaluate(node)?;
        // What is kept of it must stay readable, and attributes of other resources may have made it deeper.
        if value.as_ref().is_some_and(|value| value.height() > limits::DEPTH_MAX) {
            return Err(Problem::TooDeep { levels_max: limits::DEPTH_MAX }.at(node.line));
        }
        Ok(value)
    }

    /// The logical id that a name in `Ref` or `Fn::GetAtt` stands for.
    pub(crate) fn resource_named<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let name = self.names.get(name).map_or(name, String::as_str);
        self.resources.contains_key(name).then_some(name)
    }

    /// The names of the exports that these nodes import.
    fn collect_imports(&mut self, nodes: &[&Node]) -> Result<(), Error> {
        let mut names = Vec::new();
        nodes.iter().for_each(|node| imports_of(node, &mut names));
        for name in names {
            let name = self.evaluate(name, &Hopeful { ids: None })?;
            self.imports.extend(name.as_ref().and_then(Node::as_text).map(str::to_owned));
        }
        Ok(())
    }

    fn holds(&self, condition: &Option<String>) -> bool {
        condition.as_ref().is_none_or(|name| self.conditions.get(name).copied().unwrap_or(false))
    }

    fn expand(&mut self, template: &Template, present: &[&Resource], types: &Types) -> Result<(), Error> {
        let ids: BTreeSet<&str> = present.iter().map(|resource| resource.id.as_str()).collect();
        let first = Hopeful { ids: (!template.serverless).then_some(&ids) };
        let mut globals = Vec::new();
        for section in &template.globals {
            let value = self.evaluate(&section.value, &first)?;
            globals.extend(value.map(|value| Entry { value, ..section.clone() }));
        }
        let mut unknown = BTreeSet::new();
        // What each name of the template became, for `DependsOn`.
        let mut became: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut made: BTreeMap<String, Resource> = BTreeMap::new();
        for resource in present {
            let mut resource = (*resource).clone();
            resource.properties = self
                .evaluate(&resource.properties, &first)?
                .unwrap_or_else(|| Node::new(resource.line, Value::Map(Vec::new())));
            let parts = match types.macros.get(resource.kind.as_str()) {
                Some(kind) if template.serverless => {
                    globals::merge(kind.globals(), &globals, &mut resource.properties);
                    self.meaning(kind.as_ref(), &resource)?
                }
                Some(_) | None if !types.types.contains_key(resource.kind.as_str()) => {
                    unknown.insert(resource.kind.clone());
                    continue;
                }
                Some(_) | None => vec![resource.clone()],
            };
            became.insert(resource.id.clone(), parts.iter().map(|part| part.id.clone()).collect());
            for part in parts {
                if !types.types.contains_key(part.kind.as_str()) {
                    unknown.insert(part.kind.clone());
                }
                let fault = |message: &str| Error::Properties {
                    resource: resource.id.clone(),
                    fault: contract::PropertyFault { path: String::new(), message: message.to_owned() },
                    line: (resource.line > 0).then_some(resource.line),
                };
                match made.get(&part.id) {
                    None => drop(made.insert(part.id.clone(), part)),
                    Some(other)
                        if other.kind == part.kind && other.properties.to_json() == part.properties.to_json() => {}
                    Some(_) => return Err(fault(&format!("it makes a resource {}, and so does another", part.id))),
                }
            }
        }
        if !unknown.is_empty() {
            return Err(Problem::ResourceTypes(unknown.into_iter().collect()).nowhere().into());
        }
        if made.len() > limits::RESOURCES_MAX {
            let (count, count_max) = (made.len(), limits::RESOURCES_MAX);
            return Err(Problem::TooMany { section: "Resources", count, count_max }.nowhere().into());
        }
        let parts: BTreeSet<String> = made.keys().cloned().collect();
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
            self.resources.insert(id, Wanted { kind, line, properties, needs, deletion_policy, replace_policy });
        }
        Ok(())
    }

    /// The resources that a serverless one stands for.
    fn meaning(&mut self, kind: &dyn ResourceMacro, resource: &Resource) -> Result<Vec<Resource>, Error> {
        let line = (resource.line > 0).then_some(resource.line);
        let wrong = |fault| Error::Properties { resource: resource.id.clone(), fault, line };
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
        Ok(parts)
    }

    /// Now that all resources are known: every name leads somewhere, and there is an order.
    fn settle_names(&mut self) -> Result<(), Error> {
        let ids: Vec<String> = self.resources.keys().cloned().collect();
        for id in &ids {
            let wanted = &self.resources[id];
            // Expansions bring new functions; those that need no resource are resolved here.
            let properties = self
                .evaluate(&wanted.properties, &Named::new(self, |_| Lookup::Later))?
                .unwrap_or_else(|| Node::new(wanted.line, Value::Map(Vec::new())));
            let names = Names::of(&properties);
            let named = names.references.keys().chain(names.attributes.keys().map(|(resource, _)| resource));
            let more: Vec<String> = named.filter_map(|name| self.resource_named(name)).map(str::to_owned).collect();
            if let Some(wanted) = self.resources.get_mut(id) {
                wanted.properties = properties;
                wanted.needs.extend(more);
            }
        }
        let edges: Edges = self.resources.iter().map(|(id, wanted)| (id.clone(), wanted.needs.clone())).collect();
        self.order = graph::order(&edges).map_err(Problem::nowhere)?;
        for output in &self.outputs {
            let later = Named::new(self, |_| Lookup::Later);
            for node in [Some(&output.value), output.export.as_ref()].into_iter().flatten() {
                self.evaluate(node, &later).map_err(|error| match error.problem {
                    Problem::Unresolved { names, .. } => {
                        Problem::Unresolved { names, block: "Outputs" }.at(output.line)
                    }
                    problem => problem.at(error.line.unwrap_or(output.line)),
                })?;
            }
        }
        Ok(())
    }

    /// Has every type look at the properties before anything is made. Where they hang on other resources yet, what the type says of
    /// that very place is not known to be true, and is passed over; it is asked again when the resource is made.
    fn check(&self, types: &Types) -> Result<(), Error> {
        for (id, wanted) in &self.resources {
            let Some(kind) = types.get(&wanted.kind) else { continue };
            let Err(fault) = kind.check(&stand_in(&wanted.properties)) else { continue };
            let unsettled = wanted.properties.at(&fault.path).is_some_and(Node::has_function)
                || lies_in_function(&wanted.properties, &fault.path);
            if !unsettled {
                let line = wanted.properties.at(&fault.path).map_or(wanted.line, |node| node.line);
                return Err(Error::Properties { resource: id.clone(), fault, line: (line > 0).then_some(line) });
            }
        }
        Ok(())
    }
}

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
struct Hopeful<'a> {
    ids: Option<&'a BTreeSet<&'a str>>,
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

/// Properties with text in place of functions, so that names and forms can be checked around them.
fn stand_in(node: &Node) -> serde_json::Value {
    if node.function().is_some() {
        return "pending".into();
    }
    match &node.value {
        Value::List(items) => items.iter().map(stand_in).collect(),
        Value::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), stand_in(&entry.value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => node.to_json(),
    }
}

/// Whether the way along `path` ends in a function before it gets there.
fn lies_in_function(properties: &Node, path: &str) -> bool {
    let ends = path.match_indices('.').map(|(at, _)| at);
    ends.filter_map(|end| properties.at(&path[..end])).any(|node| node.function().is_some())
}

/// The arguments of all `Fn::ImportValue`.
fn imports_of<'a>(node: &'a Node, found: &mut Vec<&'a Node>) {
    if let Some(("Fn::ImportValue", name)) = node.function() {
        found.push(name);
    }
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| imports_of(item, found)),
        Value::Map(entries) => entries.iter().for_each(|entry| imports_of(&entry.value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}
