//! What a bucket's lifecycle means for one object or upload, as answers about it say: when it goes, and by which rule.

use std::sync::Arc;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use wire::s3::{GetBucketLifecycleConfigurationOutput, LifecycleRule};

use crate::Objects;
use crate::background::{enabled, fits, midnight_after, prefix};
use crate::conditions::http_date;
use crate::error::Error;
use crate::model::{Bucket, Upload, Version};
use crate::store::LIFECYCLE;

/// What stands as it is in the names of rules, which headers tell encoded as URLs are.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Objects {
    /// When the current version of that key goes, as its headers say it. Without a lifecycle this costs a look at the bucket.
    pub(super) async fn expiry(&self, bucket: &Bucket, key: &str, version: &Version) -> Result<Option<String>, Error> {
        let configured = self.lifecycle(bucket).await?;
        Ok(configured.and_then(|configured| expiry(enabled(&configured), key, version)))
    }

    /// When an upload goes that nobody ends, and by which rule.
    pub(super) async fn abort_of(
        &self,
        bucket: &Bucket,
        key: &str,
        upload: &Upload,
    ) -> Result<(Option<Timestamp>, Option<String>), Error> {
        let configured = self.lifecycle(bucket).await?;
        let found = configured.and_then(|configured| abortion(enabled(&configured), key, upload));
        Ok(found.map_or((None, None), |(at_ms, rule)| (Timestamp::from_millisecond(at_ms).ok(), Some(rule))))
    }

    async fn lifecycle(&self, bucket: &Bucket) -> Result<Option<Arc<GetBucketLifecycleConfigurationOutput>>, Error> {
        match bucket.has.contains(LIFECYCLE) {
            true => self.configured_as(&bucket.name, LIFECYCLE).await,
            false => Ok(None),
        }
    }
}

/// The rule that is the first to end it, and when.
fn expiry<'a>(rules: impl Iterator<Item = &'a LifecycleRule>, key: &str, version: &Version) -> Option<String> {
    let ends = rules.filter(|rule| fits(rule, key, version)).filter_map(|rule| {
        let expiration = rule.expiration.as_ref()?;
        let by_date = expiration.date.map(Timestamp::as_millisecond);
        let at_ms = by_date.or_else(|| Some(midnight_after(version.at_ms, expiration.days?)))?;
        Some((at_ms, rule.id.as_deref().unwrap_or_default()))
    });
    let (at_ms, id) = ends.min()?;
    // Some write a number of days that means "never": there is no such date, and none is told.
    Timestamp::from_millisecond(at_ms).ok()?;
    Some(format!("expiry-date=\"{}\", rule-id=\"{}\"", http_date(at_ms), utf8_percent_encode(id, PLAIN)))
}

fn abortion<'a>(rules: impl Iterator<Item = &'a LifecycleRule>, key: &str, upload: &Upload) -> Option<(i64, String)> {
    let ends = rules.filter(|rule| key.starts_with(prefix(rule))).filter_map(|rule| {
        let days = rule.abort_incomplete_multipart_upload.as_ref()?.days_after_initiation?;
        Some((midnight_after(upload.at_ms, days), rule.id.clone().unwrap_or_default()))
    });
    ends.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> LifecycleRule {
        let mut rule = LifecycleRule::default();
        let document: serde_json::Value = serde_json::from_str(text).expect("JSON");
        wire::document::read_into(&mut rule, document).expect("a rule");
        rule
    }

    #[test]
    fn the_first_to_end_it_is_told() {
        let rules = [
            rule(r#"{"ID":"ten","Status":"Enabled","Filter":{"Prefix":""},"Expiration":{"Days":10}}"#),
            rule(r#"{"ID":"tmp/: \"ü+%\"_-.~","Status":"Enabled","Filter":{"Prefix":"tmp/"},"Expiration":{"Days":1}}"#),
            rule(r#"{"ID":"day","Status":"Enabled","Prefix":"dated/","Expiration":{"Date":259200}}"#),
            rule(
                r#"{"ID":"up","Status":"Enabled","Prefix":"","AbortIncompleteMultipartUpload":{"DaysAfterInitiation":3}}"#,
            ),
            rule(
                r#"{"ID":"up2","Status":"Enabled","Prefix":"u","AbortIncompleteMultipartUpload":{"DaysAfterInitiation":2}}"#,
            ),
        ];
        let version = Version { at_ms: 1, ..Version::default() };
        for (key, expected) in [
            ("a", "expiry-date=\"Mon, 12 Jan 1970 00:00:00 GMT\", rule-id=\"ten\""),
            ("tmp/a", "expiry-date=\"Sat, 03 Jan 1970 00:00:00 GMT\", rule-id=\"tmp%2F%3A%20%22%C3%BC%2B%25%22_-.~\""),
            ("dated/a", "expiry-date=\"Sun, 04 Jan 1970 00:00:00 GMT\", rule-id=\"day\""),
        ] {
            assert_eq!(expiry(rules.iter(), key, &version).as_deref(), Some(expected), "{key}");
        }
        assert_eq!(expiry(rules[1..].iter(), "a", &version), None);
        let never =
            rule(r#"{"ID":"never","Status":"Enabled","Filter":{"Prefix":""},"Expiration":{"Days":2147483647}}"#);
        assert_eq!(expiry([never].iter(), "a", &version), None);
        let upload = Upload { at_ms: 1, ..Upload::default() };
        assert_eq!(abortion(rules.iter(), "u", &upload), Some((3 * 86_400_000, "up2".into())));
        assert_eq!(abortion(rules.iter(), "a", &upload), Some((4 * 86_400_000, "up".into())));
        assert_eq!(abortion(rules[..3].iter(), "a", &upload), None);
    }
}
