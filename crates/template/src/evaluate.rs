//! Functions become values. What needs a resource that is not made yet stays a function, with all else in it resolved, and is
//! evaluated again later; so the same walk serves planning and making.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::functions::{self, Done};
use crate::limits::RESULT_BYTES_MAX;
use crate::references::{self, Part};
use crate::{Bound, Entry, Error, Node, Problem, Value};

/// What is known of a resource's reference or attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// This.
    Value(serde_json::Value),
    /// It will be known once the resource is made.
    Later,
    /// There is no such resource.
    NoResource,
    /// The resource has no such attribute.
    NoAttribute,
}

/// What `Ref` and `Fn::GetAtt` of resources give.
pub trait Resources {
    /// `Ref` of a resource.
    fn reference(&self, id: &str) -> Lookup;
    /// `Fn::GetAtt` of a resource.
    fn attribute(&self, id: &str, attribute: &str) -> Lookup;
}

/// Values that every template knows, such as `AWS::Region`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pseudo {
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`.
    pub account: String,
    /// `AWS::StackName`.
    pub stack_name: String,
    /// `AWS::StackId`.
    pub stack_id: String,
}

/// Evaluates functions in one template. Made for one pass: it counts what it makes, and refuses to make too much.
pub struct Evaluator<'a> {
    mappings: &'a [Entry],
    parameters: &'a Bound,
    pseudo: &'a Pseudo,
    conditions: &'a BTreeMap<String, bool>,
    exports: &'a BTreeMap<String, String>,
    resources: &'a dyn Resources,
    bytes: Cell<usize>,
}

/// What an [`Evaluator`] looks things up in.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// `Mappings` of the template.
    pub mappings: &'a [Entry],
    /// Its parameters' values.
    pub parameters: &'a Bound,
    /// Region, account and stack.
    pub pseudo: &'a Pseudo,
    /// Its conditions' values, see [`crate::conditions::evaluate`].
    pub conditions: &'a BTreeMap<String, bool>,
    /// What other stacks of the account and region export.
    pub exports: &'a BTreeMap<String, String>,
    /// Its resources.
    pub resources: &'a dyn Resources,
}

impl<'a> Evaluator<'a> {
    /// Ready to go.
    pub fn new(around: Surroundings<'a>) -> Self {
        let Surroundings { mappings, parameters, pseudo, conditions, exports, resources } = around;
        Self { mappings, parameters, pseudo, conditions, exports, resources, bytes: Cell::new(0) }
    }

    /// The value of `node`; `None` where it is `AWS::NoValue`.
    pub fn evaluate(&self, node: &Node) -> Result<Option<Node>, Error> {
        if let Some((name, argument)) = node.function() {
            return self.function(node.line, name, argument);
        }
        let value = match &node.value {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => node.value.clone(),
            Value::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.extend(self.evaluate(item)?);
                }
                Value::List(list)
            }
            Value::Map(entries) => {
                let mut map = Vec::with_capacity(entries.len());
                for Entry { key, line, value } in entries {
                    if key.starts_with("Fn::ForEach") {
                        return Err(functions::unserved(key).at(*line));
                    }
                    if let Some(value) = self.evaluate(value)? {
                        map.push(Entry { key: key.clone(), line: *line, value });
                    }
                }
                Value::Map(map)
            }
        };
        Ok(Some(Node::new(node.line, value)))
    }

    /// The value of `node`, which must leave something.
    pub fn need(&self, node: &Node, path: &str) -> Result<Node, Error> {
        self.evaluate(node)?.ok_or_else(|| Problem::NoValue { path: path.to_owned() }.at(node.line))
    }

    fn function(&self, line: u32, name: &str, argument: &Node) -> Result<Option<Node>, Error> {
        let done = match name {
            "Ref" => {
                let name = argument.as_text().ok_or_else(|| Problem::Ref.at(line))?;
                if name == "AWS::NoValue" {
                    return Ok(None);
                }
                self.reference(name, line).map_err(|problem| problem.at(line))?
            }
            "Fn::If" => return self.choose(line, argument),
            "Fn::GetAtt" => self.attribute(line, argument)?,
            "Fn::Sub" => self.substitute(line, argument)?,
            "Fn::FindInMap" => self.find(line, argument)?,
            "Fn::ImportValue" => self.import(line, argument)?,
            "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => {
                return Err(Problem::FunctionMisplaced { function: name.to_owned() }.at(line));
            }
            _ => {
                let argument = self.need(argument, name)?;
                functions::apply(name, line, &argument, self).map_err(|problem| problem.at(line))?
            }
        };
        match done {
            Done::Value(value) => {
                self.charge(&value).map_err(|problem| problem.at(line))?;
                Ok(Some(value))
            }
            Done::Later(rest) => Ok(Some(rest)),
        }
    }

    /// `AWS::Region`, for functions whose answer depends on it.
    pub(crate) fn region(&self) -> &str {
        &self.pseudo.region
    }

    fn reference(&self, name: &str, line: u32) -> Result<Done, Problem> {
        let text = |text: &str| Ok(Done::Value(Node::text(line, text)));
        match name {
            "AWS::Region" => return text(&self.pseudo.region),
            "AWS::AccountId" => return text(&self.pseudo.account),
            "AWS::StackName" => return text(&self.pseudo.stack_name),
            "AWS::StackId" => return text(&self.pseudo.stack_id),
            "AWS::Partition" => return text("aws"),
            "AWS::URLSuffix" => return text("amazonaws.com"),
            "AWS::NotificationARNs" => return Ok(Done::Value(Node::list(line, Vec::new()))),
            _ => {}
        }
        if let Some(value) = self.parameters.get(name) {
            return Ok(Done::Value(Node { line, value: value.value.clone() }));
        }
        match self.resources.reference(name) {
            Lookup::Value(value) => Ok(Done::Value(Node::from_json(&value, line))),
            Lookup::Later => Ok(Done::Later(Node::single(line, "Ref", Node::text(line, name)))),
            Lookup::NoResource | Lookup::NoAttribute => {
                Err(Problem::Unresolved { names: vec![name.to_owned()], block: "Resources" })
            }
        }
    }

    fn attribute(&self, line: u32, argument: &Node) -> Result<Done, Error> {
        let argument = crate::yaml::dotted(argument.clone());
        let Some([resource, attribute]) = argument.as_list() else { return Err(Problem::GetAtt.at(line)) };
        let attribute = self.need(attribute, "Fn::GetAtt")?;
        let (Some(resource), Some(attribute)) = (resource.as_text(), attribute.as_text()) else {
            return Err(Problem::GetAtt.at(line));
        };
        if resource.is_empty() || attribute.is_empty() {
            return Err(Problem::GetAtt.at(line));
        }
        self.attribute_of(resource, attribute, line).map_err(|problem| problem.at(line))
    }

    fn attribute_of(&self, resource: &str, attribute: &str, line: u32) -> Result<Done, Problem> {
        match self.resources.attribute(resource, attribute) {
            Lookup::Value(value) => Ok(Done::Value(Node::from_json(&value, line))),
            Lookup::Later => {
                let names = vec![Node::text(line, resource), Node::text(line, attribute)];
                Ok(Done::Later(Node::single(line, "Fn::GetAtt", Node::list(line, names))))
            }
            Lookup::NoResource => Err(Problem::UndefinedResource(resource.to_owned())),
            Lookup::NoAttribute => {
                Err(Problem::Attribute { resource: resource.to_owned(), attribute: attribute.to_owned() })
            }
        }
    }

    fn choose(&self, line: u32, argument: &Node) -> Result<Option<Node>, Error> {
        let Some([condition, then, otherwise]) = argument.as_list() else { return Err(Problem::If.at(line)) };
        let name = match condition.as_map() {
            Some([only]) if only.key == "Condition" => only.value.as_text(),
            Some(_) | None => condition.as_text(),
        };
        let name = name.ok_or_else(|| Problem::If.at(line))?;
        let holds = self.conditions.get(name).ok_or_else(|| {
            Problem::UnresolvedCondition { name: name.to_owned(), block: "Resources" }.at(condition.line)
        })?;
        self.evaluate(if *holds { then } else { otherwise })
    }

    fn substitute(&self, line: u32, argument: &Node) -> Result<Done, Error> {
        let (template, variables) = match (&argument.value, argument.as_list()) {
            (Value::Text(text), _) => (text.as_str(), None),
            (_, Some([text, variables])) if variables.as_map().is_some() && text.as_text().is_some() => {
                (text.as_text().unwrap_or_default(), Some(variables))
            }
            _ => return Err(Problem::Sub.at(line)),
        };
        let mut parts: Vec<Node> = Vec::new();
        let mut text = String::new();
        for part in references::parts(template).map_err(|problem| problem.at(line))? {
            let name = match part {
                Part::Text(plain) => {
                    text.push_str(plain);
                    continue;
                }
                Part::Name(name) => name,
            };
            match self.variable(line, name, variables)? {
                Done::Value(value) => {
                    text.push_str(&value.scalar().ok_or_else(|| Problem::SubValue { name: name.to_owned() }.at(line))?);
                    self.room(text.len()).map_err(|problem| problem.at(line))?;
                }
                Done::Later(rest) => {
                    parts.extend([Node::text(line, std::mem::take(&mut text)), rest]);
                }
            }
        }
        if parts.is_empty() {
            return Ok(Done::Value(Node::text(line, text)));
        }
        // As a join, because a value that is in place already may hold `${…}` of its own.
        parts.push(Node::text(line, text));
        parts.retain(|part| part.as_text() != Some(""));
        let join = Node::list(line, vec![Node::text(line, ""), Node::list(line, parts)]);
        Ok(Done::Later(Node::single(line, "Fn::Join", join)))
    }

    fn variable(&self, line: u32, name: &str, variables: Option<&Node>) -> Result<Done, Error> {
        if let Some(value) = variables.and_then(|variables| variables.get(name)) {
            let value = self.need(value, name)?;
            return Ok(if value.has_function() { Done::Later(value) } else { Done::Value(value) });
        }
        let found = match name.split_once('.') {
            // A name with a dot may stand for a resource too: `NAME.Alias` of a serverless function.
            Some((resource, attribute)) => match self.resources.reference(name) {
                Lookup::NoResource | Lookup::NoAttribute => self.attribute_of(resource, attribute, line),
                // As long as any name may turn up, it is not known which of both this one is.
                Lookup::Later if matches!(self.resources.attribute(resource, attribute), Lookup::Later) => {
                    let rest = Node::text(line, format!("${{{name}}}"));
                    return Ok(Done::Later(Node::single(line, "Fn::Sub", rest)));
                }
                Lookup::Value(_) | Lookup::Later => self.reference(name, line),
            },
            None => self.reference(name, line),
        };
        found.map_err(|problem| problem.at(line))
    }

    fn find(&self, line: u32, argument: &Node) -> Result<Done, Error> {
        let Some(items @ ([_, _, _] | [_, _, _, _])) = argument.as_list() else {
            return Err(Problem::FindInMap.at(line));
        };
        let mut names = Vec::new();
        for item in &items[..3] {
            let name = self.need(item, "Fn::FindInMap")?;
            names.push(name.scalar().ok_or_else(|| Problem::FindInMap.at(item.line))?);
        }
        let default =
            items.get(3).map(|options| options.get("DefaultValue").ok_or_else(|| Problem::FindInMap.at(line)));
        let [map, key, attribute] = names.try_into().map_err(|_| Problem::FindInMap.at(line))?;
        let mapping = self.mappings.iter().find(|entry| entry.key == map);
        let found = mapping.and_then(|mapping| mapping.value.get(&key)).and_then(|keys| keys.get(&attribute));
        match (found, default.transpose()?) {
            (Some(value), _) => Ok(Done::Value(Node { line, value: value.value.clone() })),
            (None, Some(default)) => {
                let value = self.need(default, "DefaultValue")?;
                Ok(if value.has_function() { Done::Later(value) } else { Done::Value(value) })
            }
            (None, None) if mapping.is_none() => Err(Problem::Mapping(map).at(line)),
            (None, None) => Err(Problem::MappingKey { map, key, attribute }.at(line)),
        }
    }

    fn import(&self, line: u32, argument: &Node) -> Result<Done, Error> {
        let name = self.need(argument, "Fn::ImportValue")?;
        let name = name.as_text().ok_or_else(|| Problem::ImportValue.at(line))?;
        match self.exports.get(name) {
            Some(value) => Ok(Done::Value(Node::text(line, value))),
            None => Err(Problem::Export(name.to_owned()).at(line)),
        }
    }

    fn charge(&self, value: &Node) -> Result<(), Problem> {
        self.bytes.set(self.bytes.get().saturating_add(value.bytes()));
        self.room(0)
    }

    /// Whether `bytes` more may be made.
    pub(crate) fn room(&self, bytes: usize) -> Result<(), Problem> {
        if self.bytes.get().saturating_add(bytes) > RESULT_BYTES_MAX {
            return Err(Problem::ResultTooLarge { bytes_max: RESULT_BYTES_MAX });
        }
        Ok(())
    }
}
