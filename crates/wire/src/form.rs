//! Forms: how requests of the query protocols are written, `Tags.member.1.Key=a&Tags.member.1.Value=b`.

mod read;
mod write;

pub(crate) use read::node;
pub(crate) use write::FormWriter;

use crate::Member;

/// The two ways in which forms are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Every service's.
    Query,
    /// EC2's: names begin with capitals, and lists have no step of their own.
    Ec2,
}

impl Dialect {
    /// A member's name in a form.
    pub(crate) fn name(self, at: &Member) -> String {
        match self {
            Self::Query => at.query_name.unwrap_or(at.wire).to_owned(),
            Self::Ec2 => at.query_name.map_or_else(|| capital(at.wire), str::to_owned),
        }
    }
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
