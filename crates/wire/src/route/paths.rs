//! The paths of one service, as a tree: a request walks it part by part, literals before labels, so that the most specific
//! pattern wins whatever the model's order.

use std::collections::HashMap;

use super::{Request, rest_kind};
use crate::uri::{self, Pattern, Segment};
use crate::{OperationModel, Service};

/// The tree; empty where the service has no paths of its own.
#[derive(Debug, Default)]
pub(super) struct Paths {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<&'static str, Node>,
    label: Option<Box<Node>>,
    /// Operations whose pattern ends here.
    ends: Vec<End>,
    /// Operations whose greedy label begins here; what follows it is matched as a whole.
    greedy: Vec<End>,
}

#[derive(Debug)]
struct End {
    operation: &'static OperationModel,
    pattern: Pattern,
}

impl Paths {
    pub(super) fn new(service: &'static Service) -> Self {
        let mut paths = Self::default();
        if rest_kind(service).is_some() {
            service.operations.iter().for_each(|operation| paths.add(operation));
        }
        paths.root.sort();
        paths
    }

    fn add(&mut self, operation: &'static OperationModel) {
        let pattern = Pattern::parse(operation.uri);
        let mut node = &mut self.root;
        for segment in &pattern.segments {
            node = match segment {
                Segment::Literal(literal) => node.literals.entry(literal).or_default(),
                Segment::Label(_) => node.label.get_or_insert_default(),
                Segment::Greedy(_) => {
                    node.greedy.push(End { operation, pattern });
                    return;
                }
            };
        }
        node.ends.push(End { operation, pattern });
    }

    /// The operation of that method, path and query string.
    pub(super) fn find(&self, request: &Request<'_>) -> Option<&'static OperationModel> {
        let parts: Vec<&str> = uri::parts(request.path).collect();
        self.root.find(&parts, request)
    }
}

impl Node {
    /// Those that want more of the query string are asked first.
    fn sort(&mut self) {
        let wants = |end: &End| std::cmp::Reverse((end.pattern.segments.len(), end.pattern.query.len()));
        self.ends.sort_by_key(wants);
        self.greedy.sort_by_key(wants);
        self.literals.values_mut().for_each(Self::sort);
        self.label.iter_mut().for_each(|node| node.sort());
    }

    /// Visits each node of the tree at most once, however long the path is.
    fn find(&self, parts: &[&str], request: &Request<'_>) -> Option<&'static OperationModel> {
        let Some((first, rest)) = parts.split_first() else {
            return self.ends.iter().find(|end| end.fits(request)).map(|end| end.operation);
        };
        let literal = self.literals.get(first).and_then(|node| node.find(rest, request));
        let label = || self.label.as_ref().and_then(|node| node.find(rest, request));
        let greedy = || self.greedy.iter().find(|end| end.fits(request) && end.pattern.labels(request.path).is_some());
        literal.or_else(label).or_else(|| greedy().map(|end| end.operation))
    }
}

impl End {
    fn fits(&self, request: &Request<'_>) -> bool {
        let has = |&(name, value): &(&str, &str)| {
            uri::pairs(request.query).any(|pair| pair.0 == name && (value.is_empty() || pair.1 == value))
        };
        self.operation.method == request.method.as_str() && self.pattern.query.iter().all(has)
    }
}
