//! Shapes from XML: an element becomes the [`Node`] that its schema wants.

use super::Element;
use crate::schema::Kind;
use crate::tree::Node;
use crate::{Malformed, Member, Schema};

/// The members of a structure that stand in that element. `Malformed` where a part has another form than its schema.
pub(crate) fn members_of(element: &Element, schema: &'static Schema) -> Result<Vec<(usize, Node)>, Malformed> {
    let mut found = Vec::new();
    for (index, at) in schema.members().iter().enumerate() {
        if at.xml_attribute {
            let value = element.attributes.iter().find(|(name, _)| name == at.wire).map(|(_, value)| value);
            found.extend(value.map(|value| (index, Node::Text(value.clone()))));
        } else if let Some(node) = member(element, at)? {
            found.push((index, node));
        }
    }
    Ok(found)
}

fn member(element: &Element, at: &'static Member) -> Result<Option<Node>, Malformed> {
    let whole = super::write::name(at);
    let name = whole.rsplit(':').next().unwrap_or(whole);
    let mut standing = element.children.iter().filter(|child| child.local_name() == name).peekable();
    match (standing.peek(), at.flattened, at.target.kind) {
        (None, _, _) => Ok(None),
        (Some(_), true, Kind::List(item)) => {
            standing.map(|child| node_of(child, item)).collect::<Result<_, _>>().map(|items| Some(Node::List(items)))
        }
        (Some(_), true, Kind::Map { key, value }) => {
            standing.map(|child| entry(child, key, value)).collect::<Result<_, _>>().map(|all| Some(Node::Map(all)))
        }
        (Some(child), _, _) => node_of(child, at).map(Some),
    }
}

/// The value that an element holds.
pub(crate) fn node_of(element: &Element, at: &'static Member) -> Result<Node, Malformed> {
    Ok(match at.target.kind {
        Kind::Structure(_) | Kind::Union(_) => Node::Structure(members_of(element, at.target)?),
        Kind::List(item) => {
            let items = element.children.iter().filter(|child| child.local_name() == item.wire);
            Node::List(items.map(|child| node_of(child, item)).collect::<Result<_, _>>()?)
        }
        Kind::Map { key, value } => {
            let entries = element.children.iter().filter(|child| child.local_name() == "entry");
            Node::Map(entries.map(|child| entry(child, key, value)).collect::<Result<_, _>>()?)
        }
        Kind::Boolean
        | Kind::Integer
        | Kind::Long
        | Kind::Float
        | Kind::Double
        | Kind::String
        | Kind::Blob
        | Kind::Timestamp
        | Kind::Document => {
            if !element.children.is_empty() {
                return Err(Malformed::UnexpectedStructure);
            }
            // Blanks around numbers are layout; in text they are text.
            let keep = matches!(at.target.kind, Kind::String | Kind::Document);
            Node::Text(if keep { element.text.clone() } else { element.text.trim().to_owned() })
        }
    })
}

fn entry(element: &Element, key: &'static Member, value: &'static Member) -> Result<(String, Node), Malformed> {
    let name = element.child(key.wire).map(|child| child.text.clone()).unwrap_or_default();
    let node = match element.child(value.wire) {
        Some(child) => node_of(child, value)?,
        None => Node::Text(String::new()),
    };
    Ok((name, node))
}
