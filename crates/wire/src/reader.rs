//! What the shapes ask for while they are read, and what a protocol's decoder must offer for it.
//!
//! A [`Source`] is a protocol's decoder: it knows bytes. A [`Reader`] is what the shapes see: it knows depth, which members are
//! required, and where it stands, so that a missing one can be named. Nothing here checks values; see [`crate::check`].

use std::collections::HashSet;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::schema::Kind;
use crate::{Member, Payload, Schema, Shape};

/// How deep structures, lists and maps may be nested, in every protocol.
pub const DEPTH_MAX: usize = 128;

/// Why bytes are not the shape that they should be. The text is AWS's, where AWS has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not the format at all.
    #[error("The body is not well-formed at byte {at}: expected {expected}.")]
    Syntax {
        /// Where.
        at: usize,
        /// What would have been right.
        expected: &'static str,
    },
    /// A value of another type.
    #[error("{found} can not be converted to {wanted}")]
    Type {
        /// What was there, such as `NUMBER_VALUE`.
        found: &'static str,
        /// What belongs there, such as `a String`.
        wanted: &'static str,
    },
    /// A structure where none belongs.
    #[error("Start of structure or map found where not expected.")]
    UnexpectedStructure,
    /// A list where none belongs.
    #[error("Start of list found where not expected")]
    UnexpectedList,
    /// No list where one belongs.
    #[error("Expected list or null")]
    NoList,
    /// No map where one belongs.
    #[error("Expected map or null")]
    NoMap,
    /// No structure where one belongs.
    #[error("Expected null")]
    NoStructure,
    /// A number that the type cannot hold.
    #[error("{value} can not be converted to {wanted}")]
    Range {
        /// The number, cut to a readable length.
        value: String,
        /// The type.
        wanted: &'static str,
    },
    /// Text that is not base64 where bytes belong.
    #[error("The value at '{member}' is not base64.")]
    Base64 {
        /// Which member.
        member: &'static str,
    },
    /// Text that is no timestamp of the form that belongs there.
    #[error("'{value}' is not a timestamp of the form {form}.")]
    Timestamp {
        /// The text, cut to a readable length.
        value: String,
        /// The form.
        form: &'static str,
    },
    /// Bytes that are not UTF-8 where text belongs.
    #[error("The value at '{member}' is not UTF-8.")]
    Utf8 {
        /// Which member.
        member: &'static str,
    },
    /// More or fewer than one member of a union.
    #[error("The union {name} must have exactly one member set, and has {found}.")]
    Union {
        /// The union.
        name: &'static str,
        /// How many were set.
        found: usize,
    },
    /// Nested too deep.
    #[error("The body is nested deeper than {limit} levels.")]
    TooDeep {
        /// The deepest allowed.
        limit: usize,
    },
    /// A schema and a Rust type that do not belong together; no input can cause it.
    #[error("The shape {name} was read as something else.")]
    Schema {
        /// The shape.
        name: &'static str,
    },
}

impl Malformed {
    /// A quoted piece of input, cut to a readable length.
    pub(crate) fn quote(text: &str) -> String {
        const CHARS_MAX: usize = 64;
        match text.char_indices().nth(CHARS_MAX) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.to_owned(),
        }
    }
}

