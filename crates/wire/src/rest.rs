//! HTTP bindings: which member of a shape travels in the path, the query string, a header, the status or the body. Both REST
//! protocols share them; they differ in what a body is.

mod chain;
mod locate;
mod scalars;

pub(crate) use chain::{Chain, Rest};
pub(crate) use locate::{Carrier, located};
pub(crate) use scalars::{RawWriter, header_texts, map_texts, texts};

use crate::schema::{Kind, Place};
use crate::{Member, Schema, Shape, Written};

/// What the body of a message holds.
pub(crate) enum Body {
    /// Nothing.
    Nothing,
    /// The value of one member, as bytes or text.
    Raw(usize, &'static Member),
    /// The value of one member, in the protocol's format.
    Member(usize, &'static Member),
    /// All members that travel nowhere else.
    Members,
}

impl Body {
    /// What the schema says.
    pub(crate) fn of(schema: &'static Schema) -> Self {
        match schema.payload_member() {
            Some((index, at)) => match at.target.kind {
                Kind::Blob | Kind::String => Self::Raw(index, at),
                Kind::Boolean
                | Kind::Integer
                | Kind::Long
                | Kind::Float
                | Kind::Double
                | Kind::Timestamp
                | Kind::Document
                | Kind::List(_)
                | Kind::Map { .. }
                | Kind::Structure(_)
                | Kind::Union(_) => Self::Member(index, at),
            },
            None if schema.members().iter().any(|at| at.place == Place::Body) => Self::Members,
            None => Self::Nothing,
        }
    }
}

/// The members of a shape that travel in the body.
pub(crate) fn in_body(shape: &dyn Shape) -> impl Iterator<Item = (&'static Member, &dyn Written)> {
    crate::writer::present(shape).filter(|(at, _)| at.place == Place::Body)
}
