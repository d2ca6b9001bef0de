//! Which storage class a lifecycle moves a version to. Pure. Bytes stay where they are, for all classes are kept alike; what changes is
//! what is said of them, and who listens is told.

use std::cmp::Reverse;

use wire::s3::{LifecycleRule, TransitionDefaultMinimumObjectSize};

use super::is_due;
use crate::model::Version;

/// From warm to cold: versions are moved to the right alone.
const CLASSES: [&str; 7] =
    ["STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];
/// The classes that small objects may be moved to where that varies by class.
const FOR_SMALL: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];
/// What is smaller is moved only if a rule or the bucket says so.
const SMALL_BYTES: u64 = 128 << 10;

/// When a version began to wait for its moves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Since {
    /// It is the current one since it was made.
    Made { at_ms: i64 },
    /// Another one took its place, as others did since.
    Replaced { at_ms: i64, newer: i32 },
}

/// The coldest class that it is time for; none if the version is there already, or further.
pub(super) fn class<'a>(
    rules: impl Iterator<Item = &'a LifecycleRule>,
    version: &Version,
    since: Since,
    smallest: Option<&TransitionDefaultMinimumObjectSize>,
    now_ms: i64,
) -> Option<&'static str> {
    let varies = smallest == Some(&TransitionDefaultMinimumObjectSize::VariesByStorageClass);
    let may = |rule: &LifecycleRule, class: &str| {
        version.size >= SMALL_BYTES || names_sizes(rule) || (varies && FOR_SMALL.contains(&class))
    };
    let rank = |class: &str| CLASSES.iter().position(|known| *known == class);
    let now = rank(version.about.class.as_deref().unwrap_or("STANDARD")).unwrap_or_default();
    let due = rules.flat_map(|rule| due(rule, since, now_ms).into_iter().filter(move |class| may(rule, class)));
    due.filter_map(rank).filter(|rank| *rank > now).min_by_key(|rank| Reverse(*rank)).map(|rank| CLASSES[rank])
}

/// A rule that says for which sizes it is means them.
fn names_sizes(rule: &LifecycleRule) -> bool {
    let Some(filter) = &rule.filter else { return false };
    let and = filter.and.as_ref();
    filter.object_size_greater_than.or(and.and_then(|and| and.object_size_greater_than)).is_some()
        || filter.object_size_less_than.or(and.and_then(|and| and.object_size_less_than)).is_some()
}

/// The classes that a rule has moved such a version to by now.
fn due(rule: &LifecycleRule, since: Since, now_ms: i64) -> Vec<&str> {
    match since {
        Since::Made { at_ms } => {
            let moves = rule.transitions.iter().flatten().filter(|moved| {
                moved.date.is_some_and(|date| date.as_millisecond() <= now_ms)
                    || moved.days.is_some_and(|days| is_due(at_ms, days, now_ms))
            });
            moves.filter_map(|moved| moved.storage_class.as_deref()).collect()
        }
        Since::Replaced { at_ms, newer } => {
            let moves = rule.noncurrent_version_transitions.iter().flatten().filter(|moved| {
                moved.noncurrent_days.is_some_and(|days| is_due(at_ms, days, now_ms))
                    && moved.newer_noncurrent_versions.is_none_or(|kept| newer >= kept)
            });
            moves.filter_map(|moved| moved.storage_class.as_deref()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn versions_are_moved_when_it_is_time() {
        let rule = |text: &str| {
            let mut rule = LifecycleRule::default();
            let document: serde_json::Value = serde_json::from_str(text).expect("JSON");
            wire::document::read_into(&mut rule, document).expect("a rule");
            rule
        };
        let down = rule(
            r#"{"Status":"Enabled","Prefix":"","Transitions":[{"Days":30,"StorageClass":"STANDARD_IA"},
                {"Days":60,"StorageClass":"GLACIER"}],"NoncurrentVersionTransitions":[
                {"NoncurrentDays":5,"NewerNoncurrentVersions":2,"StorageClass":"DEEP_ARCHIVE"}]}"#,
        );
        let sized = rule(
            r#"{"Status":"Enabled","Filter":{"ObjectSizeGreaterThan":1},"Transitions":[
                {"Date":86400,"StorageClass":"INTELLIGENT_TIERING"}]}"#,
        );
        let varies = Some(TransitionDefaultMinimumObjectSize::VariesByStorageClass);
        let (down, sized) = (vec![down], vec![sized]);
        let (made, large) = (Since::Made { at_ms: 0 }, SMALL_BYTES);
        let replaced = |newer| Since::Replaced { at_ms: 0, newer };
        for (rules, class_now, size, since, smallest, days, expected) in [
            (&down, None, large, made, None, 29, None),
            (&down, None, large, made, None, 30, Some("STANDARD_IA")),
            (&down, Some("STANDARD_IA"), large, made, None, 59, None),
            (&down, Some("STANDARD_IA"), large, made, None, 60, Some("GLACIER")),
            (&down, None, large, made, None, 90, Some("GLACIER")),
            (&down, Some("DEEP_ARCHIVE"), large, made, None, 90, None),
            (&down, None, large - 1, made, None, 90, None),
            (&down, None, large - 1, made, varies.as_ref(), 59, None),
            (&down, None, large - 1, made, varies.as_ref(), 60, Some("GLACIER")),
            (&down, None, large, replaced(1), None, 9, None),
            (&down, None, large, replaced(2), None, 4, None),
            (&down, None, large, replaced(2), None, 5, Some("DEEP_ARCHIVE")),
            (&sized, None, 2, made, None, 1, Some("INTELLIGENT_TIERING")),
            (&sized, None, 2, made, None, 0, None),
        ] {
            let mut version = Version { size, ..Version::default() };
            version.about.class = class_now.map(str::to_owned);
            let found = class(rules.iter(), &version, since, smallest, days * DAY_MS);
            assert_eq!(found, expected, "{class_now:?} {size} {since:?} {days}");
        }
    }
}
