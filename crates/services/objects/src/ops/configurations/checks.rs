//! What a document must be before it is kept, beyond what its model says. Pure.

use std::collections::{BTreeMap, BTreeSet};

use contract::Fault;
use wire::s3;

use crate::error::{invalid_argument, malformed_xml, refused};
use crate::ops::about::check_tags;

/// The most rules of a bucket's lifecycle.
const LIFECYCLE_RULES_MAX: usize = 1000;
/// The most rules that let pages of other origins in.
const CORS_RULES_MAX: usize = 100;
/// The most rules of a website.
const ROUTING_RULES_MAX: usize = 50;
/// The most tags of a bucket.
const TAGS_MAX: usize = 50;

pub(super) fn nothing<T>(_document: &T) -> Result<(), Fault> {
    Ok(())
}

/// The id in the address and the one in the document.
pub(super) fn id(asked: &str, said: &str) -> Result<(), Fault> {
    match asked == said {
        true => Ok(()),
        false => Err(malformed_xml()),
    }
}

pub(super) fn cors(configuration: &s3::CORSConfiguration) -> Result<(), Fault> {
    const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];
    let rules = &configuration.cors_rules;
    if rules.is_empty() || rules.len() > CORS_RULES_MAX {
        return Err(malformed_xml());
    }
    for rule in rules {
        if let Some(method) = rule.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            let message = format!("Found unsupported HTTP method in CORS config. Unsupported method is {method}");
            return Err(refused(400, "InvalidRequest", message));
        }
        if rule.allowed_methods.is_empty() || rule.allowed_origins.is_empty() {
            return Err(malformed_xml());
        }
        if let Some(origin) = rule.allowed_origins.iter().find(|origin| origin.matches('*').count() > 1) {
            let message = format!("AllowedOrigin \"{origin}\" can not have more than one wildcard.");
            return Err(refused(400, "InvalidRequest", message));
        }
        let headers = rule.allowed_headers.as_deref().unwrap_or_default();
        if let Some(header) = headers.iter().find(|header| header.matches('*').count() > 1) {
            let message = format!("AllowedHeader \"{header}\" can not have more than one wildcard.");
            return Err(refused(400, "InvalidRequest", message));
        }
    }
    Ok(())
}

pub(super) fn encryption(configuration: &s3::ServerSideEncryptionConfiguration) -> Result<(), Fault> {
    let [rule] = &configuration.rules[..] else { return Err(malformed_xml()) };
    let default = rule.apply_server_side_encryption_by_default.as_ref();
    match default.map(|default| (default.sse_algorithm.as_str(), default.kms_master_key_id.is_some())) {
        None | Some(("AES256", false) | ("aws:kms", _)) => Ok(()),
        Some(("AES256", true)) => {
            let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms";
            Err(invalid_argument(message, "KMSMasterKeyID", ""))
        }
        Some(("aws:kms:dsse", _)) => {
            let message = "A header you provided implies functionality that is not implemented: aws:kms:dsse.";
            Err(refused(501, "NotImplemented", message))
        }
        Some(_) => Err(malformed_xml()),
    }
}

/// Gives rules without an id one.
pub(super) fn lifecycle(configuration: &mut s3::BucketLifecycleConfiguration) -> Result<(), Fault> {
    let rules = &mut configuration.rules;
    if rules.is_empty() || rules.len() > LIFECYCLE_RULES_MAX {
        return Err(malformed_xml());
    }
    if rules.iter().any(|rule| rule.filter.is_some()) && rules.iter().any(|rule| rule.filter.is_none()) {
        let message = "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.";
        return Err(refused(400, "InvalidRequest", message));
    }
    let mut ids = BTreeSet::new();
    for (index, rule) in rules.iter_mut().enumerate() {
        lifecycle_rule(rule)?;
        let id = rule.id.get_or_insert_with(|| {
            hex::encode(&checksum::of(checksum::Algorithm::Sha1, format!("rule {index}").as_bytes())[..12])
        });
        if id.len() > 255 || !ids.insert(id.clone()) {
            let message = if id.len() > 255 {
                "ID length should not exceed allowed limit of 255"
            } else {
                "Rule ID must be unique. Found same ID for more than one rule"
            };
            return Err(invalid_argument(message, "ID", id));
        }
    }
    Ok(())
}

