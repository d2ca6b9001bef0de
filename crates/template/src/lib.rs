//! Templates in CloudFormation and SAM form. Pure: text comes in, values come out, nothing is called and nothing is kept.
//!
//! A template's text ([`read`]) becomes a tree of [`Node`]s that know their lines; the tree becomes a [`Template`], whose sections
//! are checked as far as that is possible without knowing parameters; parameters are [bound](Template::bind); and an
//! [`Evaluator`] turns functions (`Ref`, `Fn::Sub`, …) into values. What depends on a resource that is not made yet
//! stays a function, and is evaluated again when it is.
//!
//! What always holds: no input makes this crate panic or run without bound ([`limits`]); messages are CloudFormation's own,
//! with the line where a person has to look.

pub mod cidr;
pub mod conditions;
pub mod error;
pub mod evaluate;
pub mod functions;
pub mod json;
pub mod limits;
pub mod node;
pub mod parameters;
pub mod references;
pub mod sections;
pub mod yaml;

pub use error::{Error, Problem};
pub use evaluate::{Evaluator, Lookup, Pseudo, Resources};
pub use node::{Entry, Node, Value};
pub use parameters::{Bound, Parameter};
pub use sections::{Output, Policy, Resource, Template};

/// Reads a template's text: JSON if it begins as JSON does, YAML otherwise.
pub fn read(text: &str) -> Result<Node, Error> {
    if text.len() > limits::TEXT_BYTES_MAX {
        return Err(Problem::TooLarge { bytes: text.len(), bytes_max: limits::TEXT_BYTES_MAX }.nowhere());
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        // Flow mappings of YAML begin so too (`{Resources: …}`), and JSON is what people write there.
        json::read(text).or_else(|wrong| yaml::read(text).map_err(|_| wrong))
    } else {
        yaml::read(text)
    }
}
