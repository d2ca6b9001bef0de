//! A template's sections, checked as far as that is possible without values for its parameters.

use std::collections::BTreeMap;

use crate::limits::{DEPTH_MAX, MAPPINGS_MAX, OUTPUTS_MAX, PARAMETERS_MAX, RESOURCES_MAX};
use crate::{Bound, Entry, Error, Node, Parameter, Problem, Value, parameters, references};

/// A template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// For a person.
    pub description: Option<String>,
    /// What it asks for.
    pub parameters: Vec<Parameter>,
    /// `Mappings`, as it stands.
    pub mappings: Vec<Entry>,
    /// `Conditions`, as it stands.
    pub conditions: Vec<Entry>,
    /// What it makes.
    pub resources: Vec<Resource>,
    /// What it tells.
    pub outputs: Vec<Output>,
    /// Whether `AWS::Serverless-2016-10-31` is asked for.
    pub serverless: bool,
    /// Defaults for serverless resources, by section (`Function`).
    pub globals: Vec<Entry>,
}

/// One resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its name in the template.
    pub id: String,
    /// Its line.
    pub line: u32,
    /// Such as `AWS::Lambda::Function`.
    pub kind: String,
    /// A map; functions unresolved.
    pub properties: Node,
    /// What must be there first, beyond what it refers to.
    pub depends_on: Vec<String>,
    /// The condition under which it exists at all.
    pub condition: Option<String>,
    /// What happens to the real thing when the resource goes; `None`: it is deleted.
    pub deletion_policy: Option<Policy>,
    /// What happens to the old thing when the resource is replaced; `None`: it is deleted.
    pub replace_policy: Option<Policy>,
    /// The members that only others read: `Metadata`, `CreationPolicy`, `UpdatePolicy`.
    pub others: Vec<Entry>,
}

/// What happens to the real thing when its resource goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It goes too.
    Delete,
    /// It stays, and nobody here knows it any more.
    Retain,
    /// It stays, unless the operation that made it is rolled back.
    RetainExceptOnCreate,
}

/// One output.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its line.
    pub line: u32,
    /// For a person.
    pub description: Option<String>,
    /// The value; functions unresolved.
    pub value: Node,
    /// The name under which other stacks may import it.
    pub export: Option<Node>,
    /// The condition under which it exists at all.
    pub condition: Option<String>,
}

const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Transform",
    "Globals",
    "Resources",
    "Outputs",
];

/// What `Globals` may have: the names of serverless types that SAM gives defaults to.
pub(crate) const GLOBALS: [&str; 7] =
    ["Function", "Api", "HttpApi", "SimpleTable", "StateMachine", "LayerVersion", "CapacityProvider"];

impl Template {
    /// Reads and checks a template's text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::from_node(&crate::read(text)?)
    }

    /// Checks a template that was read before.
    pub fn from_node(node: &Node) -> Result<Self, Error> {
        let Some(sections) = node.as_map() else { return Err(Problem::Unsupported.nowhere()) };
        // Documents that are kept and sent as JSON must stay readable, and readers of JSON have limits of their own.
        if node.height() > DEPTH_MAX + 1 {
            return Err(Problem::TooDeep { levels_max: DEPTH_MAX }.nowhere());
        }
        let unknown: Vec<&Entry> = sections.iter().filter(|entry| !SECTIONS.contains(&entry.key.as_str())).collect();
        if let Some(first) = unknown.first() {
            return Err(Problem::Properties(unknown.iter().map(|entry| entry.key.clone()).collect()).at(first.line));
        }
        if let Some(version) = node.get("AWSTemplateFormatVersion")
            && version.as_text() != Some("2010-09-09")
        {
            return Err(Problem::Version(version.scalar().unwrap_or_default()).at(version.line));
        }
        if let Some(rules) = node.get("Rules") {
            return Err(Problem::Unserved("Rules").at(rules.line));
        }
        for section in ["Parameters", "Mappings", "Conditions", "Resources", "Outputs"] {
            if let Some(node) = node.get(section) {
                no_nulls(node, &mut format!("/{section}"))?;
            }
        }
        let serverless = transforms(node)?;
        let template = Self {
            description: node.get("Description").and_then(Node::scalar),
            parameters: section(node, "Parameters", PARAMETERS_MAX)?
                .iter()
                .map(|entry| Parameter::read(named("Parameter", entry)?, &entry.value))
                .collect::<Result<_, _>>()?,
            mappings: mappings(node)?,
            conditions: section(node, "Conditions", RESOURCES_MAX)?.to_vec(),
            resources: resources(node)?,
            outputs: section(node, "Outputs", OUTPUTS_MAX)?.iter().map(output).collect::<Result<_, _>>()?,
            serverless,
            globals: globals(node, serverless)?,
        };
        references::check(&template)?;
        Ok(template)
    }

    /// Gives every parameter a value: the given one, or its default.
    pub fn bind(&self, given: &BTreeMap<String, String>) -> Result<Bound, Error> {
        parameters::bind(&self.parameters, given)
    }
}

