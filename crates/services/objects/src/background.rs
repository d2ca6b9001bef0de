//! What runs by itself: lifecycles, which are really carried out. Once an hour every bucket that has one is gone through, a page at a
//! time; what is due goes in a transaction of its own, which looks once more whether it still is what was found.

mod moves;
mod restores;

use std::sync::Arc;
use std::time::Duration;

use ::store::Range;
use base::task::{Kind, Tasks};
use contract::{AccountId, Call, Origin, Principal, Region, Trace};
use wire::s3::{
    ExpirationStatus, GetBucketLifecycleConfigurationOutput, LifecycleRule, TransitionDefaultMinimumObjectSize,
};

use crate::Objects;
use crate::error::Error;
use crate::events::{Event, EventType, sequencer};
use crate::listing::{self, Asked, Line};
use crate::model::{Bucket, Version, Versioning};
use crate::ops::check_lock;
use crate::store::{LIFECYCLE, uploads_key};

/// Between two rounds.
const EVERY: Duration = Duration::from_secs(3600);
const DAY_MS: i64 = 86_400_000;
/// So many lines are read at a time.
const PAGE: usize = 500;

impl Objects {
    /// Carries lifecycles out from now on.
    pub fn start(self: &Arc<Self>, tasks: &Tasks) {
        let (objects, stop) = (Arc::clone(self), tasks.stopping());
        tasks.spawn(Kind::Work, "objects-lifecycle", async move {
            loop {
                tokio::select! {
                    () = objects.clock.sleep(EVERY) => {}
                    () = stop.cancelled() => return,
                }
                tokio::select! {
                    done = objects.expire() => if let Err(error) = done {
                        tracing::warn!(%error, "lifecycles were not carried out to their end; trying again in an hour");
                    },
                    () = stop.cancelled() => return,
                }
            }
        });
    }

    /// One round through all buckets.
    pub(crate) async fn expire(&self) -> Result<(), Error> {
        // What holds those up is no reason to keep what is due.
        if let Err(error) = self.end_restores().await {
            tracing::warn!(%error, "restores that are over were not ended; trying again in an hour");
        }
        let mut after: Option<String> = None;
        loop {
            let (buckets, more) = self.shelf.buckets("", after.as_deref(), PAGE).await?;
            for bucket in buckets.iter().filter(|bucket| bucket.has.contains(LIFECYCLE)) {
                // Deleted meanwhile, for one; the others' turn comes all the same.
                if let Err(error) = self.expire_in(bucket).await {
                    tracing::warn!(bucket = bucket.name, %error, "a lifecycle was not carried out to its end; trying again in an hour");
                }
            }
            match buckets.last() {
                Some(last) if more => after = Some(last.name.clone()),
                _ => return Ok(()),
            }
        }
    }

    async fn expire_in(&self, bucket: &Bucket) -> Result<(), Error> {
        let configured = self.configured_as::<GetBucketLifecycleConfigurationOutput>(&bucket.name, LIFECYCLE).await?;
        let Some(configured) = configured else { return Ok(()) };
        let rules: Vec<_> = enabled(&configured).cloned().collect();
        self.expire_versions(bucket, &rules, configured.transition_default_minimum_object_size.as_ref()).await?;
        self.expire_uploads(bucket, &rules).await
    }

    async fn expire_versions(
        &self,
        bucket: &Bucket,
        rules: &[LifecycleRule],
        smallest: Option<&TransitionDefaultMinimumObjectSize>,
    ) -> Result<(), Error> {
        let mut asked = Asked { limit: PAGE, ..Asked::default() };
        let mut last: Option<u64> = None;
        let mut place = Place::default();
        loop {
            // A new snapshot for each page: a round may take long.
            let snapshot = self.shelf.snapshot();
            let page = listing::versions(&snapshot, &bucket.name, &asked, last).await?;
            let mut lines = page.lines.into_iter().peekable();
            while let Some(line) = lines.next() {
                let Line::Version(key, version, latest) = line else { continue };
                let alone = match lines.peek() {
                    Some(Line::Version(next, ..)) => latest && *next != key,
                    Some(Line::Prefix(_)) => latest,
                    // What follows it is on another page.
                    None => latest && version.marker && self.shelf.is_alone(&snapshot, &bucket.name, &key).await?,
                };
                place.step(&key, &version);
                if let Some(end) = place.end(rules, &key, &version, Found { latest, alone }, self.now_ms()) {
                    self.end(bucket, &key, &version, end).await?;
                } else if let Some(since) = place.since(&version, latest) {
                    let rules = rules.iter().filter(|rule| fits(rule, &key, &version));
                    if let Some(class) = moves::class(rules, &version, since, smallest, self.now_ms()) {
                        self.move_to(bucket, &key, &version, class).await?;
                    }
                }
                asked.after = key;
                last = Some(version.order);
            }
            if !page.truncated {
                return Ok(());
            }
        }
    }