fn lifecycle_rule(rule: &s3::LifecycleRule) -> Result<(), Fault> {
    let acts = rule.expiration.is_some()
        || rule.noncurrent_version_expiration.is_some()
        || rule.abort_incomplete_multipart_upload.is_some()
        || rule.transitions.as_ref().is_some_and(|list| !list.is_empty())
        || rule.noncurrent_version_transitions.as_ref().is_some_and(|list| !list.is_empty());
    if !acts {
        let message = "At least one action needs to be specified in a rule";
        return Err(refused(400, "InvalidRequest", message));
    }
    match (&rule.filter, &rule.prefix) {
        (Some(_), Some(_)) | (None, None) => return Err(malformed_xml()),
        (Some(filter), None) => lifecycle_filter(rule, filter)?,
        (None, Some(_)) => {}
    }
    lifecycle_moves(rule)?;
    let kept = rule.noncurrent_version_expiration.as_ref();
    let (days, kept) = (kept.and_then(|it| it.noncurrent_days), kept.and_then(|it| it.newer_noncurrent_versions));
    if kept.is_some() && days.is_none() {
        return Err(malformed_xml());
    }
    if let Some(kept) = kept.filter(|kept| !(1..=100).contains(kept)) {
        let message = "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be between 1 and 100";
        return Err(invalid_argument(message, "NewerNoncurrentVersions", &kept.to_string()));
    }
    if let Some(expiration) = &rule.expiration {
        let said =
            [expiration.date.is_some(), expiration.days.is_some(), expiration.expired_object_delete_marker.is_some()];
        if said.into_iter().filter(|said| *said).count() != 1 {
            return Err(malformed_xml());
        }
        if expiration.date.is_some_and(|date| date.as_second() % 86_400 != 0) {
            return Err(invalid_argument("'Date' must be at midnight GMT", "Date", ""));
        }
    }
    let days = [
        rule.expiration.as_ref().and_then(|expiration| expiration.days),
        rule.noncurrent_version_expiration.as_ref().and_then(|expiration| expiration.noncurrent_days),
        rule.abort_incomplete_multipart_upload.as_ref().and_then(|abort| abort.days_after_initiation),
    ];
    if let Some(days) = days.into_iter().flatten().find(|days| *days <= 0) {
        let message = "'Days' for Expiration action must be a positive integer";
        return Err(invalid_argument(message, "Days", &days.to_string()));
    }
    Ok(())
}

/// A filter says one thing, or several of them together; an upload that goes on has neither tags nor a size, a marker no tags.
fn lifecycle_filter(rule: &s3::LifecycleRule, filter: &s3::LifecycleRuleFilter) -> Result<(), Fault> {
    let said = [
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.object_size_greater_than.is_some(),
        filter.object_size_less_than.is_some(),
        filter.and.is_some(),
    ];
    if said.into_iter().filter(|said| *said).count() > 1 {
        return Err(malformed_xml());
    }
    let and = filter.and.as_ref();
    let tagged = filter.tag.is_some() || and.is_some_and(|and| and.tags.as_ref().is_some_and(|tags| !tags.is_empty()));
    let sized = said[2]
        || said[3]
        || and.is_some_and(|and| and.object_size_greater_than.is_some() || and.object_size_less_than.is_some());
    let wrong = |what: &str, with: &str| {
        Err(refused(400, "InvalidRequest", format!("{what} cannot be specified with {with}.")))
    };
    let marker = rule.expiration.as_ref().is_some_and(|it| it.expired_object_delete_marker.is_some());
    match rule.abort_incomplete_multipart_upload.is_some() {
        true if tagged => wrong("AbortIncompleteMultipartUpload", "Tags"),
        true if sized => wrong("AbortIncompleteMultipartUpload", "Object Size"),
        _ if marker && tagged => wrong("ExpiredObjectDeleteMarker", "Tags"),
        _ if marker && sized => wrong("ExpiredObjectDeleteMarker", "Object Size"),
        _ => Ok(()),
    }
}

