//! Which names a template's functions use, and whether they lead anywhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Error, Node, Problem, Template, Value};

/// Names of values that every template knows.
pub const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// A part of the text that `Fn::Sub` is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// As it stands.
    Text(&'a str),
    /// `${Name}`.
    Name(&'a str),
}

/// Takes a text for `Fn::Sub` apart. `${!Name}` stands for `${Name}`; a `${` without its end stands for itself.
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, Problem> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start + 2..].find('}') else { break };
        let name = &rest[start + 2..start + 2 + length];
        let after = start + 2 + length + 1;
        parts.push(Part::Text(&rest[..start]));
        match name.strip_prefix('!') {
            Some(literal) => parts.extend([Part::Text("${"), Part::Text(literal), Part::Text("}")]),
            None => {
                let name = name.trim();
                let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:".contains(&byte);
                if name.is_empty() || !name.bytes().all(fine) {
                    return Err(Problem::SubName);
                }
                parts.push(Part::Name(name));
            }
        }
        rest = &rest[after..];
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

/// The names that functions in `node` use, and a line of each: as `Ref` has them (`Name`, or `Name.Alias`) and as `Fn::GetAtt` has
/// them (`Name` alone).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// In `Ref`, and in `Fn::Sub` without a dot.
    pub references: BTreeMap<String, u32>,
    /// In `Fn::GetAtt`, and in `Fn::Sub` with a dot: the part before the first dot, and the whole.
    pub attributes: BTreeMap<(String, String), u32>,
    /// Conditions in `Fn::If`.
    pub conditions: BTreeMap<String, u32>,
}

impl Names {
    /// The names in `node`.
    pub fn of(node: &Node) -> Self {
        let mut names = Self::default();
        names.collect(node);
        names
    }

    fn collect(&mut self, node: &Node) {
        if let Some((function, argument)) = node.function() {
            self.function(function, argument, node.line);
        }
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Map(entries) => entries.iter().for_each(|entry| self.collect(&entry.value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
        }
    }

    fn function(&mut self, function: &str, argument: &Node, line: u32) {
        match function {
            "Ref" => {
                if let Some(name) = argument.as_text() {
                    self.references.insert(name.to_owned(), line);
                }
            }
            "Fn::GetAtt" => {
                let argument = crate::yaml::dotted(argument.clone());
                if let Some([resource, attribute]) = argument.as_list()
                    && let Some(resource) = resource.as_text()
                {
                    let whole = format!("{resource}.{}", attribute.as_text().unwrap_or_default());
                    self.attributes.insert((resource.to_owned(), whole), line);
                }
            }
            "Fn::If" => {
                if let Some(name) = argument.as_list().and_then(|items| items.first()).and_then(Node::as_text) {
                    self.conditions.insert(name.to_owned(), line);
                }
            }
            "Fn::Sub" => self.substitution(argument, line),
            _ => {}
        }
    }

    fn substitution(&mut self, argument: &Node, line: u32) {
        let (text, variables) = match argument.as_list() {
            Some([text, variables]) => (text.as_text(), Some(variables)),
            Some(_) | None => (argument.as_text(), None),
        };
        for part in text.and_then(|text| parts(text).ok()).unwrap_or_default() {
            match part {
                Part::Name(name) if variables.is_some_and(|variables| variables.get(name).is_some()) => {}
                Part::Name(name) => match name.split_once('.') {
                    Some((resource, _)) => {
                        self.attributes.insert((resource.to_owned(), name.to_owned()), line);
                    }
                    None => {
                        self.references.insert(name.to_owned(), line);
                    }
                },
                Part::Text(_) => {}
            }
        }
    }
}

/// Checks that every name leads somewhere. With serverless resources only conditions are checked here: which resources there will
/// be is known once they were expanded, and then the names of what is left are looked up.
pub(crate) fn check(template: &Template) -> Result<(), Error> {
    let resources: BTreeSet<&str> = template.resources.iter().map(|resource| resource.id.as_str()).collect();
    let parameters: BTreeSet<&str> = template.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let conditions: BTreeSet<&str> = template.conditions.iter().map(|entry| entry.key.as_str()).collect();
    let unresolved_condition = |name: &str, line: u32, block: &'static str| {
        if conditions.contains(name) {
            return Ok(());
        }
        Err(Problem::UnresolvedCondition { name: name.to_owned(), block }.at(line))
    };
    let in_block = |names: &Names, more: &[String], line: u32, block: &'static str| {
        names.conditions.iter().try_for_each(|(name, line)| unresolved_condition(name, *line, block))?;
        if template.serverless {
            return Ok(());
        }
        let known = |name: &str| resources.contains(name) || parameters.contains(name) || PSEUDO.contains(&name);
        let mut lost: BTreeMap<String, u32> = BTreeMap::new();
        lost.extend(names.references.iter().filter(|(name, _)| !known(name)).map(|(name, line)| (name.clone(), *line)));
        lost.extend(more.iter().filter(|name| !resources.contains(name.as_str())).map(|name| (name.clone(), line)));
        let first = lost.values().next().copied();
        if let Some(line) = first {
            return Err(Problem::Unresolved { names: lost.into_keys().collect(), block }.at(line));
        }
        match names.attributes.iter().find(|((resource, _), _)| !resources.contains(resource.as_str())) {
            Some(((resource, _), line)) => Err(Problem::UndefinedResource(resource.clone()).at(*line)),
            None => Ok(()),
        }
    };
    for resource in &template.resources {
        in_block(&Names::of(&resource.properties), &resource.depends_on, resource.line, "Resources")?;
        if let Some(condition) = &resource.condition {
            unresolved_condition(condition, resource.line, "Resources")?;
        }
    }
    for output in &template.outputs {
        in_block(&Names::of(&output.value), &[], output.line, "Outputs")?;
        if let Some(export) = &output.export {
            in_block(&Names::of(export), &[], output.line, "Outputs")?;
        }
        if let Some(condition) = &output.condition {
            unresolved_condition(condition, output.line, "Outputs")?;
        }
    }
    for condition in &template.conditions {
        let names = Names::of(&condition.value);
        let outside = |name: &&String| !parameters.contains(name.as_str()) && !PSEUDO.contains(&name.as_str());
        let lost: Vec<String> = names
            .references
            .keys()
            .filter(outside)
            .chain(names.attributes.keys().map(|(resource, _)| resource))
            .cloned()
            .collect();
        if !lost.is_empty() {
            return Err(Problem::UnresolvedInConditions(lost).at(condition.line));
        }
    }
    Ok(())
}