impl Resource {
    /// Reads one entry of the section `Resources`.
    pub fn read(entry: &Entry) -> Result<Self, Error> {
        let id = named("Resource", entry)?.to_owned();
        let wrong = |member: &'static str, reason: &str, line: u32| {
            Problem::ResourceMember { resource: id.clone(), member, reason: reason.to_owned() }.at(line)
        };
        let Some(members) = entry.value.as_map() else {
            return Err(wrong("", "Every Resources member must be a map.", entry.line));
        };
        let Some(kind) = entry.value.get("Type").and_then(Node::as_text) else {
            return Err(Problem::Member { section: "Resources", name: id, member: "Type" }.at(entry.line));
        };
        let mut resource = Self {
            id: id.clone(),
            line: entry.line,
            kind: kind.to_owned(),
            properties: Node::new(entry.line, Value::Map(Vec::new())),
            depends_on: Vec::new(),
            condition: None,
            deletion_policy: None,
            replace_policy: None,
            others: Vec::new(),
        };
        for member in members {
            let (value, line) = (&member.value, member.line);
            match member.key.as_str() {
                "Type" => {}
                "Properties" if value.as_map().is_some() => resource.properties = value.clone(),
                "Properties" => return Err(wrong("Properties", "Properties must be a map.", line)),
                "DependsOn" => {
                    resource.depends_on = names(value).ok_or_else(|| {
                        wrong("DependsOn", "Every DependsOn value must be a String or a list of Strings.", line)
                    })?;
                }
                "Condition" => {
                    let name =
                        value.as_text().ok_or_else(|| wrong("Condition", "A condition's name must be text.", line))?;
                    resource.condition = Some(name.to_owned());
                }
                "DeletionPolicy" => resource.deletion_policy = Some(policy(&id, "DeletionPolicy", value)?),
                "UpdateReplacePolicy" => resource.replace_policy = Some(policy(&id, "UpdateReplacePolicy", value)?),
                "Metadata" | "CreationPolicy" | "UpdatePolicy" => resource.others.push(member.clone()),
                _ => return Err(Problem::ResourceProperty(member.key.clone()).at(line)),
            }
        }
        Ok(resource)
    }
}

fn transforms(node: &Node) -> Result<bool, Error> {
    let Some(transform) = node.get("Transform") else { return Ok(false) };
    let names =
        names(transform).ok_or_else(|| Problem::Transform(transform.to_json().to_string()).at(transform.line))?;
    let mut serverless = false;
    for name in names {
        match name.as_str() {
            "AWS::Serverless-2016-10-31" => serverless = true,
            // Its functions (Fn::Length, Fn::ToJsonString, a default in Fn::FindInMap) are always there.
            "AWS::LanguageExtensions" => {}
            _ => return Err(Problem::Transform(name).at(transform.line)),
        }
    }
    Ok(serverless)
}

fn globals(node: &Node, serverless: bool) -> Result<Vec<Entry>, Error> {
    match (node.get("Globals"), serverless) {
        (Some(globals), false) => Err(Problem::GlobalsAlone.at(globals.line)),
        (None, _) => Ok(Vec::new()),
        (Some(_), true) => {
            let sections = section(node, "Globals", RESOURCES_MAX)?;
            match sections.iter().find(|section| !GLOBALS.contains(&section.key.as_str())) {
                Some(unknown) => Err(Problem::GlobalsSection { section: unknown.key.clone() }.at(unknown.line)),
                None => Ok(sections.to_vec()),
            }
        }
    }
}

fn section<'a>(node: &'a Node, name: &'static str, count_max: usize) -> Result<&'a [Entry], Error> {
    let Some(section) = node.get(name) else { return Ok(&[]) };
    let Some(entries) = section.as_map() else {
        return Err(Problem::SectionForm { section: name.to_owned() }.at(section.line));
    };
    if entries.len() > count_max {
        let count = entries.len();
        return Err(Problem::TooMany { section: name, count, count_max }.at(section.line));
    }
    Ok(entries)
}

