//! Signature Version 2, where S3's clients still make it: in links and in forms' policies, and in the headers of those that know no
//! other. AWS's own Python library signs links so in its first region, unless it is told not to.
//!
//! Of a query string the old way signs only some words. What is not signed could be added by whoever has the link, or stands between,
//! so that words which are neither signed nor mere details of a listing are refused. Nor does what is signed tell where a value ends and the next word
//! begins, or whether a header of AWS's own was sent as one or stood in the link: values that could be read both ways are refused, and
//! whoever carries the request out must take all `x-amz-*` words of the link for the headers of that name.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, DATE};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use crate::claim::{parameter, read_time};
use crate::verify::SKEW_MAX;
use crate::{Head, Refusal, key};

const AMZ_DATE: &str = "x-amz-date";

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

/// What a request claims that was signed the old way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldClaim {
    /// Who it says it is.
    pub access_key: String,
    /// The session token, for temporary credentials.
    pub session_token: Option<String>,
    /// Where it stood.
    pub place: OldPlace,
    signature: String,
}

/// Where a claim of the old way stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldPlace {
    /// In the `Authorization` header.
    Header {
        /// When it says that it was signed.
        time: Timestamp,
    },
    /// In the query string.
    Link {
        /// Until when it is good.
        expires: Timestamp,
    },
}

impl OldClaim {
    /// Reads what a request claims, in its header or else in its query string; nothing if it is of another kind.
    pub fn read(head: &Head<'_>) -> Option<Result<Self, Refusal>> {
        Self::read_header(head.headers).or_else(|| Self::read_link(head.query))
    }

    fn read_link(query: &str) -> Option<Result<Self, Refusal>> {
        let access_key = parameter(query, "AWSAccessKeyId")?;
        let read = || {
            let expires = Timestamp::from_second(parameter(query, "Expires")?.parse().ok()?).ok()?;
            Some(Self {
                access_key,
                session_token: parameter(query, "x-amz-security-token"),
                place: OldPlace::Link { expires },
                signature: parameter(query, "Signature")?,
            })
        };
        let complaint = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters";
        Some(read().ok_or_else(|| Refusal::Invalid(complaint.into())))
    }

    /// Reads what the header claims alone.
    pub fn read_header(headers: &HeaderMap) -> Option<Result<Self, Refusal>> {
        let claim = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().strip_prefix("AWS ")?;
        let Some((access_key, signature)) = claim.trim().split_once(':') else {
            let complaint = "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature";
            return Some(Err(Refusal::Incomplete(complaint.into())));
        };
        let said = [AMZ_DATE, DATE.as_str()].into_iter().find(|name| headers.contains_key(*name));
        let Some(time) = said.and_then(|name| read_time(&joined(headers, name))) else {
            let complaint = "AWS authentication requires a valid Date or x-amz-date header";
            return Some(Err(Refusal::Invalid(complaint.into())));
        };
        let token = headers.get("x-amz-security-token").and_then(|value| value.to_str().ok());
        Some(Ok(Self {
            access_key: access_key.to_owned(),
            session_token: token.map(str::to_owned),
            place: OldPlace::Header { time },
            signature: signature.to_owned(),
        }))
    }

