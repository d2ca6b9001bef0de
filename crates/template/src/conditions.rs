//! The section `Conditions`: every condition's truth, from parameters and mappings alone.

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
    let mut walk = Walk { conditions: &template.conditions, evaluator, known: BTreeMap::new() };
    for condition in &template.conditions {
        walk.settle(&condition.key, condition.line)?;
    }
    Ok(walk.known)
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
    known: BTreeMap<String, bool>,
}

impl Walk<'_> {
    /// Finds a condition's truth, and before it that of those that it is made of. The way there is a list and not a recursion, since
    /// a template may have hundreds in a row.
    fn settle(&mut self, name: &str, line: u32) -> Result<(), Error> {
        let mut way = vec![(name.to_owned(), line)];
        while let Some((name, line)) = way.last().cloned() {
            if self.known.contains_key(&name) {
                way.pop();
                continue;
            }
            let Some(condition) = self.conditions.iter().find(|entry| entry.key == name) else {
                return Err(Problem::UnresolvedCondition { name, block: "Conditions" }.at(line));
            };
            match self.unknown_in(&condition.value) {
                None => {
                    let truth = self.truth(&name, &condition.value)?;
                    self.known.insert(name, truth);
                }
                Some((needed, line)) => {
                    if let Some(start) = way.iter().position(|(open, _)| *open == needed) {
                        let names = way.drain(start..).map(|(name, _)| name).collect();
                        return Err(Problem::ConditionCircle(names).at(line));
                    }
                    way.push((needed.to_owned(), line));
                }
            }
        }
        Ok(())
    }

    /// A condition that this one is made of and whose truth is not known yet, and the line where it is named.
    fn unknown_in<'n>(&self, node: &'n Node) -> Option<(&'n str, u32)> {
        let [only] = node.as_map()? else { return None };
        match only.key.as_str() {
            "Condition" => {
                only.value.as_text().filter(|name| !self.known.contains_key(*name)).map(|name| (name, node.line))
            }
            "Fn::And" | "Fn::Or" | "Fn::Not" => only.value.as_list()?.iter().find_map(|item| self.unknown_in(item)),
            _ => None,
        }
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
                // Whatever it names was settled before.
                let known = argument.as_text().and_then(|name| self.known.get(name)).copied();
                known.ok_or_else(|| Problem::ConditionForm(owner.to_owned()).at(line))
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
