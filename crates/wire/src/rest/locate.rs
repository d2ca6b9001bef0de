//! Members that travel beside the body, on their way in.

use base64::Engine;
use http::HeaderMap;

use crate::json::BASE64;
use crate::schema::{Kind, Place, TimestampFormat};
use crate::text::parse_timestamp;
use crate::tree::Node;
use crate::{Malformed, Member, Schema};

/// Everything of a message that is not its body.
pub(crate) struct Carrier<'a> {
    pub headers: &'a HeaderMap,
    /// Labels of the path by name.
    pub labels: Vec<(&'static str, String)>,
    /// The query string's pairs.
    pub query: Vec<(String, String)>,
    /// The status, of a response.
    pub status: Option<u16>,
}

/// The members that the carrier has, by their places in the schema.
pub(crate) fn located(schema: &'static Schema, carrier: &Carrier<'_>) -> Result<Vec<(usize, Node)>, Malformed> {
    let mut found = Vec::new();
    for (index, at) in schema.members().iter().enumerate() {
        let node = match at.place {
            Place::Body => None,
            Place::Header => header(at, carrier.headers)?,
            Place::Headers => headers(at, carrier.headers),
            Place::Uri => carrier.labels.iter().find(|(name, _)| *name == at.wire).map(|(_, value)| text(value)),
            Place::Query => query(at, &carrier.query),
            Place::QueryRest => query_rest(at, &carrier.query),
            Place::Status => carrier.status.map(|status| Node::Text(status.to_string())),
        };
        found.extend(node.map(|node| (index, node)));
    }
    Ok(found)
}

fn text(value: &str) -> Node {
    Node::Text(value.to_owned())
}

fn header(at: &'static Member, headers: &HeaderMap) -> Result<Option<Node>, Malformed> {
    let mut lines = headers.get_all(at.wire).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let Some(first) = lines.next() else { return Ok(None) };
    let joined = lines.fold(first, |all, line| all + "," + &line);
    if at.json_value {
        let bytes = BASE64.decode(joined.trim()).map_err(|_| Malformed::Base64 { member: at.name })?;
        return String::from_utf8(bytes)
            .map(|json| Some(Node::Text(json)))
            .map_err(|_| Malformed::Utf8 { member: at.name });
    }
    if is_condition(at) && parse_timestamp(joined.trim(), TimestampFormat::Rfc822).is_err() {
        return Ok(None);
    }
    let Kind::List(item) = at.target.kind else { return Ok(Some(text(joined.trim()))) };
    let is_date = matches!(item.target.kind, Kind::Timestamp)
        && item.timestamp_format(TimestampFormat::Rfc822) == TimestampFormat::Rfc822;
    let items = if is_date { split_dates(&joined) } else { split_list(&joined) };
    Ok(Some(Node::List(items.into_iter().map(Node::Text).collect())))
}

/// `If-Modified-Since` and its like: HTTP takes one that is no date for none at all.
fn is_condition(at: &Member) -> bool {
    const END: &str = "modified-since";
    let end = at.wire.len().checked_sub(END.len()).and_then(|start| at.wire.get(start..));
    matches!(at.target.kind, Kind::Timestamp) && end.is_some_and(|end| end.eq_ignore_ascii_case(END))
}

/// Dates have a comma of their own, behind the day's name.
fn split_dates(line: &str) -> Vec<String> {
    let parts: Vec<&str> = line.split(',').map(str::trim).collect();
    parts.chunks(2).map(|pair| pair.join(", ")).collect()
}

/// Items between commas; one in quotes may hold commas, and quotes behind backslashes.
fn split_list(line: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut item = String::new();
            let mut letters = quoted.char_indices();
            let mut end = quoted.len();
            while let Some((at, letter)) = letters.next() {
                match letter {
                    '\\' => item.extend(letters.next().map(|(_, letter)| letter)),
                    '"' => {
                        end = at + 1;
                        break;
                    }
                    other => item.push(other),
                }
            }
            items.push(item);
            rest = quoted[end..].split_once(',').map_or("", |(_, rest)| rest).trim();
        } else {
            let (item, more) = rest.split_once(',').unwrap_or((rest, ""));
            items.push(item.trim().to_owned());
            rest = more.trim();
        }
    }
    items
}

/// All headers that begin with the wire name; an empty name takes them all.
fn headers(at: &'static Member, headers: &HeaderMap) -> Option<Node> {
    let prefix = at.wire.to_ascii_lowercase();
    let mut entries = Vec::new();
    for (name, value) in headers {
        if let Some(key) = name.as_str().strip_prefix(&prefix) {
            entries.push((key.to_owned(), text(&String::from_utf8_lossy(value.as_bytes()))));
        }
    }
    (!entries.is_empty()).then_some(Node::Map(entries))
}

fn query(at: &'static Member, pairs: &[(String, String)]) -> Option<Node> {
    let mut values = pairs.iter().filter(|(name, _)| name == at.wire).map(|(_, value)| text(value)).peekable();
    values.peek()?;
    match at.target.kind {
        Kind::List(_) => Some(Node::List(values.collect())),
        Kind::Boolean
        | Kind::Integer
        | Kind::Long
        | Kind::Float
        | Kind::Double
        | Kind::String
        | Kind::Blob
        | Kind::Timestamp
        | Kind::Document
        | Kind::Map { .. }
        | Kind::Structure(_)
        | Kind::Union(_) => values.next(),
    }
}

/// Every pair, also those that other members took: a server's map has them all.
fn query_rest(at: &'static Member, pairs: &[(String, String)]) -> Option<Node> {
    let Kind::Map { value, .. } = at.target.kind else { return None };
    let mut entries: Vec<(String, Node)> = Vec::new();
    for (name, given) in pairs {
        let known = entries.iter_mut().find(|(key, _)| key == name).map(|(_, node)| node);
        match (known, value.target.kind) {
            (Some(Node::List(items)), _) => items.push(text(given)),
            // Of a name that is there twice, the first counts.
            (Some(_), _) => {}
            (None, Kind::List(_)) => entries.push((name.clone(), Node::List(vec![text(given)]))),
            (None, _) => entries.push((name.clone(), text(given))),
        }
    }
    (!entries.is_empty()).then_some(Node::Map(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split() {
        for (line, expected) in [
            ("a, b,c", ["a", "b", "c"].as_slice()),
            (r#""b,c", "\"def\"", a"#, &["b,c", "\"def\"", "a"]),
            ("", &[]),
            ("\"open", &["open"]),
            ("\"a\\", &["a"]),
        ] {
            assert_eq!(split_list(line), expected, "{line}");
        }
        let dates = "Mon, 16 Dec 2019 23:48:18 GMT, Tue, 17 Dec 2019 23:48:18 GMT";
        assert_eq!(split_dates(dates).len(), 2);
    }
}
