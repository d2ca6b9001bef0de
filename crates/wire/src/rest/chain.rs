//! A source made of two: first the members that travel beside the body, then the body.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::schema::Place;
use crate::tree::TreeSource;
use crate::{Malformed, Member, Schema, Source};

/// Reads the top-level structure from `beside`, and then from `body`.
pub(crate) struct Chain<'a> {
    beside: TreeSource,
    body: &'a mut dyn Source,
    stage: Stage,
}

/// Where the chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Among the members beside the body, which holds the rest or one member.
    Beside(Rest),
    /// In the body, which holds the rest of the members; so many composites are open below it.
    Members(usize),
    /// In the body, which holds one member; so many composites are open in it.
    Member(usize),
    /// Behind everything.
    Done,
}

/// What the body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// The remaining members.
    Members,
    /// That member.
    Member(usize),
}

impl<'a> Chain<'a> {
    pub(crate) fn new(beside: TreeSource, body: &'a mut dyn Source, rest: Rest) -> Self {
        Self { beside, body, stage: Stage::Beside(rest) }
    }

    fn now(&mut self) -> &mut dyn Source {
        match self.stage {
            Stage::Beside(_) | Stage::Done => &mut self.beside,
            Stage::Members(_) | Stage::Member(_) => self.body,
        }
    }

    /// Notes that a composite was opened (or left) inside a member that the body holds.
    fn opened(&mut self) {
        if let Stage::Members(depth) | Stage::Member(depth) = &mut self.stage {
            *depth += 1;
        }
    }

    fn left(&mut self) {
        if let Stage::Members(depth) | Stage::Member(depth) = &mut self.stage {
            *depth = depth.saturating_sub(1);
        }
    }

    /// The next member of the top-level structure in the body; one that travels elsewhere is no member there.
    fn next_of_body(&mut self, schema: &'static Schema) -> Result<Option<usize>, Malformed> {
        while let Some(index) = self.body.next_member(schema)? {
            if schema.members()[index].place == Place::Body {
                return Ok(Some(index));
            }
            self.body.skip()?;
        }
        Ok(None)
    }
}

impl Source for Chain<'_> {
    fn take_null(&mut self) -> Result<bool, Malformed> {
        self.now().take_null()
    }

    fn boolean(&mut self, at: &'static Member) -> Result<bool, Malformed> {
        self.now().boolean(at)
    }

    fn integer(&mut self, at: &'static Member) -> Result<i64, Malformed> {
        self.now().integer(at)
    }

    fn double(&mut self, at: &'static Member) -> Result<f64, Malformed> {
        self.now().double(at)
    }

    fn string(&mut self, at: &'static Member) -> Result<String, Malformed> {
        self.now().string(at)
    }

    fn blob(&mut self, at: &'static Member) -> Result<Bytes, Malformed> {
        self.now().blob(at)
    }

    fn timestamp(&mut self, at: &'static Member) -> Result<Timestamp, Malformed> {
        self.now().timestamp(at)
    }

    fn document(&mut self, at: &'static Member) -> Result<Value, Malformed> {
        self.now().document(at)
    }

    fn skip(&mut self) -> Result<(), Malformed> {
        self.now().skip()
    }

    fn begin_structure(&mut self, schema: &'static Schema) -> Result<(), Malformed> {
        self.now().begin_structure(schema)?;
        self.opened();
        Ok(())
    }

    fn next_member(&mut self, schema: &'static Schema) -> Result<Option<usize>, Malformed> {
        match self.stage {
            Stage::Beside(rest) => {
                let next = self.beside.next_member(schema)?;
                if next.is_some() {
                    return Ok(next);
                }
                match rest {
                    Rest::Members => {
                        self.stage = Stage::Members(0);
                        self.body.begin_structure(schema)?;
                        self.next_of_body(schema)
                    }
                    Rest::Member(index) => {
                        self.stage = Stage::Member(0);
                        Ok(Some(index))
                    }
                }
            }
            Stage::Members(0) => self.next_of_body(schema),
            // The one member was read: the structure around it ends.
            Stage::Member(0) => {
                self.stage = Stage::Done;
                Ok(None)
            }
            Stage::Members(_) | Stage::Member(_) => {
                let next = self.body.next_member(schema)?;
                if next.is_none() {
                    self.left();
                }
                Ok(next)
            }
            Stage::Done => Ok(None),
        }
    }

    fn begin_list(&mut self, at: &'static Member) -> Result<(), Malformed> {
        self.now().begin_list(at)?;
        self.opened();
        Ok(())
    }

    fn next_item(&mut self, at: &'static Member) -> Result<bool, Malformed> {
        let more = self.now().next_item(at)?;
        if !more {
            self.left();
        }
        Ok(more)
    }

    fn begin_map(&mut self, at: &'static Member) -> Result<(), Malformed> {
        self.now().begin_map(at)?;
        self.opened();
        Ok(())
    }

    fn next_key(&mut self, at: &'static Member) -> Result<Option<String>, Malformed> {
        let key = self.now().next_key(at)?;
        if key.is_none() {
            self.left();
        }
        Ok(key)
    }
}