    /// Whether the claim is of our time: a header's is of the 15 minutes around now, a link's of all before it ends.
    pub fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.place {
            OldPlace::Link { expires } if expires < now => Err(Refusal::Expired("Request has expired".into())),
            OldPlace::Header { time } if time < now - SKEW_MAX || time > now + SKEW_MAX => {
                let complaint = "The difference between the request time and the current time is too large.";
                Err(Refusal::Expired(complaint.into()))
            }
            OldPlace::Link { .. } | OldPlace::Header { .. } => Ok(()),
        }
    }

    /// Whether the request was signed with that secret. `resource` is its path as sent, with the bucket in front.
    pub fn check_signature(&self, head: &Head<'_>, resource: &str, secret: &str) -> Result<(), Refusal> {
        let words = words(head.query);
        // What a link says in place of a header is signed like one; a request that sends its own need say nothing in such a way.
        let (what, is_link) = match self.place {
            OldPlace::Link { .. } => ("Links", true),
            OldPlace::Header { .. } => ("Headers", false),
        };
        let is_known = |word: &str| is_signed(word) || HARMLESS.contains(&word) || (is_link && is_amz(word));
        if let Some((unknown, _)) = words.iter().find(|(word, _)| !is_known(word)) {
            let unknown: String = unknown.chars().take(64).collect();
            return Err(Refusal::Invalid(format!("{what} of Signature Version 2 do not sign '{unknown}'.")));
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
        let (md5, kind) = (joined(head.headers, "content-md5"), joined(head.headers, "content-type"));
        let date = match self.place {
            OldPlace::Link { expires } => expires.as_second().to_string(),
            // It is among AWS's own headers then, and the other one counts for nothing.
            OldPlace::Header { .. } if head.headers.contains_key(AMZ_DATE) => String::new(),
            OldPlace::Header { .. } => joined(head.headers, DATE.as_str()),
        };
        let mut text = format!("{}\n{md5}\n{kind}\n{date}\n", head.method);
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

/// All that a header says, as it is signed.
fn joined(headers: &HeaderMap, name: &str) -> String {
    let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
    values.collect::<Vec<_>>().join(",")
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
    use http::HeaderName;

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn check(query: &str, headers: &HeaderMap, resource: &str) -> Result<(), Refusal> {
        let link = OldClaim::read_link(query).expect("of the old kind")?;
        let head = Head { method: "GET", path: "/photos/puppy.jpg", query, host: "localhost", headers };
        link.check_signature(&head, resource, SECRET)
    }

    #[test]
    fn links_are_good_as_they_were_signed() {
        let query = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=SIGNED&Expires=1795318745";
        let link = OldClaim::read_link(query).expect("of the old kind").expect("whole");
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
            let link = OldClaim::read_link(&query).expect("of the old kind").expect("whole");
            let text = link.string_to_sign(&head(&query, &none), &words(&query), "/b/k");
            let signature = sign(SECRET, &text).replace('+', "%2B").replace('=', "%3D");
            let check = |query: &str| {
                let query = query.replace("SIGNED", &signature);
                let link = OldClaim::read_link(&query).expect("of the old kind").expect("whole");
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
        let link = OldClaim::read_link(query).expect("of the old kind").expect("whole");
        let head = Head { method: "PUT", path: "", query, host: "", headers: &headers };
        let text = link.string_to_sign(&head, &words(query), "/b/k");
        let expected = "PUT\n\ntext/plain\n1\nx-amz-meta-b:1,2\nx-amz-security-token:t\n/b/k?acl&uploads&versionId=3/4";
        assert_eq!(text, expected);
        assert_eq!(link.session_token.as_deref(), Some("t"));
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let value = |value: &str| http::HeaderValue::from_str(value).expect("a value");
        all.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
    }

    #[test]
    fn headers_sign_as_links_do_with_a_date_of_their_own() {
        const SENT: [(&str, &str); 3] =
            [("date", "Tue, 27 Mar 2007 21:15:45 +0000"), ("content-type", "image/jpeg"), ("content-length", "94328")];
        // The examples of S3's own documentation, with the signatures that they give.
        for (method, path, query, sent, signature, text) in [
            (
                "GET",
                "/awsexamplebucket1/photos/puppy.jpg",
                "",
                vec![("date", "Tue, 27 Mar 2007 19:36:42 +0000")],
                "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
                "GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/awsexamplebucket1/photos/puppy.jpg",
            ),
            (
                "PUT",
                "/awsexamplebucket1/photos/puppy.jpg",
                "",
                SENT.to_vec(),
                "iqRzw+ileNPu1fhspnRs8nOjjIA=",
                "PUT\n\nimage/jpeg\nTue, 27 Mar 2007 21:15:45 +0000\n/awsexamplebucket1/photos/puppy.jpg",
            ),
            (
                "GET",
                "/awsexamplebucket1/",
                "prefix=photos&max-keys=50&marker=puppy",
                vec![("date", "Tue, 27 Mar 2007 19:42:41 +0000")],
                "m0WP8eCtspQl5Ahe6L1SozdX9YA=",
                "GET\n\n\nTue, 27 Mar 2007 19:42:41 +0000\n/awsexamplebucket1/",
            ),
            (
                "GET",
                "/awsexamplebucket1/",
                "acl",
                vec![("date", "Tue, 27 Mar 2007 19:44:46 +0000")],
                "82ZHiFIjc+WbcwFKGUVEQspPn+0=",
                "GET\n\n\nTue, 27 Mar 2007 19:44:46 +0000\n/awsexamplebucket1/?acl",
            ),
        ] {
            let mut all = headers(&sent);
            let authorization = format!("AWS AKIAIOSFODNN7EXAMPLE:{signature}");
            all.insert(AUTHORIZATION, authorization.parse().expect("a value"));
            let head = Head { method, path, query, host: "", headers: &all };
            let claim = OldClaim::read(&head).expect("of the old kind").expect("whole");
            assert_eq!(claim.string_to_sign(&head, &words(query), path), text);
            assert_eq!(claim.check_signature(&head, path, SECRET), Ok(()), "{method} {path}?{query}");
            for unsigned in ["retention", "x-amz-acl=public-read", "encryption", "acl&acl"] {
                let query = format!("{query}&{unsigned}");
                let changed = Head { query: &query, ..head };
                assert!(claim.check_signature(&changed, path, SECRET).is_err(), "{query}");
            }
            let mut more = all.clone();
            more.insert("x-amz-acl", "public-read".parse().expect("a value"));
            assert!(claim.check_signature(&Head { headers: &more, ..head }, path, SECRET).is_err());
        }
    }

    #[test]
    fn headers_are_of_our_time() {
        const NOW: i64 = 1_795_318_745;
        let at = |second| Timestamp::from_second(second).expect("a time");
        let http = |second| at(second).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        for (date, amz_date, expected) in [
            (Some(http(NOW)), None, Some(true)),
            (Some(http(NOW - 900)), None, Some(true)),
            (Some(http(NOW - 901)), None, Some(false)),
            (Some(http(NOW + 900)), None, Some(true)),
            (Some(http(NOW + 901)), None, Some(false)),
            // The one that is AWS's own counts alone.
            (Some(http(0)), Some(http(NOW)), Some(true)),
            (Some(http(NOW)), Some(http(0)), Some(false)),
            (None, Some(crate::claim::write_time(at(NOW))), Some(true)),
            (None, None, None),
            (Some("today".into()), None, None),
            (Some(http(NOW)), Some("today".into()), None),
        ] {
            let mut all = headers(&[("authorization", "AWS a:s")]);
            for (name, value) in [(DATE, &date), (HeaderName::from_static(AMZ_DATE), &amz_date)] {
                all.extend(value.as_ref().map(|value| (name, value.parse().expect("a value"))));
            }
            let head = Head { method: "GET", path: "/", query: "", host: "", headers: &all };
            let read = OldClaim::read(&head).expect("of the old kind");
            let found = read.as_ref().ok().map(|claim| claim.check_time(at(NOW)).is_ok());
            assert_eq!(found, expected, "{date:?} {amz_date:?}");
            if let (Ok(claim), Some(_)) = (&read, &amz_date) {
                assert!(claim.string_to_sign(&head, &[], "/").starts_with("GET\n\n\n\nx-amz-date:"));
            }
        }
        let none = headers(&[("date", "Tue, 27 Mar 2007 19:36:42 +0000"), ("authorization", "AWS key")]);
        assert!(matches!(OldClaim::read_header(&none), Some(Err(Refusal::Incomplete(_)))));
        assert_eq!(OldClaim::read_header(&headers(&[("authorization", "AWS4-HMAC-SHA256 a:b")])), None);
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
            assert_eq!(OldClaim::read_link(query).map(|read| read.is_ok()), expected, "{query}");
        }
        let policy = "eyJ9";
        assert_eq!(check_old_policy(policy, &sign(SECRET, policy), SECRET), Ok(()));
        assert!(check_old_policy(policy, &sign("other", policy), SECRET).is_err());
    }
}
