//! What a call says of itself to policies: S3's condition keys, and the actions that it needs beside or in place of its operation's
//! own. Pure: read off the input, by the names that its members have in HTTP, so that an operation has its keys without saying so.

use std::borrow::Cow;

use contract::{SignaturePlace, Signed};
use serde_json::Value;
use wire::schema::{Member, Place};
use wire::{Shape, document};

use crate::ops::tags;

/// What the key of a tag that an object has begins with.
pub(super) const TAG: &str = "s3:ExistingObjectTag/";
/// The key that says which version is meant.
pub(super) const VERSION: &str = "s3:VersionId";

const DAY_S: i64 = 86_400;

/// What is read off an input.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Particulars {
    /// In place of the operation's own action.
    pub(super) actions: Option<Vec<&'static str>>,
    pub(super) keys: Vec<(Cow<'static, str>, String)>,
    /// The version that it names.
    pub(super) version: Option<String>,
}

/// Headers that are keys by their own names behind `s3:`; those of lists and locks are told by how they begin.
const HEADERS: [&str; 9] = [
    "x-amz-acl",
    "x-amz-copy-source",
    "x-amz-metadata-directive",
    "x-amz-object-ownership",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];

/// Actions on a version that is named, in place of those on the current one.
const VERSIONED: [(&str, &str); 8] = [
    ("s3:GetObject", "s3:GetObjectVersion"),
    ("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
    ("s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"),
    ("s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
    ("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
    ("s3:PutObjectTagging", "s3:PutObjectVersionTagging"),
    ("s3:DeleteObject", "s3:DeleteObjectVersion"),
    ("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"),
];

/// What a call that makes something needs beside, if it has such a header.
const BESIDE: [(&str, &str, &str); 11] = [
    ("s3:PutObject", "x-amz-tagging", "s3:PutObjectTagging"),
    ("s3:PutObject", "x-amz-acl", "s3:PutObjectAcl"),
    ("s3:PutObject", "x-amz-grant-", "s3:PutObjectAcl"),
    // Whoever may not read it must not find out by guessing what it is.
    ("s3:PutObject", "If-Match", "s3:GetObject"),
    ("s3:DeleteObject", "If-Match", "s3:GetObject"),
    ("s3:PutObject", "x-amz-object-lock-mode", "s3:PutObjectRetention"),
    ("s3:PutObject", "x-amz-object-lock-legal-hold", "s3:PutObjectLegalHold"),
    ("s3:CreateBucket", "x-amz-acl", "s3:PutBucketAcl"),
    ("s3:CreateBucket", "x-amz-grant-", "s3:PutBucketAcl"),
    ("s3:CreateBucket", "x-amz-object-ownership", "s3:PutBucketOwnershipControls"),
    ("s3:CreateBucket", "x-amz-bucket-object-lock-enabled", "s3:PutBucketObjectLockConfiguration"),
];

/// Whether the tags that an object has are told of that action.
pub(super) fn knows_tags(action: &str) -> bool {
    !matches!(action, "s3:PutObject" | "s3:DeleteObject" | "s3:DeleteObjectVersion")
}

/// What is told of how a request was signed. How old a signature is, is told of those that are made long before they are used.
pub(super) fn of_signature(signed: &Signed, now_ms: i64) -> Vec<(Cow<'static, str>, String)> {
    let (kind, ages) = match signed.place {
        SignaturePlace::Header => ("REST-HEADER", false),
        SignaturePlace::Query => ("REST-QUERY-STRING", true),
        SignaturePlace::Form => ("POST", true),
    };
    let version = if signed.at_ms.is_some() { "AWS4-HMAC-SHA256" } else { "AWS" };
    let mut keys = vec![("s3:authType".into(), kind.to_owned()), ("s3:signatureversion".into(), version.to_owned())];
    if ages {
        let age_ms = signed.at_ms.map_or(0, |at_ms| now_ms.saturating_sub(at_ms).max(0));
        keys.push(("s3:signatureAge".into(), age_ms.to_string()));
    }
    keys.extend(signed.content.as_ref().map(|content| ("s3:x-amz-content-sha256".into(), content.to_string())));
    keys
}

impl Particulars {
    /// Reads an input, if the call has one.
    pub(super) fn read(actions: &[&str], input: Option<&dyn Shape>, now_ms: i64) -> Self {
        let mut read = Self::default();
        let (Some(input), [action]) = (input, actions) else { return read };
        let mut own = None;
        for (at, value) in members(input) {
            match at.place {
                Place::Query => read.query(action, at.wire, &value),
                Place::Header => read.header(action, at.wire, &value, now_ms),
                Place::Body => read.body(at.name, &value, now_ms),
                Place::Headers | Place::Uri | Place::QueryRest | Place::Status => {}
            }
        }
        if read.version.is_some() {
            own = VERSIONED.iter().find(|(current, _)| current == action).map(|(_, versioned)| *versioned);
        }
        match (&mut read.actions, own) {
            (Some(actions), Some(versioned)) => {
                actions.iter_mut().filter(|own| *own == action).for_each(|own| *own = versioned);
            }
            (None, Some(versioned)) => read.actions = Some(vec![versioned]),
            (Some(actions), None) => actions.dedup(),
            (None, None) => {}
        }
        read
    }

    fn add(&mut self, key: impl Into<Cow<'static, str>>, value: String) {
        self.keys.push((key.into(), value));
    }

    fn query(&mut self, action: &str, name: &str, value: &Value) {
        let listing = matches!(action, "s3:ListBucket" | "s3:ListBucketVersions");
        match name {
            "prefix" if listing => self.add("s3:prefix", text(value)),
            "delimiter" if listing => self.add("s3:delimiter", text(value)),
            "max-keys" if listing => self.add("s3:max-keys", text(value)),
            "versionId" => {
                self.add(VERSION, text(value));
                self.version = Some(text(value));
            }
            _ => {}
        }
    }

    fn header(&mut self, action: &str, name: &str, value: &Value, now_ms: i64) {
        let beside = BESIDE.iter().filter(|(of, header, _)| of == &action && name.starts_with(header));
        for (own, _, beside) in beside.filter(|_| *value != Value::Bool(false)) {
            self.actions.get_or_insert_with(|| vec![own]).push(beside);
        }
        match name {
            "x-amz-tagging" => self.tags(&tags(value.as_str()).unwrap_or_default()),
            "x-amz-object-lock-retain-until-date" => self.retained(value, now_ms),
            "x-amz-object-lock-mode" | "x-amz-object-lock-legal-hold" => {
                self.add(format!("s3:{}", &name["x-amz-".len()..]), text(value));
            }
            "If-Match" | "If-None-Match" if action == "s3:PutObject" => {
                self.add(format!("s3:{}", name.to_ascii_lowercase()), text(value));
            }
            _ if HEADERS.contains(&name) || name.starts_with("x-amz-grant-") => {
                self.add(format!("s3:{name}"), text(value));
            }
            _ => {}
        }
    }

    fn body(&mut self, name: &str, value: &Value, now_ms: i64) {
        match name {
            "Tagging" => {
                let pair = |tag: &Value| (text(&tag["Key"]), text(&tag["Value"]));
                self.tags(&value["TagSet"].as_array().into_iter().flatten().map(pair).collect());
            }
            "Retention" => {
                if let Some(mode) = value["Mode"].as_str() {
                    self.add("s3:object-lock-mode", mode.to_owned());
                }
                self.retained(&value["RetainUntilDate"], now_ms);
            }
            "LegalHold" => {
                if let Some(status) = value["Status"].as_str() {
                    self.add("s3:object-lock-legal-hold", status.to_owned());
                }
            }
            "CreateBucketConfiguration" => {
                if let Some(place) = value["LocationConstraint"].as_str() {
                    self.add("s3:LocationConstraint", place.to_owned());
                }
            }
            _ => {}
        }
    }

    fn tags(&mut self, tags: &std::collections::BTreeMap<String, String>) {
        for (key, value) in tags {
            self.add(format!("s3:RequestObjectTag/{key}"), value.clone());
            self.add("s3:RequestObjectTagKeys", key.clone());
        }
    }

    /// A point in time, as documents have it: in seconds.
    fn retained(&mut self, until: &Value, now_ms: i64) {
        let Some(until) = until.as_f64() else { return };
        let until = until as i64;
        let left = until.saturating_sub(now_ms.div_euclid(1000)).max(0);
        // A day that has begun is a day.
        let days = left / DAY_S + i64::from(left % DAY_S > 0);
        self.add("s3:object-lock-retain-until-date", until.to_string());
        self.add("s3:object-lock-remaining-retention-days", days.to_string());
    }
}

/// What an input says in its head, and the few documents that have keys of their own: bodies are not looked at.
fn members(input: &dyn Shape) -> impl Iterator<Item = (&'static Member, Value)> {
    const DOCUMENTS: [&str; 4] = ["Tagging", "Retention", "LegalHold", "CreateBucketConfiguration"];
    let told = |at: &Member| match at.place {
        Place::Query | Place::Header => true,
        Place::Body => DOCUMENTS.contains(&at.name),
        Place::Headers | Place::Uri | Place::QueryRest | Place::Status => false,
    };
    let members = input.schema().members().iter().enumerate().filter(move |(_, at)| told(at));
    members
        .map(|(index, at)| (at, input.member(index)))
        .filter(|(_, value)| !value.is_absent())
        .map(|(at, value)| (at, document::write_value(value, at)))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wire::s3;

    use super::*;

    fn keys(action: &str, input: &dyn Shape) -> (Vec<&'static str>, BTreeMap<String, String>) {
        let read = Particulars::read(&[action], Some(input), 1_000_000);
        let keys = read.keys.into_iter().map(|(key, value)| (key.into_owned(), value)).collect();
        (read.actions.unwrap_or_default(), keys)
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_listed_is_told() {
        let input = s3::ListObjectsV2Request {
            prefix: Some("home/".into()),
            delimiter: Some("/".into()),
            max_keys: Some(10),
            ..s3::ListObjectsV2Request::default()
        };
        let expected = map(&[("s3:prefix", "home/"), ("s3:delimiter", "/"), ("s3:max-keys", "10")]);
        assert_eq!(keys("s3:ListBucket", &input), (vec![], expected));
        assert_eq!(keys("s3:ListBucket", &s3::ListObjectsV2Request::default()), (vec![], map(&[])));
    }

    #[test]
    fn what_is_put_is_told_and_needs_rights_of_its_own() {
        let input = s3::PutObjectRequest {
            acl: Some("public-read".into()),
            server_side_encryption: Some("AES256".into()),
            tagging: Some("team=a&cost=b".into()),
            if_none_match: Some("*".into()),
            ..s3::PutObjectRequest::default()
        };
        let expected = map(&[
            ("s3:x-amz-acl", "public-read"),
            ("s3:x-amz-server-side-encryption", "AES256"),
            ("s3:RequestObjectTag/team", "a"),
            ("s3:RequestObjectTag/cost", "b"),
            ("s3:RequestObjectTagKeys", "team"),
            ("s3:if-none-match", "*"),
        ]);
        let (mut actions, found) = keys("s3:PutObject", &input);
        actions.sort_unstable();
        assert_eq!(actions, ["s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectTagging"]);
        assert_eq!(found, expected);
    }

    #[test]
    fn how_a_request_was_signed_is_told() {
        let signed =
            |place, content: Option<&str>| Signed { place, at_ms: Some(1_000), content: content.map(Into::into) };
        let told = |signed: &Signed| -> BTreeMap<String, String> {
            of_signature(signed, 61_000).into_iter().map(|(key, value)| (key.into_owned(), value)).collect()
        };
        let version = ("s3:signatureversion", "AWS4-HMAC-SHA256");
        let header = [version, ("s3:authType", "REST-HEADER"), ("s3:x-amz-content-sha256", "UNSIGNED-PAYLOAD")];
        assert_eq!(told(&signed(SignaturePlace::Header, Some("UNSIGNED-PAYLOAD"))), map(&header));
        let query = [version, ("s3:authType", "REST-QUERY-STRING"), ("s3:signatureAge", "60000")];
        assert_eq!(told(&signed(SignaturePlace::Query, None)), map(&query));
        let form = [version, ("s3:authType", "POST"), ("s3:signatureAge", "60000")];
        assert_eq!(told(&signed(SignaturePlace::Form, None)), map(&form));
        let old = Signed { at_ms: None, ..signed(SignaturePlace::Query, None) };
        let expected = [("s3:signatureversion", "AWS"), ("s3:authType", "REST-QUERY-STRING"), ("s3:signatureAge", "0")];
        assert_eq!(told(&old), map(&expected));
    }

    #[test]
    fn versions_have_actions_of_their_own() {
        let input = s3::GetObjectRequest { version_id: Some("v".into()), ..s3::GetObjectRequest::default() };
        assert_eq!(keys("s3:GetObject", &input), (vec!["s3:GetObjectVersion"], map(&[("s3:VersionId", "v")])));
        let mut input = s3::DeleteObjectRequest { version_id: Some("v".into()), ..s3::DeleteObjectRequest::default() };
        assert_eq!(keys("s3:DeleteObject", &input).0, ["s3:DeleteObjectVersion"]);
        input.if_match = Some("*".into());
        assert_eq!(keys("s3:DeleteObject", &input).0, ["s3:DeleteObjectVersion", "s3:GetObject"]);
        input.version_id = None;
        assert_eq!(keys("s3:DeleteObject", &input).0, ["s3:DeleteObject", "s3:GetObject"]);
        assert_eq!(keys("s3:GetObject", &s3::GetObjectRequest::default()), (vec![], map(&[])));
    }

    #[test]
    fn locks_and_places_are_told() {
        let until = jiff::Timestamp::from_second(1_000 + 36 * 3600).expect("a time");
        let retention = s3::ObjectLockRetention {
            mode: Some(s3::ObjectLockRetentionMode::Compliance),
            retain_until_date: Some(until),
        };
        let input =
            s3::PutObjectRetentionRequest { retention: Some(retention), ..s3::PutObjectRetentionRequest::default() };
        let expected = map(&[
            ("s3:object-lock-mode", "COMPLIANCE"),
            ("s3:object-lock-retain-until-date", "130600"),
            ("s3:object-lock-remaining-retention-days", "2"),
        ]);
        assert_eq!(keys("s3:PutObjectRetention", &input), (vec![], expected));
        let configuration = s3::CreateBucketConfiguration {
            location_constraint: Some("eu-west-1".into()),
            ..s3::CreateBucketConfiguration::default()
        };
        let input = s3::CreateBucketRequest {
            create_bucket_configuration: Some(configuration),
            object_lock_enabled_for_bucket: Some(false),
            ..s3::CreateBucketRequest::default()
        };
        assert_eq!(keys("s3:CreateBucket", &input), (vec![], map(&[("s3:LocationConstraint", "eu-west-1")])));
    }
}