fn resources(node: &Node) -> Result<Vec<Resource>, Error> {
    let entries = section(node, "Resources", RESOURCES_MAX)?;
    if entries.is_empty() {
        return Err(Problem::NoResources.nowhere());
    }
    if let Some(entry) = entries.iter().find(|entry| entry.key.starts_with("Fn::")) {
        return Err(crate::functions::unserved(&entry.key).at(entry.line));
    }
    entries.iter().map(Resource::read).collect()
}

fn mappings(node: &Node) -> Result<Vec<Entry>, Error> {
    let entries = section(node, "Mappings", MAPPINGS_MAX)?;
    for map in entries {
        let form = |path: String, line: u32| Problem::MappingForm { path }.at(line);
        let Some(keys) = map.value.as_map() else { return Err(form(map.key.clone(), map.line)) };
        for key in keys {
            let path = format!("{}/{}", map.key, key.key);
            let Some(attributes) = key.value.as_map() else { return Err(form(path, key.line)) };
            for attribute in attributes {
                let flat = attribute.value.scalar().is_some()
                    || attribute.value.as_list().is_some_and(|items| items.iter().all(|item| item.scalar().is_some()));
                if !flat {
                    return Err(form(format!("{path}/{}", attribute.key), attribute.line));
                }
            }
        }
    }
    Ok(entries.to_vec())
}

fn output(entry: &Entry) -> Result<Output, Error> {
    let name = named("Output", entry)?.to_owned();
    let wrong = |reason: &str| Problem::OutputMember { output: name.clone(), reason: reason.to_owned() }.at(entry.line);
    let Some(members) = entry.value.as_map() else { return Err(wrong("Every Outputs member must be a map.")) };
    if let Some(member) =
        members.iter().find(|member| !["Value", "Description", "Export", "Condition"].contains(&member.key.as_str()))
    {
        return Err(wrong(&format!("Outputs have no member {}.", member.key)));
    }
    let value =
        entry.value.get("Value").cloned().ok_or_else(|| wrong("Every Outputs member must contain a Value object"))?;
    let export = match entry.value.get("Export") {
        None => None,
        Some(export) => Some(export.get("Name").cloned().ok_or_else(|| wrong("Export must have a Name."))?),
    };
    Ok(Output {
        line: entry.line,
        description: entry.value.get("Description").and_then(Node::scalar),
        value,
        export,
        condition: entry.value.get("Condition").and_then(Node::as_text).map(str::to_owned),
        name,
    })
}

fn named<'a>(section: &'static str, entry: &'a Entry) -> Result<&'a str, Error> {
    let name = entry.key.as_str();
    if !name.is_empty() && name.len() <= 255 && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(name)
    } else {
        Err(Problem::Name { section, name: name.to_owned() }.at(entry.line))
    }
}

fn names(node: &Node) -> Option<Vec<String>> {
    match node.as_list() {
        Some(items) => items.iter().map(|item| item.as_text().map(str::to_owned)).collect(),
        None => Some(vec![node.as_text()?.to_owned()]),
    }
}

fn policy(resource: &str, member: &'static str, node: &Node) -> Result<Policy, Error> {
    match (node.as_text(), member) {
        (Some("Delete"), _) => Ok(Policy::Delete),
        (Some("Retain"), _) => Ok(Policy::Retain),
        (Some("RetainExceptOnCreate"), "DeletionPolicy") => Ok(Policy::RetainExceptOnCreate),
        _ => Err(Problem::ResourceMember {
            resource: resource.to_owned(),
            member,
            reason: format!(
                "Unrecognized {member} {} for resource {resource}: it must be Delete or Retain.",
                node.scalar().unwrap_or_default()
            ),
        }
        .at(node.line)),
    }
}

fn no_nulls(node: &Node, path: &mut String) -> Result<(), Error> {
    let length = path.len();
    match &node.value {
        Value::Null => return Err(Problem::Null { path: path.clone() }.at(node.line)),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push_str(&format!("/{index}"));
                no_nulls(item, path)?;
                path.truncate(length);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                path.push('/');
                path.push_str(&entry.key);
                no_nulls(&entry.value, path)?;
                path.truncate(length);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
    Ok(())
}
