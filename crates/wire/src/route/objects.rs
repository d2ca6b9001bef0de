//! Which operation of S3 a request means. Buckets may stand in the host's name, keys hold anything (also slashes at their ends and
//! twice in a row), and operations differ by a word in the query string or by a header: no tree of paths tells them apart.
//!
//! Pure. Where bucket and key stand is the door's to find.

use http::{HeaderMap, Method};

use crate::{OperationModel, s3, uri};

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The service.
    Service,
    /// A bucket.
    Bucket,
    /// An object.
    Object,
}

/// The operation; nothing where the method can do nothing there.
pub fn object_operation(
    method: &Method,
    subject: Subject,
    query: &str,
    headers: &HeaderMap,
) -> Option<&'static OperationModel> {
    let words: Vec<(String, String)> = uri::pairs(query).collect();
    let has = |name: &str| words.iter().any(|(word, _)| word == name);
    let copies = headers.contains_key("x-amz-copy-source");
    let method = method.as_str();
    let plain = match (subject, method) {
        (Subject::Service, "GET") => Some("ListBuckets"),
        (Subject::Object, "PUT") if has("partNumber") && has("uploadId") && copies => Some("UploadPartCopy"),
        (Subject::Object, "PUT") if has("partNumber") && has("uploadId") => Some("UploadPart"),
        (Subject::Object, "POST") if has("uploadId") => Some("CompleteMultipartUpload"),
        (Subject::Object, "DELETE") if has("uploadId") => Some("AbortMultipartUpload"),
        (Subject::Object, "GET") if has("uploadId") => Some("ListParts"),
        _ => None,
    };
    let name = plain.or_else(|| by_word(method, subject, &has)).or(match (subject, method) {
        (Subject::Bucket, "GET") if words.iter().any(|(word, value)| word == "list-type" && value == "2") => {
            Some("ListObjectsV2")
        }
        (Subject::Bucket, "GET") => Some("ListObjects"),
        (Subject::Bucket, "PUT") => Some("CreateBucket"),
        (Subject::Bucket, "HEAD") => Some("HeadBucket"),
        (Subject::Bucket, "DELETE") => Some("DeleteBucket"),
        (Subject::Object, "GET") => Some("GetObject"),
        (Subject::Object, "HEAD") => Some("HeadObject"),
        (Subject::Object, "PUT") if copies => Some("CopyObject"),
        (Subject::Object, "PUT") => Some("PutObject"),
        (Subject::Object, "DELETE") => Some("DeleteObject"),
        _ => None,
    });
    name.and_then(|name| s3::SERVICE.operation(name))
}

/// The operation whose pattern ends in a word that the query string has, such as `?tagging`. Of two that share one, such as the old
/// and the new `?lifecycle`, the one that is served; of a configuration and the list of them, the one that an `id` asks for.
fn by_word(method: &str, subject: Subject, has: &impl Fn(&str) -> bool) -> Option<&'static str> {
    let mut found: Option<&'static OperationModel> = None;
    for operation in s3::SERVICE.operations {
        let Some((path, words)) = operation.uri.split_once('?') else { continue };
        let of = if path.ends_with("{Key+}") { Subject::Object } else { Subject::Bucket };
        let word = words.split('&').next().unwrap_or_default();
        if operation.method != method || of != subject || word.contains('=') || !has(word) {
            continue;
        }
        let is_list = operation.id.name.starts_with("ListBucket") && operation.id.name.ends_with("Configurations");
        let fits = |other: &OperationModel| match is_list || other.id.name.starts_with("ListBucket") {
            true => is_list != has("id"),
            false => operation.is_served(),
        };
        if found.is_none_or(fits) {
            found = Some(operation);
        }
    }
    found.map(|operation| operation.id.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_headers_tell_operations_apart() {
        use Subject::{Bucket, Object, Service};
        let copy: &[(&str, &str)] = &[("x-amz-copy-source", "/b/k")];
        for (method, subject, query, sent, expected) in [
            ("GET", Service, "", &[][..], Some("ListBuckets")),
            ("POST", Service, "", &[], None),
            ("PUT", Bucket, "", &[], Some("CreateBucket")),
            ("GET", Bucket, "", &[], Some("ListObjects")),
            ("GET", Bucket, "list-type=2&prefix=a", &[], Some("ListObjectsV2")),
            ("GET", Bucket, "versions", &[], Some("ListObjectVersions")),
            ("GET", Bucket, "uploads", &[], Some("ListMultipartUploads")),
            ("GET", Bucket, "lifecycle", &[], Some("GetBucketLifecycleConfiguration")),
            ("PUT", Bucket, "notification", &[], Some("PutBucketNotificationConfiguration")),
            ("GET", Bucket, "analytics&id=x", &[], Some("GetBucketAnalyticsConfiguration")),
            ("GET", Bucket, "analytics", &[], Some("ListBucketAnalyticsConfigurations")),
            (
                "GET",
                Bucket,
                "metrics&id=x&x-id=GetBucketMetricsConfiguration",
                &[],
                Some("GetBucketMetricsConfiguration"),
            ),
            ("POST", Bucket, "delete", &[], Some("DeleteObjects")),
            ("POST", Bucket, "", &[], None),
            ("PUT", Object, "", &[], Some("PutObject")),
            ("PUT", Object, "x-id=PutObject", &[], Some("PutObject")),
            ("PUT", Object, "", copy, Some("CopyObject")),
            ("PUT", Object, "partNumber=1&uploadId=x", &[], Some("UploadPart")),
            ("PUT", Object, "partNumber=1&uploadId=x", copy, Some("UploadPartCopy")),
            ("PUT", Object, "tagging", &[], Some("PutObjectTagging")),
            ("POST", Object, "uploads", &[], Some("CreateMultipartUpload")),
            ("POST", Object, "uploadId=x", &[], Some("CompleteMultipartUpload")),
            ("POST", Object, "", &[], None),
            ("GET", Object, "uploadId=x", &[], Some("ListParts")),
            ("GET", Object, "versionId=x", &[], Some("GetObject")),
            ("GET", Object, "attributes", &[], Some("GetObjectAttributes")),
            ("DELETE", Object, "uploadId=x", &[], Some("AbortMultipartUpload")),
            ("DELETE", Object, "versionId=x", &[], Some("DeleteObject")),
            ("HEAD", Object, "", &[], Some("HeadObject")),
        ] {
            let method = Method::try_from(method).expect("a method");
            let headers =
                sent.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().expect("a value")));
            let found = object_operation(&method, subject, query, &headers.collect());
            assert_eq!(found.map(|operation| operation.id.name), expected, "{method} {subject:?} {query}");
        }
    }
}
