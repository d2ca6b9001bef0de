//! A template with its parameters: which resources it means, with everything resolved that does not depend on them. Pure.
//!
//! In this order, as CloudFormation has it: parameters, conditions, functions that need no resource, `Globals`, serverless
//! resources (each asks the [`contract::ResourceMacro`] of the service that it belongs to), then names and order.

mod expansion;
mod extension;
mod names;
mod types;

use std::collections::{BTreeMap, BTreeSet};

use template::evaluate::Surroundings;
use template::references::Names;
use template::{
    Bound, Entry, Evaluator, Lookup, Node, Output, Policy, Problem, Pseudo, Resource, Resources, Template, Value,
};
use template::{conditions, limits};

use crate::Error;
use crate::graph::{self, Edges};
use names::Hopeful;

pub(crate) use names::{Asked, Named};
pub use types::Types;

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
    /// How large its resources' properties are together.
    bytes: usize,
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
            bytes: 0,
        };
        let present: Vec<&Resource> =
            template.resources.iter().filter(|resource| application.holds(&resource.condition)).collect();
        application.outputs =
            template.outputs.iter().filter(|output| application.holds(&output.condition)).cloned().collect();
        let outputs = application.outputs.clone();
        let outputs = outputs.iter().map(|output| &output.value);
        let nodes: Vec<&Node> = present.iter().map(|resource| &resource.properties).chain(outputs).collect();
        application.collect_imports(&nodes)?;
        application.expand(template, &present, types)?;
        application.settle_names(types)?;
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
        // What is kept of it must stay readable, and attributes of other resources may have made it deeper, and larger.
        if value.as_ref().is_some_and(|value| value.height() > limits::DEPTH_MAX) {
            return Err(Problem::TooDeep { levels_max: limits::DEPTH_MAX }.at(node.line));
        }
        fits(value.as_ref().map_or(0, Node::bytes)).map_err(|problem| problem.at(node.line))?;
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
        nodes.iter().for_each(|node| names::imports_of(node, &self.conditions, &mut names));
        for name in names {
            let name = self.evaluate(name, &Hopeful { ids: None })?;
            self.imports.extend(name.as_ref().and_then(Node::as_text).map(str::to_owned));
        }
        Ok(())
    }

    fn holds(&self, condition: &Option<String>) -> bool {
        condition.as_ref().is_none_or(|name| self.conditions.get(name).copied().unwrap_or(false))
    }

    /// Now that all resources are known: every name leads somewhere, and there is an order.
    fn settle_names(&mut self, types: &Types) -> Result<(), Error> {
        let ids: Vec<String> = self.resources.keys().cloned().collect();
        let coming = self.attributes_to_come(types);
        let coming = |asked: Asked<'_>| match asked {
            Asked::Reference { .. } => Lookup::Later,
            Asked::Attribute { id, attribute } => match coming.get(id) {
                Some(names) if !names.contains(&attribute) => Lookup::NoAttribute,
                Some(_) | None => Lookup::Later,
            },
        };
        for id in &ids {
            let wanted = &self.resources[id];
            // Expansions bring new functions; those that need no resource are resolved here.
            let properties = self
                .evaluate(&wanted.properties, &Named::new(self, coming))?
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
            let later = Named::new(self, coming);
            for (field, node) in output_fields(output) {
                let value = self.evaluate(node, &later).map_err(|error| match error.problem {
                    Problem::Unresolved { names, .. } => {
                        Problem::Unresolved { names, block: "Outputs" }.at(output.line)
                    }
                    problem => problem.at(error.line.unwrap_or(output.line)),
                })?;
                // What hangs on resources shows when they are made.
                if !value.is_some_and(|value| value.has_function() || value.scalar().is_some()) {
                    return Err(Problem::OutputText { output: output.name.clone(), field }.at(output.line).into());
                }
            }
        }
        Ok(())
    }

    /// Which attributes resources will have: a type tells all of their names, whatever was made.
    fn attributes_to_come(&self, types: &Types) -> BTreeMap<String, Vec<&'static str>> {
        let names = |wanted: &Wanted| {
            let told = types.get(&wanted.kind)?.attributes("", &stand_in(&wanted.properties), &serde_json::Value::Null);
            Some(told.named.into_iter().map(|(name, _)| name).collect())
        };
        self.resources.iter().filter_map(|(id, wanted)| Some((id.clone(), names(wanted)?))).collect()
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
                let line = line_of(&wanted.properties, &fault.path, wanted.line);
                return Err(Error::Properties { resource: id.clone(), fault, line });
            }
        }
        Ok(())
    }
}

/// What of an output must be text, by the names that messages have for it.
pub(crate) fn output_fields(output: &Output) -> impl Iterator<Item = (&'static str, &Node)> {
    let export = output.export.iter().map(|export| ("The Name field of every Export member", export));
    std::iter::once(("The Value field of every Outputs member", &output.value)).chain(export)
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
    let ends = path.match_indices(['.', '[']).map(|(at, _)| at);
    ends.filter_map(|end| properties.at(&path[..end])).any(|node| node.function().is_some())
}

/// The line of what a path leads to, or of the nearest thing above it whose line is known.
fn line_of(properties: &Node, path: &str, resource: u32) -> Option<u32> {
    let ends = path.match_indices(['.', '[']).map(|(at, _)| at).chain([path.len()]);
    let mut lines = ends.filter_map(|end| properties.at(&path[..end])).map(|node| node.line);
    lines.rfind(|line| *line > 0).or((resource > 0).then_some(resource))
}

/// Whether properties of so many bytes may be.
fn fits(bytes: usize) -> Result<(), Problem> {
    match bytes {
        0..=limits::EXPANDED_BYTES_MAX => Ok(()),
        _ => Err(Problem::ResultTooLarge { bytes_max: limits::EXPANDED_BYTES_MAX }),
    }
}
