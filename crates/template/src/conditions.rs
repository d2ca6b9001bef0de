//! The section `Conditions`: every condition's truth, from parameters and mappings alone.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::evaluate::Surroundings;
use crate::{Bound, Entry, Error, Evaluator, Lookup, Node, Problem, Pseudo, Resources, Template};

/// The truth of every condition.
pub fn evaluate(template: &Template, parameters: &Bound, pseudo: &Pseudo) -> Result<BTreeMap<String, bool>, Error> {
    let none = (BTreeMap::new(), BTreeMap::new());
    let evaluator = Evaluator::new(Surroundings {
        mappings: &template.mappings,
        parameters,
        pseudo,
        conditions: &none.0,
        exports: &none.1,
        resources: &Nothing,
    });
    let walk =
        Walk { conditions: &template.conditions, evaluator, known: RefCell::default(), open: RefCell::default() };
    for condition in &template.conditions {
        walk.named(&condition.key, condition.line)?;
    }
    Ok(walk.known.into_inner())
}

/// Conditions know no resources.
struct Nothing;

impl Resources for Nothing {
    fn reference(&self, _: &str) -> Lookup {
        Lookup::NoResource
    }

    fn attribute(&self, _: &str, _: &str) -> Lookup {
        Lookup::NoResource
    }
}

struct Walk<'a> {
    conditions: &'a [Entry],
    evaluator: Evaluator<'a>,
    known: RefCell<BTreeMap<String, bool>>,
    /// The conditions on the way to this one.
    open: RefCell<Vec<String>>,
}

impl Walk<'_> {
    fn named(&self, name: &str, line: u32) -> Result<bool, Error> {
        if let Some(known) = self.known.borrow().get(name) {
            return Ok(*known);
        }
        let Some(condition) = self.conditions.iter().find(|entry| entry.key == name) else {
            return Err(Problem::UnresolvedCondition { name: name.to_owned(), block: "Conditions" }.at(line));
        };
        if let Some(start) = self.open.borrow().iter().position(|open| open == name) {
            return Err(Problem::ConditionCircle(self.open.borrow()[start..].to_vec()).at(line));
        }
        self.open.borrow_mut().push(name.to_owned());
        let truth = self.truth(name, &condition.value)?;
        self.open.borrow_mut().pop();
        self.known.borrow_mut().insert(name.to_owned(), truth);
        Ok(truth)
    }

    fn truth(&self, owner: &str, node: &Node) -> Result<bool, Error> {
        let Some([only]) = node.as_map() else { return Err(Problem::ConditionForm(owner.to_owned()).at(node.line)) };
        let (argument, line) = (&only.value, node.line);
        let several = |function: &'static str| match argument.as_list() {
            Some(items) if (2..=10).contains(&items.len()) => Ok(items),
            Some(_) | None => Err(Problem::AndOr(function).at(line)),
        };
        match only.key.as_str() {
            "Condition" => {
                let name = argument.as_text().ok_or_else(|| Problem::ConditionForm(owner.to_owned()).at(line))?;
                self.named(name, line)
            }
            "Fn::And" => {
                let items = several("Fn::And")?.iter().map(|item| self.truth(owner, item));
                Ok(items.collect::<Result<Vec<_>, _>>()?.into_iter().all(|truth| truth))
            }
            "Fn::Or" => {
                let items = several("Fn::Or")?.iter().map(|item| self.truth(owner, item));
                Ok(items.collect::<Result<Vec<_>, _>>()?.into_iter().any(|truth| truth))
            }
            "Fn::Not" => match argument.as_list() {
                Some([item]) => Ok(!self.truth(owner, item)?),
                Some(_) | None => Err(Problem::Not.at(line)),
            },
            "Fn::Equals" => {
                let Some([left, right]) = argument.as_list() else { return Err(Problem::Equals.at(line)) };
                let (left, right) = (self.side(left)?, self.side(right)?);
                Ok(left == right)
            }
            _ => Err(Problem::ConditionForm(owner.to_owned()).at(line)),
        }
    }

    /// One side of a comparison; numbers and truth values are compared as the text that they are.
    fn side(&self, node: &Node) -> Result<serde_json::Value, Error> {
        let value = self.evaluator.evaluate(node).map_err(|error| match error.problem {
            Problem::Unresolved { names, .. } => Error { problem: Problem::UnresolvedInConditions(names), ..error },
            Problem::UndefinedResource(name) => Error { problem: Problem::UnresolvedInConditions(vec![name]), ..error },
            problem => Error { problem, ..error },
        })?;
        let value = value.ok_or_else(|| Problem::Equals.at(node.line))?;
        Ok(value.scalar().map_or_else(|| value.to_json(), serde_json::Value::String))
    }
}
