//! Signature Version 2, where S3's clients still make it by themselves: in links and in forms' policies. AWS's own Python library signs
//! links so in its first region, unless it is told not to.
//!
//! Of a link's query string the old way signs only some words. What is not signed could be added by whoever has the link, so that words
//! which are neither signed nor mere details of a listing are refused. Nor does what is signed tell where a value ends and the next word
//! begins, or whether a header of AWS's own was sent as one or stood in the link: values that could be read both ways are refused, and
//! whoever carries the request out must take all `x-amz-*` words of the link for the headers of that name.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use crate::claim::parameter;
use crate::{Head, Refusal, key};

/// Words of the query string that are signed.
const SIGNED: [&str; 35] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];
/// Words that are not signed and change nothing but what a listing shows, or nothing at all.
const HARMLESS: [&str; 21] = [
    "AWSAccessKeyId",
    "Expires",
    "Signature",
    "content-md5",
    "content-type",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "list-type",
    "marker",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "prefix",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
    "x-id",
];

/// What a link claims that was signed the old way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldLink {
    /// Who it says it is.
    pub access_key: String,
    /// The session token, for temporary credentials.
    pub session_token: Option<String>,
    /// Until when it is good.
    pub expires: Timestamp,
    signature: String,
}

impl OldLink {
    /// Reads what a query string claims; nothing if it is of another kind.
    pub fn read(query: &str) -> Option<Result<Self, Refusal>> {
        let access_key = parameter(query, "AWSAccessKeyId")?;
        let read = || {
            let expires = parameter(query, "Expires")?.parse().ok()?;
            Some(Self {
                access_key,
                session_token: parameter(query, "x-amz-security-token"),
                expires: Timestamp::from_second(expires).ok()?,
                signature: parameter(query, "Signature")?,
            })
        };
        let complaint = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters";
        Some(read().ok_or_else(|| Refusal::Incomplete(complaint.into())))
    }

    /// Whether the link is still good.
    pub fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.expires < now {
            true => Err(Refusal::Expired("Request has expired".into())),
            false => Ok(()),
        }
    }

    /// Whether the request was signed with that secret. `resource` is its path as sent, with the bucket in front.
    pub fn check_signature(&self, head: &Head<'_>, resource: &str, secret: &str) -> Result<(), Refusal> {
        let words = words(head.query);
        let is_known = |word: &str| is_signed(word) || HARMLESS.contains(&word) || is_amz(word);
        if let Some((unknown, _)) = words.iter().find(|(word, _)| !is_known(word)) {
            let unknown: String = unknown.chars().take(64).collect();
            return Err(Refusal::Invalid(format!("Links of Signature Version 2 do not sign '{unknown}'.")));
        }
        if let Some((double, _)) = words.iter().find(|(word, value)| means_more(word, value.as_deref())) {
            let complaint = format!("The value of '{double}' cannot be signed with Signature Version 2.");
            return Err(Refusal::Invalid(complaint));
        }
        let string_to_sign = self.string_to_sign(head, &words, resource);
        match key::same(&sign(secret, &string_to_sign), &self.signature) {
            true => Ok(()),
            false => Err(Refusal::Mismatch { canonical: String::new(), string_to_sign }),
        }
    }

    fn string_to_sign(&self, head: &Head<'_>, words: &[(&str, Option<String>)], resource: &str) -> String {
        let header = |name: &str| {
            let values = head.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
            values.map(|value| value.trim().to_owned()).collect::<Vec<_>>().join(",")
        };
        let (md5, kind) = (header("content-md5"), header("content-type"));
        let mut text = format!("{}\n{md5}\n{kind}\n{}\n", head.method, self.expires.as_second());
        for (name, value) in amz_headers(head, words) {
            text += &format!("{name}:{value}\n");
        }
        text += resource;
        let mut signed: Vec<_> = words.iter().filter(|(word, _)| is_signed(word)).collect();
        signed.sort();
        for (index, (word, value)) in signed.into_iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text += word;
            if let Some(value) = value {
                text.push('=');
                text += value;
            }
        }
        text
    }
}

