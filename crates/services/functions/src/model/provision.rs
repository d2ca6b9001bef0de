//! Provisioned concurrency: how many instances of a version, or of what an alias points at, are kept ready.

use std::collections::BTreeMap;

use super::Alias;
use super::alias::Target;
use crate::name::Qualifier;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provision {
    /// How many instances; at least one.
    pub wanted: u32,
    /// When it was asked for, in milliseconds since the epoch.
    pub modified_ms: i64,
}

/// How many of an alias's instances each version gets: the second one by its weight, the first one what is left.
pub fn divide(alias: &Alias, wanted: u32) -> Vec<(u64, u32)> {
    let Target::Version(first) = alias.target else { return Vec::new() };
    let second = alias.routing.map_or(0, |routing| (f64::from(wanted) * routing.weight).round() as u32).min(wanted);
    let mut shares = vec![(first, wanted - second)];
    shares.extend(alias.routing.map(|routing| (routing.version, second)));
    shares.retain(|(_, share)| *share > 0);
    shares
}

/// How many instances each version is to have.
pub fn by_version(
    provisions: &BTreeMap<Qualifier, Provision>,
    aliases: &BTreeMap<String, Alias>,
) -> BTreeMap<u64, u32> {
    let mut all = BTreeMap::new();
    for (qualifier, provision) in provisions {
        let shares = match qualifier {
            Qualifier::Latest => Vec::new(),
            Qualifier::Version(number) => vec![(*number, provision.wanted)],
            Qualifier::Alias(name) => aliases.get(name).map_or_else(Vec::new, |alias| divide(alias, provision.wanted)),
        };
        for (number, share) in shares {
            *all.entry(number).or_default() += share;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::alias::Routing;

    fn alias(first: Target, second: Option<(u64, f64)>) -> Alias {
        let routing = second.map(|(version, weight)| Routing { version, weight });
        Alias { target: first, routing, description: String::new(), revision: Uuid::nil() }
    }

    #[test]
    fn an_alias_is_divided_as_its_calls_are() {
        let one = Target::Version(1);
        for (alias, wanted, expected) in [
            (alias(one, None), 5, &[(1, 5)][..]),
            (alias(one, Some((2, 0.2))), 10, &[(1, 8), (2, 2)]),
            (alias(one, Some((2, 0.0))), 10, &[(1, 10)]),
            (alias(one, Some((2, 1.0))), 10, &[(2, 10)]),
            (alias(one, Some((2, 0.01))), 10, &[(1, 10)]),
            (alias(Target::Latest, None), 10, &[]),
        ] {
            assert_eq!(divide(&alias, wanted), expected, "{alias:?}");
        }
    }

    #[test]
    fn a_version_has_what_its_own_and_all_its_aliases_ask_for() {
        let provision = |wanted| Provision { wanted, modified_ms: 0 };
        let aliases = BTreeMap::from([
            ("live".to_owned(), alias(Target::Version(2), Some((3, 0.5)))),
            ("next".to_owned(), alias(Target::Version(3), None)),
        ]);
        let named = |name: &str| Qualifier::Alias(name.to_owned());
        let provisions = BTreeMap::from([
            (Qualifier::Version(1), provision(4)),
            (named("live"), provision(6)),
            (named("next"), provision(1)),
            (named("gone"), provision(9)),
        ]);
        assert_eq!(by_version(&provisions, &aliases), BTreeMap::from([(1, 4), (2, 3), (3, 4)]));
    }
}
