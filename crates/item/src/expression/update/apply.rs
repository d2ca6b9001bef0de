//! Applying an update: first all values, out of the item as it was, then all writes.
//!
//! What is wrong is told in DynamoDB's order: a place inside something that has none, then types, then, from the last section to the
//! first, places that are not there and attributes that are read and not there.

use std::collections::{BTreeMap, BTreeSet};

use super::place::{Part, Standing, get, get_mut, parts, standing};
use super::{Bound, Dialect};
use crate::expression::fault::Invalid;
use crate::expression::syntax::{Action, Call, Change, Function, Operand, Sign};
use crate::{Item, Value};

/// What becomes of the item.
pub(super) fn apply(update: &Bound, item: &Item) -> Result<Item, Invalid> {
    let applied = Applied { update, item };
    let places: Vec<Vec<Part<'_>>> = update.actions.iter().map(|action| parts(&update.names, &action.path)).collect();
    if places.iter().any(|place| standing(item, place) == Standing::OtherParent) {
        return Err(Invalid::NoPlace);
    }
    let mut writes = Vec::with_capacity(places.len());
    for (action, place) in update.actions.iter().zip(&places) {
        match applied.write(action, place) {
            Err(fault @ (Invalid::OperandType | Invalid::LegacyType)) => return Err(fault),
            write => writes.push(write),
        }
    }
    check_sections(update, item, &places, &writes)?;
    let writes: Vec<Write> = writes.into_iter().collect::<Result<_, _>>()?;
    Ok(written(item.clone(), &places, writes))
}

/// What happens at one place.
enum Write {
    Put(Value),
    Remove,
    Nothing,
}

/// From the last section to the first: places that are not there, then values that could not be made.
fn check_sections(
    update: &Bound,
    item: &Item,
    places: &[Vec<Part<'_>>],
    writes: &[Result<Write, Invalid>],
) -> Result<(), Invalid> {
    let mut sections: Vec<&str> = Vec::new();
    for action in update.actions.iter().rev() {
        let section = action.change.section();
        if sections.contains(&section) {
            continue;
        }
        sections.push(section);
        let inside = || (0..places.len()).filter(|at| update.actions[*at].change.section() == section);
        if inside().any(|at| standing(item, &places[at]) != Standing::Writable) {
            return Err(Invalid::NoPlace);
        }
        if let Some(fault) = inside().find_map(|at| writes[at].as_ref().err()) {
            return Err(fault.clone());
        }
    }
    Ok(())
}

struct Applied<'a> {
    update: &'a Bound,
    item: &'a Item,
}