    async fn end(&self, bucket: &Bucket, key: &str, version: &Version, end: End) -> Result<(), Error> {
        let at_ms = self.now_ms();
        self.shelf
            .store
            .transact(|tx| async move {
                let bucket = self.shelf.bucket_in(&tx, &bucket.name).await?;
                let Some(found) = self.shelf.version_in(&tx, &bucket.name, key, version.id()).await? else {
                    return Ok(());
                };
                if found.version.order != version.order {
                    return Ok(());
                }
                let (removed, kind) = match end {
                    End::Hidden if !found.latest => return Ok(()),
                    End::Hidden => {
                        let removed = self.shelf.hide(&tx, &bucket, key, at_ms).await?;
                        let kind = if removed.marker {
                            EventType::LifecycleDeleteMarkerCreated
                        } else {
                            EventType::LifecycleDelete
                        };
                        (removed, kind)
                    }
                    End::Gone if check_lock(&found.version, at_ms, false).is_err() => return Ok(()),
                    End::Gone => (self.shelf.remove(&tx, &bucket, key, &found).await?, EventType::LifecycleDelete),
                };
                let sequencer = sequencer(&tx);
                let version_id = removed.id.as_deref();
                let event = Event { kind, key, size: None, etag: None, version_id, sequencer: &sequencer };
                self.tell(&tx, &self.ticking(&bucket), &bucket, event).await
            })
            .await
    }

    async fn move_to(&self, bucket: &Bucket, key: &str, version: &Version, class: &'static str) -> Result<(), Error> {
        self.shelf
            .store
            .transact(|tx| async move {
                let bucket = self.shelf.bucket_in(&tx, &bucket.name).await?;
                let found = self.shelf.version_in(&tx, &bucket.name, key, version.id()).await?;
                let Some(mut found) = found.filter(|found| found.version.order == version.order) else {
                    return Ok(());
                };
                found.version.about.class = Some(class.to_owned());
                self.shelf.rewrite(&tx, &bucket.name, key, &found)?;
                let event = Event {
                    kind: EventType::LifecycleTransition { class },
                    key,
                    size: Some(version.size),
                    etag: Some(&version.etag),
                    version_id: (bucket.versioning != Versioning::Never).then(|| version.id()),
                    sequencer: &sequencer(&tx),
                };
                self.tell(&tx, &self.ticking(&bucket), &bucket, event).await
            })
            .await
    }

    /// Nobody's call, in which a lifecycle tells of what it did.
    pub(crate) fn ticking(&self, bucket: &Bucket) -> Call {
        let random = &self.shelf.random;
        Call {
            id: random.uuid(),
            principal: Principal::Service { name: "s3.amazonaws.com", source: None },
            account: AccountId::ONLY,
            region: Region::parse(&bucket.region).unwrap_or_else(Region::default_one),
            deadline: self.clock.elapsed() + EVERY,
            trace: Trace::start(&self.clock, random),
            hops: 0,
            origin: Origin::Inside { part: "objects", base_url: Arc::clone(&self.base_url) },
        }
    }

