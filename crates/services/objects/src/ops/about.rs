//! What requests say of an object, and what answers say of a version.

use std::collections::BTreeMap;

use contract::Fault;
use percent_encoding::percent_decode_str;

use crate::error::{invalid_argument, refused};
use crate::model::{About, Retention};

/// The most that users may say, keys and values together.
const METADATA_BYTES_MAX: usize = 2 << 10;
/// The longest address that a page may be said to be at instead.
const REDIRECT_BYTES_MAX: usize = 2 << 10;
/// The most tags of an object.
pub(super) const TAGS_MAX: usize = 10;

/// The storage classes that objects may be put in; all are kept alike.
const CLASSES: [&str; 10] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
    "EXPRESS_ONEZONE",
    "OUTPOSTS",
];

/// What a request that makes an object says of it.
macro_rules! about {
    ($input:expr) => {{
        let mut about = crate::model::About::default();
        about.set("content-type", $input.content_type.clone());
        about.set("cache-control", $input.cache_control.clone());
        about.set("content-disposition", $input.content_disposition.clone());
        about.set("content-encoding", $crate::ops::about::encoding($input.content_encoding.as_deref()));
        about.set("content-language", $input.content_language.clone());
        about.set("expires", $input.expires.clone());
        about.set("website-redirect-location", $input.website_redirect_location.clone());
        about.metadata = $input.metadata.clone().unwrap_or_default();
        about.class = $input.storage_class.clone().filter(|class| class != "STANDARD");
        about.tags = $crate::ops::about::tags($input.tagging.as_deref())?;
        $crate::ops::about::check(&about)?;
        about
    }};
}

/// What an answer says of a version.
macro_rules! describe {
    ($output:expr, $version:expr, $bucket:expr) => {{
        let (version, bucket) = (&$version, &$bucket);
        $output.accept_ranges = Some("bytes".into());
        $output.last_modified = $crate::ops::time(version.at_ms);
        $output.e_tag = Some(version.quoted_etag());
        $output.version_id = (bucket.versioning != crate::model::Versioning::Never).then(|| version.id().to_owned());
        let about = &version.about;
        $output.content_type = Some(about.header("content-type").unwrap_or_else(|| "binary/octet-stream".into()));
        $output.cache_control = about.header("cache-control");
        $output.content_disposition = about.header("content-disposition");
        $output.content_encoding = about.header("content-encoding");
        $output.content_language = about.header("content-language");
        $output.expires = about.header("expires");
        $output.website_redirect_location = about.header("website-redirect-location");
        $output.metadata = (!about.metadata.is_empty()).then(|| about.metadata.clone());
        $output.storage_class = about.class.clone();
        $output.tag_count = (!about.tags.is_empty()).then(|| about.tags.len() as i32);
        $output.parts_count = None;
        crate::ops::encryption::show_seal!($output, version.sealed.as_ref().map(|sealed| &sealed.by));
        if let Some(retention) = &version.retention {
            $output.object_lock_mode = Some($crate::ops::about::mode(retention).into());
            $output.object_lock_retain_until_date = $crate::ops::time(retention.until_ms);
        }
        $output.object_lock_legal_hold_status =
            version.legal_hold.map(|held| if held { "ON" } else { "OFF" }.to_owned());
    }};
}

pub(super) use {about, describe};

/// What a body's own coding is: `aws-chunked` was only its way here.
pub(super) fn encoding(sent: Option<&str>) -> Option<String> {
    let codings = sent?.split(',').map(str::trim).filter(|coding| *coding != "aws-chunked" && !coding.is_empty());
    let codings: Vec<&str> = codings.collect();
    (!codings.is_empty()).then(|| codings.join(","))
}

/// Tags as a header has them: a query string.
pub(crate) fn tags(header: Option<&str>) -> Result<BTreeMap<String, String>, Fault> {
    let mut tags = BTreeMap::new();
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    for pair in header.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if tags.insert(decode(key), decode(value)).is_some() {
            let message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without \
                           tag name duplicates.";
            return Err(invalid_argument(message, "x-amz-tagging", header.unwrap_or_default()));
        }
    }
    check_tags(&tags, TAGS_MAX)?;
    Ok(tags)
}

