//! What a request tells about itself, by condition key: `aws:SourceIp`, `lambda:FunctionUrlAuthType`, tags.

use std::borrow::Cow;

/// Keys and their values. Keys compare without case, as AWS's do. A handful of entries, so a list is the fastest map.
#[derive(Clone, Debug, Default)]
pub struct Context<'a> {
    entries: Vec<(Cow<'a, str>, Vec<Cow<'a, str>>)>,
}

impl<'a> Context<'a> {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value. A key that is given more than once has several values.
    pub fn insert(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (key, value) = (key.into(), value.into());
        match self.entries.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&key)) {
            Some((_, values)) => values.push(value),
            None => self.entries.push((key, vec![value])),
        }
    }

    /// The same, for building in one expression.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        self.insert(key, value);
        self
    }

    /// All values of a key; none means that the request does not carry it.
    pub(crate) fn values(&self, key: &str) -> &[Cow<'a, str>] {
        self.entries.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map_or(&[], |(_, values)| values)
    }

    /// The value of a key that has exactly one: a policy variable can stand for no other.
    pub fn single(&self, key: &str) -> Option<&str> {
        match self.values(key) {
            [value] => Some(value),
            _ => None,
        }
    }
}
