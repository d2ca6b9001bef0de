//! Places in an item that an update reads or writes: names and indexes, one after the other.

use crate::expression::syntax::{Path, Step};
use crate::{Item, Value};

/// One step of a place, the first of which is an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part<'a> {
    Name(&'a str),
    Index(usize),
}

/// The parts of a path.
pub(super) fn parts<'a>(names: &'a [Box<str>], path: &Path) -> Vec<Part<'a>> {
    let steps = path.steps.iter().map(|step| match step {
        Step::Name(name) => Part::Name(&names[*name]),
        Step::Index(index) => Part::Index(*index as usize),
    });
    std::iter::once(Part::Name(&names[path.head])).chain(steps).collect()
}

/// The value at a place.
pub(super) fn get<'a>(item: &'a Item, place: &[Part<'_>]) -> Option<&'a Value> {
    let (first, rest) = place.split_first()?;
    let Part::Name(name) = first else { return None };
    rest.iter().try_fold(item.get(*name)?, |value, part| match (part, value) {
        (Part::Name(name), Value::M(entries)) => entries.get(*name),
        (Part::Index(index), Value::L(items)) => items.get(*index),
        (Part::Name(_) | Part::Index(_), _) => None,
    })
}

/// The value at a place, to be changed.
pub(super) fn get_mut<'a>(item: &'a mut Item, place: &[Part<'_>]) -> Option<&'a mut Value> {
    let (first, rest) = place.split_first()?;
    let Part::Name(name) = first else { return None };
    rest.iter().try_fold(item.get_mut(*name)?, |value, part| match (part, value) {
        (Part::Name(name), Value::M(entries)) => entries.get_mut(*name),
        (Part::Index(index), Value::L(items)) => items.get_mut(*index),
        (Part::Name(_) | Part::Index(_), _) => None,
    })
}

/// What a place could be for a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is there, or may be.
    Writable,
    /// What it would lie in is not there.
    NoParent,
    /// What it would lie in is something else than a map or a list, as the last part needs.
    OtherParent,
}

/// Whether something can be written at a place.
pub(super) fn standing(item: &Item, place: &[Part<'_>]) -> Standing {
    let Some((last, parent)) = place.split_last() else { return Standing::OtherParent };
    if parent.is_empty() {
        return Standing::Writable;
    }
    match (get(item, parent), last) {
        (None, _) => Standing::NoParent,
        (Some(Value::M(_)), Part::Name(_)) | (Some(Value::L(_)), Part::Index(_)) => Standing::Writable,
        (Some(_), Part::Name(_) | Part::Index(_)) => Standing::OtherParent,
    }
}