impl Applied<'_> {
    fn write(&self, action: &Action, place: &[Part<'_>]) -> Result<Write, Invalid> {
        match &action.change {
            Change::Set(operand) => self.operand(operand).map(Write::Put),
            Change::Remove => Ok(Write::Remove),
            Change::Add(value) => self.add(get(self.item, place), &self.update.values[*value]).map(Write::Put),
            Change::Delete(value) => self.delete(get(self.item, place), &self.update.values[*value]),
        }
    }

    fn operand(&self, operand: &Operand) -> Result<Value, Invalid> {
        match operand {
            Operand::Value(value) => Ok(self.update.values[*value].clone()),
            Operand::Path(path) => self.get(path).cloned().ok_or(Invalid::NoAttribute),
            Operand::Call(call) => self.call(call),
            Operand::Sum(sum) => {
                let (left, right) = (self.operand(&sum.left)?, self.operand(&sum.right)?);
                let (Value::N(left), Value::N(right)) = (left, right) else { return Err(Invalid::OperandType) };
                let sum = match sum.sign {
                    Sign::Plus => left.checked_add(right),
                    Sign::Minus => left.checked_sub(right),
                };
                Ok(Value::N(sum?))
            }
        }
    }

    fn call(&self, call: &Call) -> Result<Value, Invalid> {
        let [first, second] = &call.operands[..] else { return Err(Invalid::OperandType) };
        match call.function {
            Function::IfNotExists => match first {
                Operand::Path(path) => self.get(path).cloned().map_or_else(|| self.operand(second), Ok),
                Operand::Value(_) | Operand::Call(_) | Operand::Sum(_) => Err(Invalid::OperandType),
            },
            Function::ListAppend => {
                let (first, second) = (self.operand(first)?, self.operand(second)?);
                let (Value::L(mut all), Value::L(rest)) = (first, second) else { return Err(Invalid::OperandType) };
                all.extend(rest);
                Ok(Value::L(all))
            }
            // Functions of conditions, which the parser refuses in updates.
            Function::AttributeExists
            | Function::AttributeNotExists
            | Function::AttributeType
            | Function::BeginsWith
            | Function::Contains
            | Function::Size => Err(Invalid::OperandType),
        }
    }

    fn get(&self, path: &crate::expression::syntax::Path) -> Option<&Value> {
        get(self.item, &parts(&self.update.names, path))
    }

    fn add(&self, there: Option<&Value>, more: &Value) -> Result<Value, Invalid> {
        Ok(match (there, more) {
            (None, more) => more.clone(),
            (Some(Value::N(there)), Value::N(more)) => Value::N(there.checked_add(*more)?),
            (Some(Value::Ss(there)), Value::Ss(more)) => Value::Ss(there.union(more)),
            (Some(Value::Ns(there)), Value::Ns(more)) => Value::Ns(there.union(more)),
            (Some(Value::Bs(there)), Value::Bs(more)) => Value::Bs(there.union(more)),
            (Some(Value::L(there)), Value::L(more)) if matches!(self.update.dialect, Dialect::Legacy) => {
                Value::L(there.iter().chain(more).cloned().collect())
            }
            (Some(_), _) => return Err(self.update.dialect.mismatch()),
        })
    }

    fn delete(&self, there: Option<&Value>, less: &Value) -> Result<Write, Invalid> {
        let left = match (there, less) {
            (None, _) => return Ok(Write::Nothing),
            (Some(Value::Ss(there)), Value::Ss(less)) => there.without(less).map(Value::Ss),
            (Some(Value::Ns(there)), Value::Ns(less)) => there.without(less).map(Value::Ns),
            (Some(Value::Bs(there)), Value::Bs(less)) => there.without(less).map(Value::Bs),
            (Some(_), _) => return Err(self.update.dialect.mismatch()),
        };
        Ok(left.map_or(Write::Remove, Write::Put))
    }
}

/// What changes about the length of one list.
#[derive(Default)]
struct Reshaped {
    removed: BTreeSet<usize>,
    /// What is put behind the end, in the order of the indexes that were asked for. There are no gaps.
    appended: BTreeMap<usize, Value>,
}

/// The item with all writes. Indexes mean the list as it was, so lists change their length last, and inner ones before outer ones.
fn written(mut item: Item, places: &[Vec<Part<'_>>], writes: Vec<Write>) -> Item {
    let mut lists: BTreeMap<&[Part<'_>], Reshaped> = BTreeMap::new();
    for (place, write) in places.iter().zip(writes) {
        let Some((last, parent)) = place.split_last() else { continue };
        match (last, write) {
            (_, Write::Nothing) => {}
            (Part::Name(name), write) => put_entry(&mut item, parent, name, write),
            (Part::Index(index), Write::Remove) => {
                lists.entry(parent).or_default().removed.insert(*index);
            }
            (Part::Index(index), Write::Put(value)) => match get_mut(&mut item, place) {
                Some(there) => *there = value,
                None => {
                    lists.entry(parent).or_default().appended.insert(*index, value);
                }
            },
        }
    }
    let mut lists: Vec<(&[Part<'_>], Reshaped)> = lists.into_iter().collect();
    lists.sort_by_key(|(place, _)| std::cmp::Reverse(place.len()));
    for (place, reshaped) in lists {
        let Some(Value::L(items)) = get_mut(&mut item, place) else { continue };
        let mut index = 0;
        items.retain(|_| {
            index += 1;
            !reshaped.removed.contains(&(index - 1))
        });
        items.extend(reshaped.appended.into_values());
    }
    item
}

fn put_entry(item: &mut Item, parent: &[Part<'_>], name: &str, write: Write) {
    let entries = match get_mut(item, parent) {
        Some(Value::M(entries)) => entries,
        Some(_) => return,
        None => item,
    };
    match write {
        Write::Put(value) => {
            entries.insert(name.to_owned(), value);
        }
        Write::Remove => {
            entries.remove(name);
        }
        Write::Nothing => {}
    }
}