/// A protocol's decoder. Each call takes one value, or one step into or out of a composite one.
pub trait Source {
    /// Takes a null if one stands here.
    fn take_null(&mut self) -> Result<bool, Malformed>;
    /// Takes a truth value.
    fn boolean(&mut self, at: &'static Member) -> Result<bool, Malformed>;
    /// Takes a whole number; the reader checks that its type can hold it.
    fn integer(&mut self, at: &'static Member) -> Result<i64, Malformed>;
    /// Takes a number.
    fn double(&mut self, at: &'static Member) -> Result<f64, Malformed>;
    /// Takes text.
    fn string(&mut self, at: &'static Member) -> Result<String, Malformed>;
    /// Takes bytes.
    fn blob(&mut self, at: &'static Member) -> Result<Bytes, Malformed>;
    /// Takes bytes that may still be coming.
    fn payload(&mut self, at: &'static Member) -> Result<Payload, Malformed> {
        self.blob(at).map(Payload::from)
    }
    /// Takes a point in time.
    fn timestamp(&mut self, at: &'static Member) -> Result<Timestamp, Malformed>;
    /// Takes any JSON.
    fn document(&mut self, at: &'static Member) -> Result<Value, Malformed>;
    /// Takes a value that nobody wants.
    fn skip(&mut self) -> Result<(), Malformed>;
    /// Steps into a structure.
    fn begin_structure(&mut self, schema: &'static Schema) -> Result<(), Malformed>;
    /// Steps to the next member that the schema knows, passing over others; out of the structure where there is none.
    fn next_member(&mut self, schema: &'static Schema) -> Result<Option<usize>, Malformed>;
    /// Steps into a list.
    fn begin_list(&mut self, at: &'static Member) -> Result<(), Malformed>;
    /// Steps to the next item; out of the list where there is none.
    fn next_item(&mut self, at: &'static Member) -> Result<bool, Malformed>;
    /// Steps into a map.
    fn begin_map(&mut self, at: &'static Member) -> Result<(), Malformed>;
    /// Steps to the next entry; out of the map where there is none.
    fn next_key(&mut self, at: &'static Member) -> Result<Option<String>, Malformed>;
}

/// What shapes are read from.
pub struct Reader<'a> {
    source: &'a mut dyn Source,
    depth: usize,
    path: Vec<Step>,
    missing: Missing,
}

/// Required members that were not there, by path. Whoever reads an answer ignores them; whoever serves refuses.
#[derive(Debug, Default)]
pub struct Missing(pub(crate) HashSet<String>);

/// One step of the way from the root to where the reader stands.
enum Step {
    Member(&'static Member),
    Item(usize),
    Key(String),
}

impl<'a> Reader<'a> {
    /// Reads from a decoder.
    pub fn new(source: &'a mut dyn Source) -> Self {
        Self { source, depth: 0, path: Vec::new(), missing: Missing::default() }
    }

    /// What was required and was not there.
    pub fn into_missing(self) -> Missing {
        self.missing
    }

    /// Takes a truth value.
    pub fn boolean(&mut self, at: &'static Member) -> Result<bool, Malformed> {
        self.source.boolean(at)
    }

    /// Takes a 32-bit whole number.
    pub fn integer(&mut self, at: &'static Member) -> Result<i32, Malformed> {
        let value = self.source.integer(at)?;
        i32::try_from(value).map_err(|_| Malformed::Range { value: value.to_string(), wanted: "an Integer" })
    }

    /// Takes a 64-bit whole number.
    pub fn long(&mut self, at: &'static Member) -> Result<i64, Malformed> {
        self.source.integer(at)
    }

    /// Takes a 32-bit number.
    pub fn float(&mut self, at: &'static Member) -> Result<f32, Malformed> {
        self.source.double(at).map(|value| value as f32)
    }

    /// Takes a 64-bit number.
    pub fn double(&mut self, at: &'static Member) -> Result<f64, Malformed> {
        self.source.double(at)
    }

    /// Takes text.
    pub fn string(&mut self, at: &'static Member) -> Result<String, Malformed> {
        self.source.string(at)
    }

    /// Takes bytes.
    pub fn blob(&mut self, at: &'static Member) -> Result<Bytes, Malformed> {
        self.source.blob(at)
    }

    /// Takes bytes that may still be coming.
    pub fn payload(&mut self, at: &'static Member) -> Result<Payload, Malformed> {
        self.source.payload(at)
    }

    /// Takes a point in time.
    pub fn timestamp(&mut self, at: &'static Member) -> Result<Timestamp, Malformed> {
        self.source.timestamp(at)
    }

    /// Takes any JSON.
    pub fn document(&mut self, at: &'static Member) -> Result<Value, Malformed> {
        self.source.document(at)
    }

    /// Takes a null if one stands here.
    pub fn take_null(&mut self) -> Result<bool, Malformed> {
        self.source.take_null()
    }

    /// Takes a value that nobody wants.
    pub fn ignore(&mut self, _at: &'static Member) -> Result<(), Malformed> {
        self.source.skip()
    }

    /// Reads the members of a structure or union into `shape`. Of a member that is there twice, the last counts.
    pub fn structure(&mut self, schema: &'static Schema, shape: &mut dyn Shape) -> Result<(), Malformed> {
        self.enter()?;
        self.source.begin_structure(schema)?;
        let members = schema.members();
        let mut seen = Seen::default();
        while let Some(index) = self.source.next_member(schema)? {
            if self.source.take_null()? {
                continue;
            }
            let at = &members[index];
            self.path.push(Step::Member(at));
            shape.read_member(index, self, at)?;
            self.path.pop();
            seen.insert(index);
        }
        if let Kind::Union(_) = schema.kind
            && seen.count() != 1
        {
            return Err(Malformed::Union { name: schema.name, found: seen.count() });
        }
        for (index, at) in members.iter().enumerate().filter(|(_, at)| at.required) {
            if !seen.contains(index) {
                self.path.push(Step::Member(at));
                self.missing.0.insert(self.here());
                self.path.pop();
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a list, item by item. A null among the items is noted as missing, and left out.
    pub fn list(
        &mut self,
        at: &'static Member,
        item: &mut dyn FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.enter()?;
        self.source.begin_list(at)?;
        let mut index = 0;
        while self.source.next_item(at)? {
            index += 1;
            self.path.push(Step::Item(index));
            if self.source.take_null()? {
                self.missing.0.insert(self.here());
            } else {
                item(self)?;
            }
            self.path.pop();
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a list in which a null is a value: `item` is told of each place, and takes nulls itself.
    pub fn sparse_list(
        &mut self,
        at: &'static Member,
        item: &mut dyn FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.enter()?;
        self.source.begin_list(at)?;
        while self.source.next_item(at)? {
            item(self)?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a map, entry by entry. An entry whose value is null is left out.
    pub fn map(
        &mut self,
        at: &'static Member,
        entry: &mut dyn FnMut(&mut Self, String) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.sparse_map(at, &mut |reader, key| {
            if reader.source.take_null()? {
                return Ok(());
            }
            reader.path.push(Step::Key(key.clone()));
            entry(reader, key)?;
            reader.path.pop();
            Ok(())
        })
    }

    /// Reads a map in which a null is a value: `entry` takes nulls itself.
    pub fn sparse_map(
        &mut self,
        at: &'static Member,
        entry: &mut dyn FnMut(&mut Self, String) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.enter()?;
        self.source.begin_map(at)?;
        while let Some(key) = self.source.next_key(at)? {
            entry(self, key)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn enter(&mut self) -> Result<(), Malformed> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(Malformed::TooDeep { limit: DEPTH_MAX }) } else { Ok(()) }
    }

    /// The path to where the reader stands, as faults name it.
    fn here(&self) -> String {
        let mut path = Path::default();
        for step in &self.path {
            match step {
                Step::Member(at) => path.member(at),
                Step::Item(index) => path.item(*index),
                Step::Key(key) => path.key(key),
            };
        }
        path.text
    }
}

/// Which members of a structure were seen.
#[derive(Default)]
struct Seen {
    first: u128,
    rest: Vec<usize>,
}

impl Seen {
    fn insert(&mut self, index: usize) {
        if index < 128 {
            self.first |= 1 << index;
        } else if !self.rest.contains(&index) {
            self.rest.push(index);
        }
    }

    fn contains(&self, index: usize) -> bool {
        if index < 128 { self.first & (1 << index) != 0 } else { self.rest.contains(&index) }
    }

    fn count(&self) -> usize {
        self.first.count_ones() as usize + self.rest.len()
    }
}

/// A path as faults name it: `tags.1.member.key`, the first letter of each member's name in lower case.
#[derive(Debug, Default)]
pub(crate) struct Path {
    pub(crate) text: String,
}

impl Path {
    /// Steps to a member. Gives back the length to [`Path::cut`] to afterwards.
    pub(crate) fn member(&mut self, at: &Member) -> usize {
        let length = self.dot();
        let mut letters = at.name.chars();
        self.text.extend(letters.next().map(|first| first.to_ascii_lowercase()));
        self.text.push_str(letters.as_str());
        length
    }

    /// Steps to an item, counted from one.
    pub(crate) fn item(&mut self, number: usize) -> usize {
        let length = self.dot();
        self.text.push_str(&number.to_string());
        self.text.push_str(".member");
        length
    }

    /// Steps to a map's value.
    pub(crate) fn key(&mut self, key: &str) -> usize {
        let length = self.dot();
        self.text.push_str(key);
        self.text.push_str(".member");
        length
    }

    /// Steps back.
    pub(crate) fn cut(&mut self, length: usize) {
        self.text.truncate(length);
    }

    fn dot(&mut self) -> usize {
        let length = self.text.len();
        if length > 0 {
            self.text.push('.');
        }
        length
    }
}
