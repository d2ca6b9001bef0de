//! Projections: what of an item is wanted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::bind::{Binder, check_overlaps};
use super::condition::KeyNames;
use super::fault::{Clause, Invalid, Why};
use super::syntax::{Path, Step, Words, row};
use super::{Placeholders, parser};
use crate::packed::{Damaged, Packed, View};
use crate::{Item, Kind, Value};

/// The text of a projection once it is read. It may be kept by its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedProjection(Arc<(Words, Vec<Path>)>);

impl ParsedProjection {
    /// Reads a text, with the faults that it alone shows.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        parser::projection(text).map(|parsed| Self(Arc::new(parsed)))
    }

    /// The projection with a request's names.
    pub fn bind(&self, placeholders: &mut Placeholders) -> Result<Projection, Invalid> {
        let (words, paths) = &*self.0;
        let mut binder = Binder::new(words, placeholders);
        let bound: Result<Vec<Vec<String>>, Why> = paths
            .iter()
            .map(|path| {
                binder.path(path)?;
                Ok(binder.parts(path))
            })
            .collect();
        bound.and_then(|parts| check_overlaps(&parts)).map_err(|why| why.of(Clause::Projection))?;
        let (names, _) = binder.finish();
        Ok(Projection::of(&names, paths.iter()))
    }
}

/// A text that reads as the same projection.
impl fmt::Display for ParsedProjection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, &self.0.0, &self.0.1, ", ")
    }
}

/// What of an item is wanted, and how to take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    tree: Arc<BTreeMap<Box<str>, Branch>>,
    /// The attributes in the order of the text.
    heads: Arc<[Box<str>]>,
}

/// What is wanted of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Branch {
    Whole,
    Entries(BTreeMap<Box<str>, Branch>),
    Items(BTreeMap<u32, Branch>),
}

impl Projection {
    /// Whole attributes.
    pub fn attributes<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let heads: Vec<Box<str>> = names.into_iter().map(Into::into).collect();
        let tree = heads.iter().map(|name| (name.clone(), Branch::Whole)).collect();
        Self { tree: Arc::new(tree), heads: heads.into() }
    }

    /// Places, none of which is in another.
    pub(super) fn of<'a>(names: &[Box<str>], paths: impl Iterator<Item = &'a Path>) -> Self {
        let mut heads = Vec::new();
        let mut tree = BTreeMap::new();
        for path in paths {
            let head = &names[path.head];
            heads.push(head.clone());
            let branch = tree.entry(head.clone()).or_insert_with(|| Branch::new(&path.steps));
            branch.grow(names, &path.steps);
        }
        Self { tree: Arc::new(tree), heads: heads.into() }
    }

    /// The names of the attributes that are wanted, whole or in part, some perhaps twice.
    pub fn heads(&self) -> impl Iterator<Item = &str> {
        self.heads.iter().map(|head| &**head)
    }

    /// Refuses paths that look into attributes of keys.
    pub fn check_key_paths(&self, keys: &KeyNames<'_>) -> Result<(), Invalid> {
        let mut inside = self.heads().filter(|head| self.tree.get(*head) != Some(&Branch::Whole));
        inside.try_for_each(|head| keys.check_head(head))
    }

    /// What is wanted of a packed item. Of lists the wanted items, one behind the other.
    pub fn take(&self, item: Packed<'_>) -> Result<Item, Damaged> {
        let mut out = Item::new();
        let mut wanted = self.tree.iter().peekable();
        for entry in item.entries()? {
            let (name, view) = entry?;
            // Both are in the order of names.
            while wanted.next_if(|(head, _)| head.as_bytes() < name).is_some() {}
            let Some((head, branch)) = wanted.peek() else { break };
            if head.as_bytes() == name
                && let Some(value) = branch.take(view)?
            {
                out.insert(head.to_string(), value);
            }
        }
        Ok(out)
    }

    /// What is wanted of an item.
    pub fn take_of(&self, item: &Item) -> Item {
        let taken = self.tree.iter().filter_map(|(name, branch)| {
            let value = branch.take_of(item.get(&**name)?)?;
            Some((name.to_string(), value))
        });
        taken.collect()
    }
}

impl Branch {
    fn new(steps: &[Step]) -> Self {
        match steps.first() {
            None => Self::Whole,
            Some(Step::Name(_)) => Self::Entries(BTreeMap::new()),
            Some(Step::Index(_)) => Self::Items(BTreeMap::new()),
        }
    }

    fn grow(&mut self, names: &[Box<str>], steps: &[Step]) {
        let Some((step, rest)) = steps.split_first() else { return };
        match (self, step) {
            (Self::Entries(entries), Step::Name(name)) => {
                entries.entry(names[*name].clone()).or_insert_with(|| Self::new(rest)).grow(names, rest);
            }
            (Self::Items(items), Step::Index(index)) => {
                items.entry(*index).or_insert_with(|| Self::new(rest)).grow(names, rest);
            }
            // Paths that overlap or conflict were refused.
            (Self::Whole | Self::Entries(_) | Self::Items(_), _) => {}
        }
    }

    fn take(&self, view: View<'_>) -> Result<Option<Value>, Damaged> {
        match self {
            Self::Whole => view.unpack().map(Some),
            Self::Entries(wanted) if view.kind() == Kind::M => {
                let mut out = Item::new();
                for (name, branch) in wanted {
                    if let Some(inner) = view.entry(name)?
                        && let Some(value) = branch.take(inner)?
                    {
                        out.insert(name.to_string(), value);
                    }
                }
                Ok((!out.is_empty()).then_some(Value::M(out)))
            }
            Self::Items(wanted) if view.kind() == Kind::L => {
                let mut out = Vec::new();
                for (index, item) in view.items()?.enumerate() {
                    let branch = u32::try_from(index).ok().and_then(|index| wanted.get(&index));
                    if let Some(branch) = branch
                        && let Some(value) = branch.take(item?)?
                    {
                        out.push(value);
                    }
                }
                Ok((!out.is_empty()).then_some(Value::L(out)))
            }
            Self::Entries(_) | Self::Items(_) => Ok(None),
        }
    }

    fn take_of(&self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Self::Whole, value) => Some(value.clone()),
            (Self::Entries(wanted), Value::M(entries)) => {
                let taken = wanted.iter().filter_map(|(name, branch)| {
                    let value = branch.take_of(entries.get(&**name)?)?;
                    Some((name.to_string(), value))
                });
                let out: Item = taken.collect();
                (!out.is_empty()).then_some(Value::M(out))
            }
            (Self::Items(wanted), Value::L(items)) => {
                let taken = wanted.iter().filter_map(|(index, branch)| branch.take_of(items.get(*index as usize)?));
                let out: Vec<Value> = taken.collect();
                (!out.is_empty()).then_some(Value::L(out))
            }
            (Self::Entries(_) | Self::Items(_), _) => None,
        }
    }
}
