//! `ListObjects` and `ListObjectsV2`: the current objects of a bucket, a page at a time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract::{Arn, Call, Effect, Fault, Handle};
use wire::s3;

use super::restore_object::Beside;
use super::{Shown, bucket_arn, owner, page_limit, time};
use crate::Objects;
use crate::error::invalid_argument;
use crate::listing::{self, Asked, Line};
use crate::model::Version;

impl Handle<s3::ListObjectsV2> for Objects {
    const EFFECT: Effect = Effect::Read;
    const ACTION: Option<&'static str> = Some("s3:ListBucket");

    fn resource(&self, _call: &Call, input: &s3::ListObjectsV2Request) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(&self, call: &Call, input: s3::ListObjectsV2Request) -> Result<s3::ListObjectsV2Output, Fault> {
        let shown = Shown::asked(input.encoding_type.as_deref())?;
        let beside = Beside::asked(input.optional_object_attributes.as_deref(), self.now_ms())?;
        let snapshot = self.shelf.snapshot();
        self.shelf.bucket(&snapshot, &input.bucket).await?;
        let after = match &input.continuation_token {
            Some(token) => untoken(token)?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let limit = page_limit(input.max_keys, "max-keys")?;
        let asked = Asked {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after,
            limit,
        };
        let page = listing::objects(&snapshot, &input.bucket, &asked).await?;
        let next = page.lines.last().filter(|_| page.truncated).map(|line| token(name(line)));
        let shown_owner = input.fetch_owner.unwrap_or_default().then(|| owner(call));
        let count = page.lines.len();
        let (contents, prefixes) = lines(page.lines, (shown, beside), shown_owner.as_ref());
        Ok(s3::ListObjectsV2Output {
            is_truncated: Some(page.truncated),
            contents,
            name: Some(input.bucket),
            prefix: Some(shown.text(&asked.prefix)),
            delimiter: shown.some(input.delimiter.as_deref()),
            max_keys: i32::try_from(limit).ok(),
            common_prefixes: prefixes,
            encoding_type: input.encoding_type,
            key_count: i32::try_from(count).ok(),
            continuation_token: input.continuation_token,
            next_continuation_token: next,
            start_after: shown.some(input.start_after.as_deref()),
            request_charged: None,
        })
    }
}

impl Handle<s3::ListObjects> for Objects {
    const EFFECT: Effect = Effect::Read;
    const ACTION: Option<&'static str> = Some("s3:ListBucket");

    fn resource(&self, _call: &Call, input: &s3::ListObjectsRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(&self, call: &Call, input: s3::ListObjectsRequest) -> Result<s3::ListObjectsOutput, Fault> {
        let shown = Shown::asked(input.encoding_type.as_deref())?;
        let beside = Beside::asked(input.optional_object_attributes.as_deref(), self.now_ms())?;
        let snapshot = self.shelf.snapshot();
        self.shelf.bucket(&snapshot, &input.bucket).await?;
        let limit = page_limit(input.max_keys, "max-keys")?;
        let asked = Asked {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: input.marker.clone().unwrap_or_default(),
            limit,
        };
        let page = listing::objects(&snapshot, &input.bucket, &asked).await?;
        // Without a delimiter the last key says as much.
        let next = page.lines.last().filter(|_| page.truncated && !asked.delimiter.is_empty());
        let next = next.map(|line| shown.text(name(line)));
        let (contents, prefixes) = lines(page.lines, (shown, beside), Some(&owner(call)));
        Ok(s3::ListObjectsOutput {
            is_truncated: Some(page.truncated),
            marker: Some(shown.text(&asked.after)),
            next_marker: next,
            contents,
            name: Some(input.bucket),
            prefix: Some(shown.text(&asked.prefix)),
            delimiter: shown.some(input.delimiter.as_deref()),
            max_keys: i32::try_from(limit).ok(),
            common_prefixes: prefixes,
            encoding_type: input.encoding_type,
            request_charged: None,
        })
    }
}

/// What a line begins with, or is.
fn name(line: &Line) -> &str {
    match line {
        Line::Version(key, ..) => key,
        Line::Prefix(prefix) => prefix,
    }
}

fn lines(
    lines: Vec<Line>,
    (shown, beside): (Shown, Beside),
    owner: Option<&s3::Owner>,
) -> (Option<Vec<s3::Object>>, Option<Vec<s3::CommonPrefix>>) {
    let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
    for line in lines {
        match line {
            Line::Version(key, version, _) => {
                let restore_status = beside.of(&version);
                objects.push(s3::Object { restore_status, ..object(shown.text(&key), *version, owner) });
            }
            Line::Prefix(prefix) => prefixes.push(s3::CommonPrefix { prefix: Some(shown.text(&prefix)) }),
        }
    }
    ((!objects.is_empty()).then_some(objects), (!prefixes.is_empty()).then_some(prefixes))
}

fn object(key: String, version: Version, owner: Option<&s3::Owner>) -> s3::Object {
    s3::Object {
        key: Some(key),
        last_modified: time(version.at_ms),
        e_tag: Some(version.quoted_etag()),
        checksum_algorithm: version.checksum.as_ref().map(|checksum| vec![checksum.algorithm.clone()]),
        checksum_type: version.checksum.as_ref().map(|checksum| checksum.kind().to_owned()),
        size: i64::try_from(version.size).ok(),
        storage_class: Some(version.about.class.unwrap_or_else(|| "STANDARD".into())),
        owner: owner.cloned(),
        restore_status: None,
    }
}

/// Where a listing goes on, as clients have it: text that means nothing to them.
fn token(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("1{last}"))
}

fn untoken(token: &str) -> Result<String, Fault> {
    let wrong = || invalid_argument("The continuation token provided is incorrect", "continuation-token", token);
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    text.strip_prefix('1').map(str::to_owned).ok_or_else(wrong)
}