    async fn expire_uploads(&self, bucket: &Bucket, rules: &[LifecycleRule]) -> Result<(), Error> {
        // Rules about tags or sizes, which were let in once, are about no upload.
        let rules: Vec<_> = rules.iter().filter(|rule| is_plain(rule)).collect();
        let mut rest = Some(Range::prefix(&uploads_key(&bucket.name)));
        while let Some(range) = rest.take() {
            let (uploads, more) = self.shelf.uploads(&self.shelf.snapshot(), &bucket.name, range, PAGE).await?;
            for (key, id, upload) in uploads {
                let due = rules.iter().any(|rule| {
                    let days =
                        rule.abort_incomplete_multipart_upload.as_ref().and_then(|abort| abort.days_after_initiation);
                    key.starts_with(prefix(rule)) && days.is_some_and(|days| is_due(upload.at_ms, days, self.now_ms()))
                });
                if due {
                    match self.abort(&bucket.name, &key, &id).await {
                        // Completed or aborted meanwhile.
                        Ok(()) | Err(Error::Refused(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            rest = more;
        }
        Ok(())
    }
}

/// The rules that are carried out.
pub(crate) fn enabled(
    configured: &GetBucketLifecycleConfigurationOutput,
) -> impl Iterator<Item = &LifecycleRule> + Clone + use<'_> {
    configured.rules.iter().flatten().filter(|rule| rule.status == ExpirationStatus::Enabled)
}

/// How a version ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// As if somebody had deleted the key.
    Hidden,
    /// For good.
    Gone,
}

/// What is known of a version beside itself.
#[derive(Clone, Copy, Debug)]
struct Found {
    latest: bool,
    /// Whether it is a marker that hides nothing, or an object that has no others behind it.
    alone: bool,
}

/// Where a walk through the versions of keys stands.
#[derive(Default)]
struct Place {
    key: String,
    /// When the version before this one was made, which took this one's place.
    replaced_ms: Option<i64>,
    made_ms: i64,
    /// How many versions of the key came before this one and are not current.
    newer: i32,
}

impl Place {
    fn step(&mut self, key: &str, version: &Version) {
        if self.key == key {
            self.newer += i32::from(self.replaced_ms.is_some());
            self.replaced_ms = Some(self.made_ms);
        } else {
            *self = Self { key: key.to_owned(), ..Self::default() };
        }
        self.made_ms = version.at_ms;
    }

    /// Since when a version waits for what becomes of it; markers wait for nothing else than their end.
    fn since(&self, version: &Version, latest: bool) -> Option<moves::Since> {
        match (version.marker, latest) {
            (true, _) => None,
            (false, true) => Some(moves::Since::Made { at_ms: version.at_ms }),
            (false, false) => self.replaced_ms.map(|at_ms| moves::Since::Replaced { at_ms, newer: self.newer }),
        }
    }

    /// How the version ends, if it is time.
    fn end(&self, rules: &[LifecycleRule], key: &str, version: &Version, found: Found, now_ms: i64) -> Option<End> {
        let rules = || rules.iter().filter(|rule| fits(rule, key, version));
        if found.latest && version.marker {
            // A rule of days ends markers that hide nothing too, once they are as old.
            let wanted = |rule: &LifecycleRule| {
                rule.expiration.as_ref().is_some_and(|expiration| {
                    expiration.expired_object_delete_marker == Some(true)
                        || expiration.days.is_some_and(|days| is_due(version.at_ms, days, now_ms))
                })
            };
            return (found.alone && rules().any(wanted)).then_some(End::Gone);
        }
        if found.latest {
            let due = |rule: &LifecycleRule| {
                let Some(expiration) = &rule.expiration else { return false };
                let by_date = expiration.date.is_some_and(|date| date.as_millisecond() <= now_ms);
                by_date || expiration.days.is_some_and(|days| is_due(version.at_ms, days, now_ms))
            };
            return rules().any(due).then_some(End::Hidden);
        }
        let replaced_ms = self.replaced_ms?;
        let due = |rule: &LifecycleRule| {
            let Some(expiration) = &rule.noncurrent_version_expiration else { return false };
            expiration.noncurrent_days.is_some_and(|days| is_due(replaced_ms, days, now_ms))
                && expiration.newer_noncurrent_versions.is_none_or(|kept| self.newer >= kept)
        };
        rules().any(due).then_some(End::Gone)
    }
}

/// Whether so many days have passed, counted as S3 does: up to the midnight after them.
fn is_due(from_ms: i64, days: i32, now_ms: i64) -> bool {
    now_ms >= midnight_after(from_ms, days)
}

/// The first midnight when so many days have passed.
pub(crate) fn midnight_after(from_ms: i64, days: i32) -> i64 {
    let passed = from_ms + i64::from(days) * DAY_MS;
    (passed.div_euclid(DAY_MS) + i64::from(passed.rem_euclid(DAY_MS) > 0)) * DAY_MS
}

/// What the keys begin with that a rule is about.
pub(crate) fn prefix(rule: &LifecycleRule) -> &str {
    let filter = rule.filter.as_ref();
    let of_filter = filter.and_then(|filter| {
        filter.prefix.as_deref().or_else(|| filter.and.as_ref().and_then(|and| and.prefix.as_deref()))
    });
    rule.prefix.as_deref().or(of_filter).unwrap_or_default()
}

/// Whether a rule is about all that has its prefix.
fn is_plain(rule: &LifecycleRule) -> bool {
    rule.filter.as_ref().is_none_or(|filter| {
        let and = filter.and.as_ref().is_none_or(|and| {
            and.tags.is_none() && and.object_size_greater_than.is_none() && and.object_size_less_than.is_none()
        });
        and && filter.tag.is_none()
            && filter.object_size_greater_than.is_none()
            && filter.object_size_less_than.is_none()
    })
}

/// Whether a rule is about that version.
pub(crate) fn fits(rule: &LifecycleRule, key: &str, version: &Version) -> bool {
    if !key.starts_with(prefix(rule)) {
        return false;
    }
    let Some(filter) = &rule.filter else { return true };
    let and = filter.and.as_ref();
    let mut tags = filter.tag.iter().chain(and.and_then(|and| and.tags.as_ref()).into_iter().flatten());
    let greater = filter.object_size_greater_than.or(and.and_then(|and| and.object_size_greater_than));
    let less = filter.object_size_less_than.or(and.and_then(|and| and.object_size_less_than));
    let size = i64::try_from(version.size).unwrap_or(i64::MAX);
    tags.all(|tag| version.about.tags.get(&tag.key) == Some(&tag.value))
        && greater.is_none_or(|bound| size > bound)
        && less.is_none_or(|bound| size < bound)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn days_end_at_midnight() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time").as_millisecond();
        for (from, days, now, expected) in [
            ("2026-01-01T10:00:00Z", 1, "2026-01-02T23:59:59Z", false),
            ("2026-01-01T10:00:00Z", 1, "2026-01-03T00:00:00Z", true),
            ("2026-01-01T00:00:00Z", 1, "2026-01-02T00:00:00Z", true),
            ("2026-01-01T00:00:00Z", 30, "2026-01-30T23:00:00Z", false),
        ] {
            assert_eq!(is_due(at(from), days, at(now)), expected, "{from} + {days}: {now}");
        }
    }

    #[test]
    fn rules_end_what_is_due() {
        let rule = |text: &str| {
            let mut rule = LifecycleRule::default();
            let document: serde_json::Value = serde_json::from_str(text).expect("JSON");
            wire::document::read_into(&mut rule, document).expect("a rule");
            rule
        };
        let rules = [
            rule(r#"{"Status":"Enabled","Filter":{"Prefix":"tmp/"},"Expiration":{"Days":1}}"#),
            rule(r#"{"Status":"Enabled","Filter":{"Tag":{"Key":"t","Value":"1"}},"Expiration":{"Days":2}}"#),
            rule(
                r#"{"Status":"Enabled","Filter":{"Prefix":"old/"},"NoncurrentVersionExpiration":{"NoncurrentDays":1,"NewerNoncurrentVersions":1},"Expiration":{"ExpiredObjectDeleteMarker":true}}"#,
            ),
        ];
        let now_ms = 10 * DAY_MS;
        let version = |marker, tag: Option<&str>| {
            let mut version = Version { at_ms: DAY_MS, marker, ..Version::default() };
            version.about.tags.extend(tag.map(|tag| ("t".to_owned(), tag.to_owned())));
            version
        };
        let latest = Found { latest: true, alone: true };
        let other = Found { latest: false, alone: false };
        for (key, version, found, newer, expected) in [
            ("tmp/a", version(false, None), latest, 0, Some(End::Hidden)),
            ("keep/a", version(false, None), latest, 0, None),
            ("keep/a", version(false, Some("1")), latest, 0, Some(End::Hidden)),
            ("keep/a", version(false, Some("2")), latest, 0, None),
            ("old/a", version(false, None), latest, 0, None),
            ("old/a", version(true, None), latest, 0, Some(End::Gone)),
            ("tmp/a", version(true, None), latest, 0, Some(End::Gone)),
            ("tmp/a", version(true, None), Found { alone: false, ..latest }, 0, None),
            ("keep/a", version(true, None), latest, 0, None),
            ("old/a", version(true, None), Found { alone: false, ..latest }, 0, None),
            ("old/a", version(false, None), other, 0, None),
            ("old/a", version(false, None), other, 1, Some(End::Gone)),
        ] {
            let place =
                Place { key: key.into(), replaced_ms: (!found.latest).then_some(2 * DAY_MS), made_ms: 0, newer };
            assert_eq!(place.end(&rules, key, &version, found, now_ms), expected, "{key} {version:?} {found:?}");
        }
    }
}
