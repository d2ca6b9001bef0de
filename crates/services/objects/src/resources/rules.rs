//! Encryption, cross-origin rules, lifecycles and websites: as a template writes them, and as the operations take them. The one has
//! flat rules where the other has nested ones, and other names for the same.

use contract::properties::{Form, optional, required};
use serde_json::{Map, Value, json};

/// What a template may write of encryption.
pub(super) const ENCRYPTION: Form = Form::Fields(&[required(
    "ServerSideEncryptionConfiguration",
    Form::ListOf(&Form::Fields(&[
        optional("BucketKeyEnabled", Form::Flag),
        optional(
            "ServerSideEncryptionByDefault",
            Form::Fields(&[required("SSEAlgorithm", Form::Text), optional("KMSMasterKeyID", Form::Text)]),
        ),
    ])),
)]);

/// What a template may write of pages of other origins.
pub(super) const CORS: Form = Form::Fields(&[required(
    "CorsRules",
    Form::ListOf(&Form::Fields(&[
        optional("AllowedHeaders", Form::ListOf(&Form::Text)),
        required("AllowedMethods", Form::ListOf(&Form::Text)),
        required("AllowedOrigins", Form::ListOf(&Form::Text)),
        optional("ExposedHeaders", Form::ListOf(&Form::Text)),
        optional("Id", Form::Text),
        optional("MaxAge", Form::Whole),
    ])),
)]);

const TRANSITION: Form = Form::Fields(&[
    required("StorageClass", Form::Text),
    optional("TransitionDate", Form::Text),
    optional("TransitionInDays", Form::Whole),
]);

const NONCURRENT_TRANSITION: Form = Form::Fields(&[
    optional("NewerNoncurrentVersions", Form::Whole),
    required("StorageClass", Form::Text),
    required("TransitionInDays", Form::Whole),
]);

/// What a template may write of lifecycles.
pub(super) const LIFECYCLE: Form = Form::Fields(&[required(
    "Rules",
    Form::ListOf(&Form::Fields(&[
        optional("AbortIncompleteMultipartUpload", Form::Fields(&[required("DaysAfterInitiation", Form::Whole)])),
        optional("ExpirationDate", Form::Text),
        optional("ExpirationInDays", Form::Whole),
        optional("ExpiredObjectDeleteMarker", Form::Flag),
        optional("Id", Form::Text),
        optional(
            "NoncurrentVersionExpiration",
            Form::Fields(&[optional("NewerNoncurrentVersions", Form::Whole), required("NoncurrentDays", Form::Whole)]),
        ),
        optional("NoncurrentVersionExpirationInDays", Form::Whole),
        optional("NoncurrentVersionTransitions", Form::ListOf(&NONCURRENT_TRANSITION)),
        optional("ObjectSizeGreaterThan", Form::Whole),
        optional("ObjectSizeLessThan", Form::Whole),
        optional("Prefix", Form::Text),
        required("Status", Form::Text),
        optional(
            "TagFilters",
            Form::ListOf(&Form::Fields(&[required("Key", Form::Text), required("Value", Form::Text)])),
        ),
        optional("Transitions", Form::ListOf(&TRANSITION)),
    ])),
)]);

/// What a template may write of websites.
pub(super) const WEBSITE: Form = Form::Fields(&[
    optional("ErrorDocument", Form::Text),
    optional("IndexDocument", Form::Text),
    optional(
        "RedirectAllRequestsTo",
        Form::Fields(&[required("HostName", Form::Text), optional("Protocol", Form::Text)]),
    ),
    optional(
        "RoutingRules",
        Form::ListOf(&Form::Fields(&[
            required(
                "RedirectRule",
                Form::Fields(&[
                    optional("HostName", Form::Text),
                    optional("HttpRedirectCode", Form::Text),
                    optional("Protocol", Form::Text),
                    optional("ReplaceKeyPrefixWith", Form::Text),
                    optional("ReplaceKeyWith", Form::Text),
                ]),
            ),
            optional(
                "RoutingRuleCondition",
                Form::Fields(&[
                    optional("HttpErrorCodeReturnedEquals", Form::Text),
                    optional("KeyPrefixEquals", Form::Text),
                ]),
            ),
        ])),
    ),
]);

