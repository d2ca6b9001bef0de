//! Path patterns of the models, `/2015-03-31/functions/{FunctionName}/invocations?x=y`, and the paths that they fit.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but the letters that need no escape (RFC 3986), as AWS's clients encode.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The same for greedy labels, whose slashes stay.
const ESCAPED_GREEDY: &AsciiSet = &ESCAPED.remove(b'/');

/// A pattern, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The path's parts.
    pub segments: Vec<Segment>,
    /// What the query string must have: a name, and its value.
    pub query: Vec<(&'static str, &'static str)>,
}

/// One part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// These letters.
    Literal(&'static str),
    /// Any one part.
    Label(&'static str),
    /// Any number of parts, at least one.
    Greedy(&'static str),
}

impl Pattern {
    /// Takes a pattern apart.
    pub fn parse(uri: &'static str) -> Self {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let segments = parts(path).map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(label) => match label.strip_suffix('+') {
                Some(label) => Segment::Greedy(label),
                None => Segment::Label(label),
            },
            None => Segment::Literal(part),
        });
        let query = query.split('&').filter(|pair| !pair.is_empty());
        Self {
            segments: segments.collect(),
            query: query.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect(),
        }
    }

    /// The labels' values in that path, decoded; nothing where the path does not fit.
    pub fn labels(&self, path: &str) -> Option<Vec<(&'static str, String)>> {
        let given: Vec<&str> = parts(path).collect();
        let mut labels = Vec::new();
        let mut at = 0;
        for (index, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Literal(literal) if given.get(at) == Some(literal) => at += 1,
                Segment::Literal(_) => return None,
                Segment::Label(name) => {
                    labels.push((*name, decode(given.get(at)?)));
                    at += 1;
                }
                Segment::Greedy(name) => {
                    let end = given.len().checked_sub(self.segments.len() - index - 1).filter(|end| *end > at)?;
                    labels.push((*name, decode(&given[at..end].join("/"))));
                    at = end;
                }
            }
        }
        (at == given.len()).then_some(labels)
    }

    /// The path and the fixed part of the query string for these values; missing ones are empty.
    pub fn fill(&self, value: &dyn Fn(&str) -> String) -> String {
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            match segment {
                Segment::Literal(literal) => path.push_str(literal),
                Segment::Label(name) => path.extend(utf8_percent_encode(&value(name), ESCAPED)),
                Segment::Greedy(name) => path.extend(utf8_percent_encode(&value(name), ESCAPED_GREEDY)),
            }
        }
        if path.is_empty() {
            path.push('/');
        }
        path
    }
}

/// The parts of a path. A slash at its end says nothing: models have one here and there, and clients leave it out.
pub(crate) fn parts(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let count = if path.is_empty() { 0 } else { usize::MAX };
    path.split('/').take(count)
}

/// Percent-escapes undone; what is no UTF-8 becomes U+FFFD.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The pairs of a query string or form, decoded, in order.
pub fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let plus = |text: &str| -> String {
        let spaced = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
        decode(&spaced)
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (plus(name), plus(value))
    })
}

/// Adds a pair to a query string or form.
pub(crate) fn push_pair(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.extend(utf8_percent_encode(name, ESCAPED));
    query.push('=');
    query.extend(utf8_percent_encode(value, ESCAPED));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_fit_patterns() {
        let check = |pattern: &'static str, path: &str, expected: Option<&[(&str, &str)]>| {
            let expected = expected.map(|all| all.iter().map(|(a, b)| (*a, (*b).to_owned())).collect::<Vec<_>>());
            assert_eq!(Pattern::parse(pattern).labels(path), expected, "{pattern} {path}");
        };
        check("/", "/", Some(&[]));
        check("/", "", Some(&[]));
        check("/a/{X}/b", "/a/1/b", Some(&[("X", "1")]));
        check("/a/{X}/b", "/a/1/b/", Some(&[("X", "1")]));
        check("/a/{X}", "/a/arn%3Aaws%2Fx", Some(&[("X", "arn:aws/x")]));
        check("/a/{X}", "/a/%", Some(&[("X", "%")]));
        check("/a/{X}", "/a/1/2", None);
        check("/a/{X+}", "/a/1/2", Some(&[("X", "1/2")]));
        check("/a/{X+}/z", "/a/1/2/z", Some(&[("X", "1/2")]));
        check("/a/{X+}/z", "/a/z", None);
        check("/a", "/b", None);
        check("/a/{X}/b", "/a//b", Some(&[("X", "")]));
    }

    #[test]
    fn pairs_are_decoded() {
        let all: Vec<_> = pairs("a=1&b=x+y%2B&c&&d=%zz").collect();
        let expected = [("a", "1"), ("b", "x y+"), ("c", ""), ("d", "%zz")];
        assert_eq!(all, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
