//! What a link says in its query string in place of headers, since whoever follows it sends none. S3 takes some of what clients put
//! there, and passes over the rest: checksums above all, for clients sign those of a body that they do not know yet.
//!
//! A link that was signed the old way does not tell what stands in it from what is sent as a header. There all words of AWS's own are
//! taken: else whoever has the link could move into it, and so take away, what was signed as a header.

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

/// Headers that a link may say.
const TAKEN: [&str; 5] = [
    "x-amz-acl",
    "x-amz-expected-bucket-owner",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-storage-class",
];
/// What others begin with that it may say too.
const TAKEN_WITH: &str = "x-amz-meta-";

/// The request with such headers as its link says; none where it is no link, or says none. What is sent as a header counts for more.
pub(super) fn said(parts: &Parts) -> Option<Parts> {
    let query = parts.uri.query()?;
    // By whole words: one that is in another one's value was not signed as what it says.
    let has = |wanted: &str| query.split('&').any(|pair| pair.split('=').next() == Some(wanted));
    let is_new = has("X-Amz-Signature");
    if !is_new && !has("AWSAccessKeyId") {
        return None;
    }
    let taken = |name: &str| {
        let any = !is_new && name.starts_with("x-amz-");
        any || TAKEN.contains(&name) || name.starts_with(TAKEN_WITH)
    };
    let said = headers(query, taken).filter(|(name, _)| !parts.headers.contains_key(name));
    let said: HeaderMap = said.collect();
    (!said.is_empty()).then(|| {
        let mut parts = parts.clone();
        parts.headers.extend(said);
        parts
    })
}

fn headers(query: &str, taken: impl Fn(&str) -> bool) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    query.split('&').filter_map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = name.to_ascii_lowercase();
        let name = HeaderName::try_from(name.as_str()).ok().filter(|_| taken(&name))?;
        let value: Vec<u8> = percent_decode_str(value).collect();
        Some((name, HeaderValue::try_from(value).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn links_say_some_headers() {
        let said = |query: &str, sent: &str| {
            let request = Request::builder().uri(format!("/b/k?{query}")).header("x-amz-meta-sent", sent);
            let (parts, ()) = request.body(()).expect("a request").into_parts();
            let said = said(&parts)?;
            let mut lines: Vec<_> = said.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
            lines.sort();
            Some(lines.join(", "))
        };
        const LINK: &str = "X-Amz-Signature=s";
        let sent = "x-amz-meta-sent: \"1\"";
        for (query, expected) in [
            ("x-amz-meta-a=1".to_owned(), None),
            (LINK.to_owned(), None),
            (format!("{LINK}&x-amz-meta-sent=2"), None),
            (format!("{LINK}&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-tagging=a%3Db"), None),
            (format!("{LINK}&x-amz-meta-a=b%20c"), Some(format!("x-amz-meta-a: \"b c\", {sent}"))),
            (format!("{LINK}&X-Amz-Acl=private"), Some(format!("x-amz-acl: \"private\", {sent}"))),
            (
                "AWSAccessKeyId=a&x-amz-storage-class=GLACIER".to_owned(),
                Some(format!("{sent}, x-amz-storage-class: \"GLACIER\"")),
            ),
            (format!("{LINK}&x-amz-meta-a=%0A"), None),
            // In a link of the old kind nothing of AWS's own is passed over.
            (
                "AWSAccessKeyId=a&X-Amz-Copy-Source=%2Fb%2Fk&acl=1".to_owned(),
                Some(format!("x-amz-copy-source: \"/b/k\", {sent}")),
            ),
            (
                "AWSAccessKeyId=a&x-amz-tagging=a&marker=X-Amz-Signature=".to_owned(),
                Some(format!("{sent}, x-amz-tagging: \"a\"")),
            ),
        ] {
            assert_eq!(said(&query, "1"), expected, "{query}");
        }
    }
}
