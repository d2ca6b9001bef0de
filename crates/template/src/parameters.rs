//! Parameters: what a template asks for, and whether what it is given will do.

use std::collections::BTreeMap;

use regex::Regex;

use crate::limits::PARAMETER_BYTES_MAX;
use crate::{Error, Node, Problem};

/// What a template asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its line.
    pub line: u32,
    /// What kind of value it takes.
    pub kind: Kind,
    /// The value where none is given.
    pub default: Option<String>,
    /// Whether the value must never be shown.
    pub no_echo: bool,
    /// For a person.
    pub description: Option<String>,
    constraints: Constraints,
}

/// What kind of value a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `String`.
    Text,
    /// `Number`: checked as one, and given to functions as text.
    Number,
    /// `CommaDelimitedList`: each item trimmed.
    TextList,
    /// `List<Number>`.
    NumberList,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Constraints {
    allowed: Option<Vec<String>>,
    pattern: Option<String>,
    length_min: Option<u64>,
    length_max: Option<u64>,
    value_min: Option<f64>,
    value_max: Option<f64>,
    description: Option<String>,
}

/// Values for all parameters of a template, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bound {
    values: BTreeMap<String, Node>,
    texts: BTreeMap<String, String>,
}

impl Bound {
    /// What `Ref` gives.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.values.get(name)
    }

    /// All of them as they were given, to keep.
    pub fn texts(&self) -> &BTreeMap<String, String> {
        &self.texts
    }
}

const MEMBERS: [&str; 11] = [
    "Type",
    "Default",
    "NoEcho",
    "AllowedValues",
    "AllowedPattern",
    "MaxLength",
    "MinLength",
    "MaxValue",
    "MinValue",
    "Description",
    "ConstraintDescription",
];

impl Parameter {
    /// Reads one entry of the section `Parameters`.
    pub(crate) fn read(name: &str, node: &Node) -> Result<Self, Error> {
        let wrong = |member: &str, reason: &str, line: u32| {
            let (name, member, reason) = (name.to_owned(), member.to_owned(), reason.to_owned());
            Problem::ParameterMember { name, member, reason }.at(line)
        };
        let Some(members) = node.as_map() else { return Err(wrong("", "A parameter must be a map.", node.line)) };
        if let Some(entry) = members.iter().find(|entry| !MEMBERS.contains(&entry.key.as_str())) {
            return Err(wrong(&entry.key, "Parameters have no such member.", entry.line));
        }
        let text = |member: &'static str| match node.get(member) {
            None => Ok(None),
            Some(value) => match value.scalar() {
                Some(text) => Ok(Some(text)),
                None => Err(wrong(member, &format!("Every {member} member must be a string."), value.line)),
            },
        };
        let number = |member: &'static str| match text(member)? {
            None => Ok(None),
            Some(text) => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Some(number)),
                Ok(_) | Err(_) => Err(wrong(member, &format!("Every {member} member must be a number."), node.line)),
            },
        };
        let Some(kind) = text("Type")? else {
            let name = name.to_owned();
            return Err(Problem::Member { section: "Parameters", name, member: "Type" }.at(node.line));
        };
        let allowed = match node.get("AllowedValues") {
            None => None,
            Some(list) => Some(
                list.as_list()
                    .and_then(|items| items.iter().map(Node::scalar).collect::<Option<Vec<_>>>())
                    .ok_or_else(|| wrong("AllowedValues", "Every AllowedValues member must be a list.", list.line))?,
            ),
        };
        let pattern = text("AllowedPattern")?;
        if let Some(pattern) = &pattern
            && let Err(error) = whole(pattern)
        {
            return Err(wrong("AllowedPattern", &format!("This is not a regular expression: {error}"), node.line));
        }
        let length = |limit: Option<f64>| limit.map(|limit| limit.max(0.0) as u64);
        let constraints = Constraints {
            allowed,
            pattern,
            length_min: length(number("MinLength")?),
            length_max: length(number("MaxLength")?),
            value_min: number("MinValue")?,
            value_max: number("MaxValue")?,
            description: text("ConstraintDescription")?,
        };
        let parameter = Self {
            name: name.to_owned(),
            line: node.line,
            kind: Kind::read(name, &kind).map_err(|problem| problem.at(node.line))?,
            default: text("Default")?,
            no_echo: text("NoEcho")?.is_some_and(|truth| truth.eq_ignore_ascii_case("true")),
            description: text("Description")?,
            constraints,
        };
        Ok(parameter)
    }

    /// The value that `text` stands for, if it will do.
    fn value(&self, text: &str) -> Result<Node, Problem> {
        if text.len() > PARAMETER_BYTES_MAX {
            return Err(self.refuse(format!("must not be longer than {PARAMETER_BYTES_MAX} bytes")));
        }
        match self.kind {
            Kind::Text | Kind::Number => {
                self.check(text)?;
                Ok(Node::text(self.line, text))
            }
            Kind::TextList | Kind::NumberList => {
                let items: Vec<&str> =
                    if text.is_empty() { Vec::new() } else { text.split(',').map(str::trim).collect() };
                items.iter().try_for_each(|item| self.check(item))?;
                Ok(Node::list(self.line, items.into_iter().map(|item| Node::text(self.line, item)).collect()))
            }
        }
    }

    fn check(&self, text: &str) -> Result<(), Problem> {
        let Constraints { allowed, pattern, length_min, length_max, value_min, value_max, description: _ } =
            &self.constraints;
        if matches!(self.kind, Kind::Number | Kind::NumberList) {
            let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            let Some(number) = number else { return Err(self.refuse("must be a number".to_owned())) };
            if let Some(least) = value_min.filter(|least| number < *least) {
                return Err(self.refuse_constraint(format!("must be a number not less than {least}")));
            }
            if let Some(most) = value_max.filter(|most| number > *most) {
                return Err(self.refuse_constraint(format!("must be a number not greater than {most}")));
            }
        }
        let length = text.chars().count() as u64;
        if let Some(least) = length_min.filter(|least| length < *least) {
            return Err(self.refuse_constraint(format!("must contain at least {least} characters")));
        }
        if let Some(most) = length_max.filter(|most| length > *most) {
            return Err(self.refuse_constraint(format!("must contain at most {most} characters")));
        }
        if allowed.as_ref().is_some_and(|allowed| !allowed.iter().any(|value| value == text)) {
            return Err(self.refuse_constraint("must be one of AllowedValues".to_owned()));
        }
        if let Some(pattern) = pattern
            && !whole(pattern).is_ok_and(|pattern| pattern.is_match(text))
        {
            return Err(self.refuse_constraint(format!("must match pattern {pattern}")));
        }
        Ok(())
    }

    fn refuse(&self, requirement: String) -> Problem {
        Problem::ParameterValue { name: self.name.clone(), requirement }
    }

    fn refuse_constraint(&self, requirement: String) -> Problem {
        match &self.constraints.description {
            Some(description) => {
                Problem::ParameterConstraint { name: self.name.clone(), description: description.clone() }
            }
            None => self.refuse(requirement),
        }
    }
}

