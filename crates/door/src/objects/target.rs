//! Where bucket and key stand in a request: in the path, or the bucket in the host's name.

use http::request;
use percent_encoding::percent_decode_str;

use crate::guard::host_name;

/// What a request for S3 is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) bucket: Option<String>,
    pub(crate) key: Option<String>,
    /// It came by a website's host name: answers are pages.
    pub(crate) site: bool,
}

/// What a host's name says.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    /// S3, and nothing of buckets.
    Service,
    Bucket(String),
    Site(String),
}

/// What stands behind `s3.` and a region in hosts' names that mean this node.
const BASES: [&str; 4] = ["localhost", "localhost.localstack.cloud", "amazonaws.com", "localhost.direct"];

impl Target {
    /// By the host's name, or by what the request says that it was signed for.
    pub(crate) fn claimed(parts: &request::Parts, host: &str) -> Option<Self> {
        let path = parts.uri.path();
        match named(host) {
            Some(Named::Service) if path.starts_with("/_") => None,
            Some(Named::Service) => Some(Self::of_path(path)),
            Some(Named::Bucket(bucket)) => Some(Self::inside(bucket, path, false)),
            Some(Named::Site(bucket)) => Some(Self::inside(bucket, path, true)),
            None if is_signed_for_objects(parts) && !path.starts_with("/_") => Some(Self::of_path(path)),
            None => None,
        }
    }

    /// By the path alone: for requests that nobody else understands. The bucket must have a name that one can have.
    pub(crate) fn guessed(path: &str) -> Option<Self> {
        let target = Self::of_path(path);
        let fits = |name: &str| {
            (3..=63).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
        };
        target.bucket.as_deref().is_some_and(fits).then_some(target)
    }

    fn of_path(path: &str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let some = |text: &str| (!text.is_empty()).then(|| decode(text));
        Self { bucket: some(bucket), key: some(key), site: false }
    }

    fn inside(bucket: String, path: &str, site: bool) -> Self {
        let key = path.strip_prefix('/').unwrap_or(path);
        Self { bucket: Some(bucket), key: (!key.is_empty()).then(|| decode(key)), site }
    }
}

/// The bucket that a host's name names.
pub(super) fn bucket_in_host(host: &str) -> Option<String> {
    match named(host) {
        Some(Named::Bucket(bucket) | Named::Site(bucket)) => Some(bucket),
        Some(Named::Service) | None => None,
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Whether the signature's scope names S3, whether it is true or not.
fn is_signed_for_objects(parts: &request::Parts) -> bool {
    let header = parts.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(header) = header {
        return header.contains("/s3/aws4_request") || header.starts_with("AWS ");
    }
    let query = parts.uri.query().unwrap_or_default();
    let mut words = query.split('&');
    words.any(|word| match word.split_once('=') {
        Some(("X-Amz-Credential", value)) => decode(value).ends_with("/s3/aws4_request"),
        Some(("AWSAccessKeyId", _)) => true,
        _ => false,
    })
}

fn named(host: &str) -> Option<Named> {
    let host = host_name(host)?.trim_end_matches('.').to_ascii_lowercase();
    let is_region = |label: &str| label.split('-').count() >= 3;
    let is_base = |rest: &str| {
        BASES.contains(&rest)
            || rest.split_once('.').is_some_and(|(region, rest)| is_region(region) && BASES.contains(&rest))
    };
    if host.strip_prefix("s3.").is_some_and(is_base) {
        return Some(Named::Service);
    }
    for (at, _) in host.rmatch_indices(".s3") {
        let (bucket, rest) = (&host[..at], &host[at + 3..]);
        if rest.strip_prefix('.').is_some_and(is_base) {
            return Some(Named::Bucket(bucket.to_owned()));
        }
        // `-website.REGION.` and the older `-website-REGION.`.
        // A site may stand below any name: what its node is called is for whoever runs it to say.
        let site = rest.strip_prefix("-website").and_then(|rest| rest.strip_prefix(['.', '-']));
        if site.is_some_and(|base| !base.is_empty()) && !bucket.is_empty() {
            return Some(Named::Site(bucket.to_owned()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_name_buckets() {
        let bucket = |name: &str| Some(Named::Bucket(name.to_owned()));
        let site = |name: &str| Some(Named::Site(name.to_owned()));
        for (host, expected) in [
            ("localhost:4566", None),
            ("s3.localhost:4566", Some(Named::Service)),
            ("s3.eu-central-1.amazonaws.com", Some(Named::Service)),
            ("s3.localhost.localstack.cloud:4566", Some(Named::Service)),
            ("photos.s3.localhost:4566", bucket("photos")),
            ("a.b.s3.localhost", bucket("a.b")),
            ("photos.s3.eu-central-1.amazonaws.com", bucket("photos")),
            ("photos.s3.amazonaws.com", bucket("photos")),
            ("photos.s3.us-east-1.localhost.localstack.cloud:4566", bucket("photos")),
            ("x.s3.s3.localhost", bucket("x.s3")),
            ("site.s3-website.localhost:4566", site("site")),
            ("site.s3-website-us-east-1.amazonaws.com", site("site")),
            ("site.s3-website.eu-central-1.amazonaws.com", site("site")),
            ("site.s3-website.example.com", site("site")),
            (".s3-website.localhost", None),
            ("site.s3-website", None),
            ("site.s3-websites.localhost", None),
            ("photos.s3.example.com", None),
            ("abc.lambda-url.us-east-1.localhost", None),
        ] {
            assert_eq!(named(host), expected, "{host}");
        }
    }

    #[test]
    fn paths_name_keys() {
        for (path, bucket, key) in [
            ("/", None, None),
            ("/b", Some("b"), None),
            ("/b/", Some("b"), None),
            ("/b/k", Some("b"), Some("k")),
            ("/b/folder/", Some("b"), Some("folder/")),
            ("/b//k", Some("b"), Some("/k")),
            ("/b/a%2Fb%20c+d", Some("b"), Some("a/b c+d")),
            ("/b/..", Some("b"), Some("..")),
        ] {
            let target = Target::of_path(path);
            assert_eq!((target.bucket.as_deref(), target.key.as_deref()), (bucket, key), "{path}");
        }
        assert!(Target::guessed("/UPPER/x").is_none() && Target::guessed("/ab").is_none());
        assert!(Target::guessed("/photos/x").is_some());
    }
}