/// The members of `rule` under other names: from the one's to the other's.
fn renamed(rule: &Value, names: &[(&str, &str)]) -> Value {
    let member = |(from, to): &(&str, &str)| rule.get(*from).map(|value| ((*to).to_owned(), value.clone()));
    Value::Object(names.iter().filter_map(member).collect())
}

fn each(list: &Value, form: impl Fn(&Value) -> Value) -> Value {
    list.as_array().into_iter().flatten().map(form).collect()
}

/// Encryption, as the operation takes it.
pub(super) fn encryption(read: &Value) -> Value {
    const NAMES: &[(&str, &str)] = &[
        ("ServerSideEncryptionByDefault", "ApplyServerSideEncryptionByDefault"),
        ("BucketKeyEnabled", "BucketKeyEnabled"),
    ];
    json!({ "Rules": each(&read["ServerSideEncryptionConfiguration"], |rule| renamed(rule, NAMES)) })
}

/// Rules for pages of other origins, as the operation takes them.
pub(super) fn cors(read: &Value) -> Value {
    const NAMES: &[(&str, &str)] = &[
        ("AllowedHeaders", "AllowedHeaders"),
        ("AllowedMethods", "AllowedMethods"),
        ("AllowedOrigins", "AllowedOrigins"),
        ("ExposedHeaders", "ExposeHeaders"),
        ("Id", "ID"),
        ("MaxAge", "MaxAgeSeconds"),
    ];
    json!({ "CORSRules": each(&read["CorsRules"], |rule| renamed(rule, NAMES)) })
}

/// A lifecycle, as the operation takes it.
pub(super) fn lifecycle(read: &Value) -> Value {
    json!({ "Rules": each(&read["Rules"], lifecycle_rule) })
}

fn lifecycle_rule(rule: &Value) -> Value {
    const SAME: &[(&str, &str)] = &[
        ("AbortIncompleteMultipartUpload", "AbortIncompleteMultipartUpload"),
        ("Id", "ID"),
        ("NoncurrentVersionExpiration", "NoncurrentVersionExpiration"),
        ("Status", "Status"),
    ];
    const EXPIRATION: &[(&str, &str)] = &[
        ("ExpirationDate", "Date"),
        ("ExpirationInDays", "Days"),
        ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
    ];
    const TRANSITION: &[(&str, &str)] =
        &[("StorageClass", "StorageClass"), ("TransitionDate", "Date"), ("TransitionInDays", "Days")];
    const NONCURRENT: &[(&str, &str)] = &[
        ("NewerNoncurrentVersions", "NewerNoncurrentVersions"),
        ("StorageClass", "StorageClass"),
        ("TransitionInDays", "NoncurrentDays"),
    ];
    let mut document = renamed(rule, SAME);
    document["Filter"] = filter(rule);
    let expiration = renamed(rule, EXPIRATION);
    if expiration != json!({}) {
        document["Expiration"] = expiration;
    }
    if let Some(days) = rule.get("NoncurrentVersionExpirationInDays") {
        document["NoncurrentVersionExpiration"] = json!({ "NoncurrentDays": days });
    }
    if rule.get("Transitions").is_some() {
        document["Transitions"] = each(&rule["Transitions"], |one| renamed(one, TRANSITION));
    }
    if rule.get("NoncurrentVersionTransitions").is_some() {
        document["NoncurrentVersionTransitions"] =
            each(&rule["NoncurrentVersionTransitions"], |one| renamed(one, NONCURRENT));
    }
    document
}