impl Kind {
    fn read(name: &str, kind: &str) -> Result<Self, Problem> {
        match kind {
            "String" => Ok(Self::Text),
            "Number" => Ok(Self::Number),
            "CommaDelimitedList" => Ok(Self::TextList),
            "List<Number>" => Ok(Self::NumberList),
            _ if kind.starts_with("AWS::SSM::Parameter::") => Err(Problem::ParameterMember {
                name: name.to_owned(),
                member: "Type".to_owned(),
                reason: format!("{kind} is not served yet: take String, and give the value itself."),
            }),
            _ => Err(Problem::ParameterType { name: name.to_owned(), kind: kind.to_owned() }),
        }
    }
}

/// Gives every parameter a value: the given one, or the default.
pub(crate) fn bind(parameters: &[Parameter], given: &BTreeMap<String, String>) -> Result<Bound, Error> {
    let unknown: Vec<String> =
        given.keys().filter(|name| !parameters.iter().any(|parameter| parameter.name == **name)).cloned().collect();
    if !unknown.is_empty() {
        return Err(Problem::ParametersUnknown(unknown).nowhere());
    }
    let mut bound = Bound::default();
    let mut missing = Vec::new();
    for parameter in parameters {
        let Some(text) = given.get(&parameter.name).or(parameter.default.as_ref()) else {
            missing.push(parameter.name.clone());
            continue;
        };
        let value = parameter.value(text).map_err(|problem| problem.at(parameter.line))?;
        bound.values.insert(parameter.name.clone(), value);
        bound.texts.insert(parameter.name.clone(), text.clone());
    }
    if !missing.is_empty() {
        missing.sort();
        return Err(Problem::ParametersMissing(missing).nowhere());
    }
    Ok(bound)
}

/// A pattern must match the whole value. Linear in time whatever the pattern; the size of the compiled form is bounded.
fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(1 << 20).build()
}