/// Whether a form's policy was signed the old way with that secret.
pub fn check_old_policy(policy: &str, signature: &str, secret: &str) -> Result<(), Refusal> {
    match key::same(&sign(secret, policy), signature) {
        true => Ok(()),
        false => Err(Refusal::Mismatch { canonical: String::new(), string_to_sign: policy.to_owned() }),
    }
}

fn sign(secret: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

fn is_signed(word: &str) -> bool {
    SIGNED.contains(&word)
}

fn is_amz(word: &str) -> bool {
    word.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
}

/// Whether a word's value would be signed like a shorter one with more words or lines behind it.
fn means_more(word: &str, value: Option<&str>) -> bool {
    let value = value.unwrap_or_default();
    let has_word = || value.split('&').skip(1).any(|rest| is_signed(rest.split('=').next().unwrap_or_default()));
    (is_signed(word) || is_amz(word)) && (value.contains(|letter: char| letter.is_ascii_control()) || has_word())
}

/// The words of a query string, values decoded.
fn words(query: &str) -> Vec<(&str, Option<String>)> {
    let decode = |value: &str| percent_decode_str(value).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').map_or((pair, None), |(word, value)| (word, Some(decode(value))))).collect()
}

/// AWS's own headers, in order; what a link says in their place counts as they do, where they are not sent.
fn amz_headers(head: &Head<'_>, words: &[(&str, Option<String>)]) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in head.headers.iter().filter(|(name, _)| is_amz(name.as_str())) {
        let value = String::from_utf8_lossy(value.as_bytes()).trim().to_owned();
        found.entry(name.as_str().to_owned()).or_default().push(value);
    }
    for (word, value) in words.iter().filter(|(word, _)| is_amz(word)) {
        let name = word.to_ascii_lowercase();
        if !head.headers.contains_key(&name) {
            found.entry(name).or_default().push(value.clone().unwrap_or_default());
        }
    }
    found.into_iter().map(|(name, values)| (name, values.join(","))).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn check(query: &str, headers: &HeaderMap, resource: &str) -> Result<(), Refusal> {
        let link = OldLink::read(query).expect("of the old kind")?;
        let head = Head { method: "GET", path: "/photos/puppy.jpg", query, host: "localhost", headers };
        link.check_signature(&head, resource, SECRET)
    }

    #[test]
    fn links_are_good_as_they_were_signed() {
        let query = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=SIGNED&Expires=1795318745";
        let link = OldLink::read(query).expect("of the old kind").expect("whole");
        let text = link.string_to_sign(
            &Head { method: "GET", path: "", query, host: "", headers: &HeaderMap::new() },
            &words(query),
            "/bucket/a%20b",
        );
        assert_eq!(text, "GET\n\n\n1795318745\n/bucket/a%20b");
        let signed = query.replace("SIGNED", &sign(SECRET, &text).replace('+', "%2B").replace('=', "%3D"));
        let none = HeaderMap::new();
        assert_eq!(check(&signed, &none, "/bucket/a%20b"), Ok(()));
        assert_eq!(check(&format!("{signed}&max-keys=2&x-id=GetObject"), &none, "/bucket/a%20b"), Ok(()));
        for changed in [
            format!("{signed}&acl"),
            format!("{signed}&versionId=1"),
            format!("{signed}&response-content-type=text/html"),
            format!("{signed}&x-amz-acl=public-read"),
            format!("{signed}&website"),
        ] {
            assert!(matches!(check(&changed, &none, "/bucket/a%20b"), Err(Refusal::Mismatch { .. })), "{changed}");
        }
        for unknown in ["retention", "legal-hold=1", "attributes", "encryption"] {
            let changed = format!("{signed}&{unknown}");
            assert!(matches!(check(&changed, &none, "/bucket/a%20b"), Err(Refusal::Invalid(_))), "{unknown}");
        }
        assert!(check(&signed, &none, "/bucket/other").is_err());
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-meta-a", "1".parse().expect("a value"));
        assert!(check(&signed, &headers, "/bucket/a%20b").is_err());
        let now = |second| Timestamp::from_second(second).expect("a time");
        assert!(link.check_time(now(1_795_318_745)).is_ok());
        assert!(link.check_time(now(1_795_318_746)).is_err());
    }

    #[test]
    fn what_was_signed_cannot_be_read_in_another_way() {
        const LINK: &str = "AWSAccessKeyId=a&Signature=SIGNED&Expires=1795318745";
        let none = HeaderMap::new();
        fn head<'a>(query: &'a str, headers: &'a HeaderMap) -> Head<'a> {
            Head { method: "PUT", path: "", query, host: "", headers }
        }
        for (signed, changed) in [
            // A part of an upload is not the whole object, and one version is not the current one.
            ("&partNumber=1&uploadId=u", "&partNumber=1%26uploadId=u"),
            ("&response-expires=x&versionId=1", "&response-expires=x%26versionId%3D1"),
            ("&response-expires=x&versionId", "&response-expires=x%26versionId"),
            ("&x-amz-acl=private&x-amz-meta-a=1", "&x-amz-acl=private%0Ax-amz-meta-a:1"),
            ("&x-amz-meta-a=1", "&x-amz-meta-a=1&x-amz-meta-a=2"),
            ("&x-amz-meta-a=1", "&x-amz-meta-a=1&X-Amz-Meta-A=2"),
        ] {
            let query = format!("{LINK}{signed}");
            let link = OldLink::read(&query).expect("of the old kind").expect("whole");
            let text = link.string_to_sign(&head(&query, &none), &words(&query), "/b/k");
            let signature = sign(SECRET, &text).replace('+', "%2B").replace('=', "%3D");
            let check = |query: &str| {
                let query = query.replace("SIGNED", &signature);
                let link = OldLink::read(&query).expect("of the old kind").expect("whole");
                link.check_signature(&head(&query, &none), "/b/k", SECRET)
            };
            assert_eq!(check(&query), Ok(()), "{signed}");
            assert!(check(&format!("{LINK}{changed}")).is_err(), "{changed}");
        }
        assert!(!means_more("response-content-disposition", Some("attachment; filename=\"this & that=1.pdf\"")));
    }

    #[test]
    fn what_is_signed_is_in_order() {
        let query =
            "AWSAccessKeyId=a&uploads&Expires=1&Signature=s&versionId=3%2F4&acl&x-amz-security-token=t&prefix=p";
        let mut headers = HeaderMap::new();
        headers.append("x-amz-meta-b", " 1 ".parse().expect("a value"));
        headers.append("x-amz-meta-b", "2".parse().expect("a value"));
        headers.insert("content-type", "text/plain".parse().expect("a value"));
        let link = OldLink::read(query).expect("of the old kind").expect("whole");
        let head = Head { method: "PUT", path: "", query, host: "", headers: &headers };
        let text = link.string_to_sign(&head, &words(query), "/b/k");
        let expected = "PUT\n\ntext/plain\n1\nx-amz-meta-b:1,2\nx-amz-security-token:t\n/b/k?acl&uploads&versionId=3/4";
        assert_eq!(text, expected);
        assert_eq!(link.session_token.as_deref(), Some("t"));
    }

    #[test]
    fn what_is_missing_is_told() {
        for (query, expected) in [
            ("", None),
            ("X-Amz-Algorithm=AWS4-HMAC-SHA256", None),
            ("AWSAccessKeyId=a", Some(false)),
            ("AWSAccessKeyId=a&Signature=s", Some(false)),
            ("AWSAccessKeyId=a&Signature=s&Expires=soon", Some(false)),
            ("AWSAccessKeyId=a&Signature=s&Expires=9999999999999999", Some(false)),
            ("AWSAccessKeyId=a&Signature=s&Expires=1", Some(true)),
        ] {
            assert_eq!(OldLink::read(query).map(|read| read.is_ok()), expected, "{query}");
        }
        let policy = "eyJ9";
        assert_eq!(check_old_policy(policy, &sign(SECRET, policy), SECRET), Ok(()));
        assert!(check_old_policy(policy, &sign("other", policy), SECRET).is_err());
    }
}