/// What a rule is about: one thing as it is, several under `And`, and everything where nothing is said.
fn filter(rule: &Value) -> Value {
    const NAMES: &[(&str, &str)] = &[
        ("ObjectSizeGreaterThan", "ObjectSizeGreaterThan"),
        ("ObjectSizeLessThan", "ObjectSizeLessThan"),
        ("Prefix", "Prefix"),
    ];
    let mut parts = renamed(rule, NAMES);
    let tags = rule["TagFilters"].as_array().map(Vec::as_slice).unwrap_or_default();
    match (parts.as_object().map_or(0, Map::len), tags) {
        (0, []) => json!({ "Prefix": "" }),
        (1, []) => parts,
        (0, [tag]) => json!({ "Tag": tag }),
        (_, []) => json!({ "And": parts }),
        (_, tags) => {
            parts["Tags"] = json!(tags);
            json!({ "And": parts })
        }
    }
}

/// A website, as the operation takes it.
pub(super) fn website(read: &Value) -> Value {
    const NAMES: &[(&str, &str)] = &[("RedirectRule", "Redirect"), ("RoutingRuleCondition", "Condition")];
    let mut document = renamed(read, &[("RedirectAllRequestsTo", "RedirectAllRequestsTo")]);
    if let Some(key) = read.get("ErrorDocument") {
        document["ErrorDocument"] = json!({ "Key": key });
    }
    if let Some(suffix) = read.get("IndexDocument") {
        document["IndexDocument"] = json!({ "Suffix": suffix });
    }
    if read.get("RoutingRules").is_some() {
        document["RoutingRules"] = each(&read["RoutingRules"], |rule| renamed(rule, NAMES));
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_take_the_form_of_the_operations() {
        let check = |form: fn(&Value) -> Value, read: Value, expected: Value| assert_eq!(form(&read), expected);
        check(
            encryption,
            json!({ "ServerSideEncryptionConfiguration": [{ "ServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" } }] }),
            json!({ "Rules": [{ "ApplyServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" } }] }),
        );
        check(
            cors,
            json!({ "CorsRules": [{ "AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "ExposedHeaders": ["a"], "Id": "x", "MaxAge": 5 }] }),
            json!({ "CORSRules": [{ "AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "ExposeHeaders": ["a"], "ID": "x", "MaxAgeSeconds": 5 }] }),
        );
        check(
            website,
            json!({ "IndexDocument": "index.html", "RoutingRules": [{ "RedirectRule": { "HostName": "h" } }] }),
            json!({ "IndexDocument": { "Suffix": "index.html" }, "RoutingRules": [{ "Redirect": { "HostName": "h" } }] }),
        );
    }

    #[test]
    fn flat_lifecycle_rules_are_nested() {
        let tag = json!({ "Key": "k", "Value": "v" });
        for (rule, expected) in [
            (
                json!({ "Status": "Enabled", "ExpirationInDays": 3 }),
                json!({ "Status": "Enabled", "Filter": { "Prefix": "" }, "Expiration": { "Days": 3 } }),
            ),
            (
                json!({ "Status": "Enabled", "Prefix": "a/", "NoncurrentVersionExpirationInDays": 2 }),
                json!({ "Status": "Enabled", "Filter": { "Prefix": "a/" }, "NoncurrentVersionExpiration": { "NoncurrentDays": 2 } }),
            ),
            (
                json!({ "Status": "Enabled", "TagFilters": [tag] }),
                json!({ "Status": "Enabled", "Filter": { "Tag": tag } }),
            ),
            (
                json!({ "Id": "x", "Status": "Disabled", "Prefix": "a", "TagFilters": [tag] }),
                json!({ "ID": "x", "Status": "Disabled", "Filter": { "And": { "Prefix": "a", "Tags": [tag] } } }),
            ),
            (
                json!({ "Status": "Enabled", "Transitions": [{ "StorageClass": "GLACIER", "TransitionInDays": 9 }] }),
                json!({ "Status": "Enabled", "Filter": { "Prefix": "" }, "Transitions": [{ "StorageClass": "GLACIER", "Days": 9 }] }),
            ),
        ] {
            assert_eq!(lifecycle(&json!({ "Rules": [rule] })), json!({ "Rules": [expected] }));
        }
    }
}
