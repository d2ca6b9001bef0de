//! Names, ARNs, tokens and times on the wire, as several operations read and write them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract::{Arn, Call};

use crate::error::Error;

/// How many tags a group may have.
const TAGS_MAX: usize = 50;

/// `arn:aws:logs:REGION:ACCOUNT:log-group:NAME`.
pub(super) fn group_arn(call: &Call, name: &str) -> Arn {
    Arn::new("logs", &call.region, call.account, format!("log-group:{name}"))
}

/// What a policy calls the group: the ARN with `:*`.
pub(super) fn group_resource(call: &Call, name: &str) -> Arn {
    Arn::new("logs", &call.region, call.account, format!("log-group:{name}:*"))
}

/// What a policy, and everybody else, calls the stream.
pub(super) fn stream_arn(call: &Call, group: &str, name: &str) -> Arn {
    Arn::new("logs", &call.region, call.account, format!("log-group:{group}:log-stream:{name}"))
}

/// The resource of an operation that is given a name or an identifier.
pub(super) fn either_resource(call: &Call, name: &Option<String>, identifier: &Option<String>) -> Arn {
    match (name, identifier.as_deref().map(|identifier| named(call, identifier))) {
        (Some(name), _) => group_resource(call, name),
        (None, Some(Ok(name))) => group_resource(call, name),
        (None, Some(Err(_)) | None) => group_resource(call, "*"),
    }
}

/// The group's name, from a name or an identifier: one of them, and not both.
pub(super) fn either<'a>(
    call: &Call,
    name: &'a Option<String>,
    identifier: &'a Option<String>,
) -> Result<&'a str, Error> {
    match (name, identifier) {
        (Some(_), Some(_)) => {
            Err(Error::InvalidNames("LogGroup name and LogGroup ARN are mutually exclusive parameters."))
        }
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) => named(call, identifier),
        (None, None) => Err(Error::InvalidNames("Either LogGroup name or LogGroup ARN must be specified.")),
    }
}

/// The group's name, from a name or an ARN (with or without `:*`). A group of another account or region is not there.
pub(super) fn named<'a>(call: &Call, identifier: &'a str) -> Result<&'a str, Error> {
    if !identifier.starts_with("arn:") {
        return Ok(identifier);
    }
    let arn = Arn::parse(identifier).ok_or_else(|| Error::Invalid("The specified ARN is invalid.".into()))?;
    let is_here =
        arn.service == "logs" && arn.region == call.region.as_str() && arn.account == call.account.to_string();
    let name = identifier.splitn(6, ':').nth(5).and_then(|resource| resource.strip_prefix("log-group:"));
    match name {
        Some(name) if is_here => Ok(name.strip_suffix(":*").unwrap_or(name)),
        Some(_) | None => Err(Error::GroupMissing),
    }
}

/// The group's name, from the ARN that the tagging operations are given.
pub(super) fn tagged<'a>(call: &Call, arn: &'a str) -> Result<&'a str, Error> {
    if Arn::parse(arn).is_none() {
        return Err(Error::Invalid("The specified ARN is invalid.".into()));
    }
    named(call, arn).map_err(|_| Error::ResourceMissing)
}

/// Adds tags to those that are there.
pub(super) fn add_tags(
    tags: &mut BTreeMap<String, String>,
    added: &BTreeMap<String, String>,
    resource: &str,
) -> Result<(), Error> {
    if let Some(name) = added.keys().find(|name| name.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("aws:"))) {
        return Err(Error::Invalid(format!("Tag keys starting with aws: are reserved for AWS: {name}")));
    }
    tags.extend(added.iter().map(|(name, value)| (name.clone(), value.clone())));
    if tags.len() > TAGS_MAX {
        return Err(Error::TooManyTags { limit: TAGS_MAX, resource: resource.to_owned() });
    }
    Ok(())
}

/// A token that carries a text.
pub(super) fn token(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// The text of a token.
pub(super) fn read_token(token: &str) -> Result<String, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| bad_token())?;
    String::from_utf8(bytes).map_err(|_| bad_token())
}

/// The refusal of a token that we did not hand out.
pub(super) fn bad_token() -> Error {
    Error::Invalid("The specified nextToken is invalid.".into())
}

/// A time as the wire has it.
pub(super) fn wire_ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// A time from the wire, whose model refuses what is below zero.
pub(super) fn from_wire_ms(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or_default()
}

/// A count from the wire, whose model has refused what is out of range.
pub(super) fn count(limit: Option<i32>, default: usize) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(default)
}