/// Whether tags are such as there may be.
pub(super) fn check_tags(tags: &BTreeMap<String, String>, limit: usize) -> Result<(), Fault> {
    if tags.len() > limit {
        let what = if limit == TAGS_MAX { "Object" } else { "Bucket" };
        return Err(refused(400, "BadRequest", format!("{what} tags cannot be greater than {limit}")));
    }
    let good = |c: char| c.is_alphanumeric() || c.is_whitespace() || "+-=._:/@".contains(c);
    for (key, value) in tags {
        let fits = (1..=128).contains(&key.chars().count()) && key.chars().all(good);
        if !fits || key.to_ascii_lowercase().starts_with("aws:") {
            return Err(
                refused(400, "InvalidTag", "The TagKey you have provided is invalid").with("TagKey", key.as_str())
            );
        }
        if value.chars().count() > 256 || !value.chars().all(good) {
            let fault = refused(400, "InvalidTag", "The TagValue you have provided is invalid");
            return Err(fault.with("TagKey", key.as_str()).with("TagValue", value.as_str()));
        }
    }
    Ok(())
}

/// Whether an object may be said to be so.
pub(super) fn check(about: &About) -> Result<(), Fault> {
    let bytes: usize = about.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > METADATA_BYTES_MAX {
        let message = "Your metadata headers exceed the maximum allowed metadata size";
        return Err(refused(400, "MetadataTooLarge", message)
            .with("Size", bytes.to_string())
            .with("MaxSizeAllowed", METADATA_BYTES_MAX.to_string()));
    }
    let redirect = about.headers.get("website-redirect-location").map(String::as_str).unwrap_or("/");
    if redirect.len() > REDIRECT_BYTES_MAX {
        let message = "The length of website redirect location cannot exceed 2,048 characters.";
        return Err(refused(400, "InvalidRedirectLocation", message));
    }
    if !["/", "http://", "https://"].iter().any(|start| redirect.starts_with(start)) {
        let message = "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.";
        return Err(refused(400, "InvalidRedirectLocation", message));
    }
    match &about.class {
        Some(class) if !CLASSES.contains(&class.as_str()) => {
            let message = "The storage class you specified is not valid";
            Err(refused(400, "InvalidStorageClass", message).with("StorageClassRequested", class.as_str()))
        }
        _ => Ok(()),
    }
}

/// `COMPLIANCE` or `GOVERNANCE`.
pub(super) fn mode(retention: &Retention) -> &'static str {
    if retention.compliance { "COMPLIANCE" } else { "GOVERNANCE" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_and_tags_are_read() {
        for (sent, expected) in [
            (None, None),
            (Some("aws-chunked"), None),
            (Some("gzip,aws-chunked"), Some("gzip")),
            (Some("aws-chunked, gzip"), Some("gzip")),
            (Some("br"), Some("br")),
        ] {
            assert_eq!(encoding(sent).as_deref(), expected, "{sent:?}");
        }
        let pairs =
            |text| tags(Some(text)).map(|tags| tags.into_iter().collect::<Vec<_>>()).map_err(|fault| fault.code);
        assert_eq!(pairs("a=1&b=x+y%2F"), Ok(vec![("a".into(), "1".into()), ("b".into(), "x y/".into())]));
        assert_eq!(pairs("a=%26"), Err("InvalidTag".into()));
        assert_eq!(pairs("a=1&a=2"), Err("InvalidArgument".into()));
        assert_eq!(pairs("aws:x=1"), Err("InvalidTag".into()));
        let eleven: Vec<String> = (0..11).map(|n| format!("k{n}=v")).collect();
        assert_eq!(pairs(&eleven.join("&")), Err("BadRequest".into()));
    }
}