/// When a rule moves versions, and where to.
fn lifecycle_moves(rule: &s3::LifecycleRule) -> Result<(), Fault> {
    /// The classes that take nothing younger than this.
    const OLDER: [&str; 2] = ["STANDARD_IA", "ONEZONE_IA"];
    const DAYS: i32 = 30;
    const CLASSES: [&str; 6] =
        ["STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];
    let current = rule.transitions.iter().flatten();
    let current = current.map(|it| (it.storage_class.as_deref(), it.days, it.date, "Days", "Transition"));
    let others = rule.noncurrent_version_transitions.iter().flatten();
    let name = "NoncurrentVersionTransition";
    let others = others.map(|it| (it.storage_class.as_deref(), it.noncurrent_days, None, "NoncurrentDays", name));
    for (class, days, date, member, action) in current.chain(others) {
        let class = class.filter(|class| CLASSES.contains(class)).ok_or_else(malformed_xml)?;
        match (days, date) {
            (Some(days), None) if days < 0 => {
                let message = format!("'{member}' for {action} action must be nonnegative");
                return Err(invalid_argument(message, member, &days.to_string()));
            }
            (Some(days), None) if days < DAYS && OLDER.contains(&class) => {
                let message = format!(
                    "'{member}' in {action} action must be greater than or equal to {DAYS} for storageClass '{class}'"
                );
                return Err(invalid_argument(message, member, &days.to_string()));
            }
            (Some(_), None) => {}
            (None, Some(date)) if date.as_second() % 86_400 == 0 => {}
            (None, Some(date)) => {
                return Err(invalid_argument("'Date' must be at midnight GMT", "Date", &date.to_string()));
            }
            (Some(_), Some(_)) | (None, None) => return Err(malformed_xml()),
        }
    }
    Ok(())
}

pub(super) fn ownership(controls: &s3::OwnershipControls) -> Result<(), Fault> {
    match &controls.rules[..] {
        [rule]
            if ["BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"]
                .contains(&rule.object_ownership.as_str()) =>
        {
            Ok(())
        }
        _ => Err(malformed_xml()),
    }
}

pub(super) fn bucket_tags(tagging: &s3::Tagging) -> Result<(), Fault> {
    tag_map(&tagging.tag_set, TAGS_MAX).map(drop)
}

/// Tags by key.
pub(crate) fn tag_map(tags: &[s3::Tag], limit: usize) -> Result<BTreeMap<String, String>, Fault> {
    let mut map = BTreeMap::new();
    for tag in tags {
        if map.insert(tag.key.clone(), tag.value.clone()).is_some() {
            let message = "Cannot provide multiple Tags with the same key";
            return Err(refused(400, "InvalidTag", message).with("TagKey", tag.key.as_str()));
        }
    }
    check_tags(&map, limit)?;
    Ok(map)
}

pub(super) fn website(configuration: &s3::WebsiteConfiguration) -> Result<(), Fault> {
    if configuration.redirect_all_requests_to.is_some() {
        let alone = configuration.index_document.is_none()
            && configuration.error_document.is_none()
            && configuration.routing_rules.is_none();
        return if alone { Ok(()) } else { Err(malformed_xml()) };
    }
    let Some(index) = &configuration.index_document else {
        let message = "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty";
        return Err(invalid_argument(message, "IndexDocument", "null"));
    };
    if index.suffix.is_empty() || index.suffix.contains('/') {
        return Err(invalid_argument("The IndexDocument Suffix is not well formed", "IndexDocument", &index.suffix));
    }
    if let Some(document) = configuration.error_document.as_ref().filter(|document| document.key.is_empty()) {
        return Err(invalid_argument("The ErrorDocument Key is not well formed", "ErrorDocument", &document.key));
    }
    let rules = configuration.routing_rules.as_deref().unwrap_or_default();
    if rules.len() > ROUTING_RULES_MAX {
        let message = format!(
            "{} routing rules provided, the number of routing rules in a website configuration is limited to {ROUTING_RULES_MAX}.",
            rules.len()
        );
        return Err(refused(400, "InvalidRequest", message));
    }
    rules.iter().try_for_each(routing_rule)
}

fn routing_rule(rule: &s3::RoutingRule) -> Result<(), Fault> {
    let wrong = |message: String| Err(refused(400, "InvalidRequest", message));
    let number = |code: &str, kinds: std::ops::Range<u16>| code.parse().is_ok_and(|code| kinds.contains(&code));
    let redirect = &rule.redirect;
    if let Some(code) = redirect.http_redirect_code.as_deref().filter(|code| !number(code, 301..400)) {
        return wrong(format!(
            "The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX except 300."
        ));
    }
    let condition = rule.condition.as_ref().and_then(|condition| condition.http_error_code_returned_equals.as_deref());
    if let Some(code) = condition.filter(|code| !number(code, 400..600)) {
        return wrong(format!("The provided HTTP error code ({code}) is not valid. Valid codes are 4XX or 5XX."));
    }
    if redirect.replace_key_with.is_some() && redirect.replace_key_prefix_with.is_some() {
        return wrong("You can only define ReplaceKeyPrefix or ReplaceKey but not both.".into());
    }
    let protocol = redirect.protocol.as_deref().filter(|protocol| !["http", "https"].contains(protocol));
    if protocol.is_some() {
        let message = "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.";
        return wrong(message.into());
    }
    let leads = redirect.host_name.is_some()
        || redirect.http_redirect_code.is_some()
        || redirect.protocol.is_some()
        || redirect.replace_key_with.is_some()
        || redirect.replace_key_prefix_with.is_some();
    if leads { Ok(()) } else { Err(malformed_xml()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifecycles_say_what_can_be_carried_out() {
        for (rules, expected) in [
            (r#"{"Filter":{},"Expiration":{"Days":1}}"#, None),
            (r#"{"Prefix":"","Expiration":{"Days":1}}"#, None),
            (r#"{"Expiration":{"Days":1}}"#, Some("MalformedXML")),
            (r#"{"Filter":{}}"#, Some("InvalidRequest")),
            (r#"{"Filter":{},"Prefix":"a","Expiration":{"Days":1}}"#, Some("MalformedXML")),
            (r#"{"Filter":{"Prefix":"a","ObjectSizeLessThan":3},"Expiration":{"Days":1}}"#, Some("MalformedXML")),
            (r#"{"Filter":{"And":{"Prefix":"a","ObjectSizeLessThan":3}},"Expiration":{"Days":1}}"#, None),
            (r#"{"Filter":{},"Expiration":{"Days":0}}"#, Some("InvalidArgument")),
            (r#"{"Filter":{},"Expiration":{"Days":1,"Date":86400}}"#, Some("MalformedXML")),
            (r#"{"Filter":{},"Expiration":{"Date":86401}}"#, Some("InvalidArgument")),
            (r#"{"Filter":{},"Expiration":{"Date":86400}}"#, None),
            (r#"{"Filter":{},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":0}}"#, Some("InvalidArgument")),
            (r#"{"Filter":{"Prefix":"a"},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":1}}"#, None),
            (
                r#"{"Filter":{"Tag":{"Key":"a","Value":"b"}},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":1}}"#,
                Some("InvalidRequest"),
            ),
            (
                r#"{"Filter":{"ObjectSizeLessThan":3},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":1}}"#,
                Some("InvalidRequest"),
            ),
            (
                r#"{"Filter":{"And":{"Prefix":"a","Tags":[{"Key":"a","Value":"b"}]}},"Expiration":{"ExpiredObjectDeleteMarker":true}}"#,
                Some("InvalidRequest"),
            ),
            (r#"{"Filter":{},"NoncurrentVersionExpiration":{"NewerNoncurrentVersions":1}}"#, Some("MalformedXML")),
            (
                r#"{"Filter":{},"NoncurrentVersionExpiration":{"NoncurrentDays":1,"NewerNoncurrentVersions":101}}"#,
                Some("InvalidArgument"),
            ),
            (r#"{"Filter":{},"NoncurrentVersionExpiration":{"NoncurrentDays":1,"NewerNoncurrentVersions":100}}"#, None),
            (r#"{"Filter":{},"Transitions":[{"Days":0,"StorageClass":"GLACIER"}]}"#, None),
            (r#"{"Filter":{},"Transitions":[{"Days":29,"StorageClass":"STANDARD_IA"}]}"#, Some("InvalidArgument")),
            (r#"{"Filter":{},"Transitions":[{"Days":30,"StorageClass":"STANDARD"}]}"#, Some("MalformedXML")),
            (r#"{"Filter":{},"Transitions":[{"StorageClass":"GLACIER"}]}"#, Some("MalformedXML")),
            (
                r#"{"Filter":{},"Expiration":{"Days":1}},{"ID":"b","Status":"Enabled","Prefix":"","Expiration":{"Days":1}}"#,
                Some("InvalidRequest"),
            ),
        ] {
            let text = format!(r#"{{"Rules":[{}]}}"#, rules.replacen('{', r#"{"ID":"a","Status":"Enabled","#, 1));
            let mut configuration = s3::BucketLifecycleConfiguration::default();
            let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            wire::document::read_into(&mut configuration, document).expect("a configuration");
            let refused = lifecycle(&mut configuration).err().map(|fault| fault.code);
            assert_eq!(refused.as_deref(), expected, "{rules}");
        }
    }
}
