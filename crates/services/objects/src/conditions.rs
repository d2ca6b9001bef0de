//! Conditions of requests: `If-Match` and its like. Pure.

use contract::Fault;
use jiff::Timestamp;

use crate::error::{not_modified, precondition_failed};
use crate::model::Version;

/// What a reader asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conditions<'a> {
    pub(crate) if_match: Option<&'a str>,
    pub(crate) if_none_match: Option<&'a str>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
}

impl Conditions<'_> {
    /// Whether a read is to be answered.
    pub(crate) fn check_read(&self, version: &Version) -> Result<(), Fault> {
        self.check_required(version, ("If-Match", "If-Unmodified-Since"))?;
        let unchanged = match (self.if_none_match, self.if_modified_since) {
            (Some(tags), _) => fits(tags, &version.etag),
            (None, Some(since)) => seconds(version) <= since.as_second(),
            (None, None) => false,
        };
        if unchanged {
            let modified = http_date(version.at_ms);
            return Err(not_modified(&version.etag).with("last-modified", modified));
        }
        Ok(())
    }

    /// Whether a version may be copied: what would be "not modified" is a failure here.
    pub(crate) fn check_copy(&self, version: &Version) -> Result<(), Fault> {
        self.check_required(version, ("x-amz-copy-source-If-Match", "x-amz-copy-source-If-Unmodified-Since"))?;
        match (self.if_none_match, self.if_modified_since) {
            (Some(tags), _) if fits(tags, &version.etag) => Err(precondition_failed("x-amz-copy-source-If-None-Match")),
            (None, Some(since)) if seconds(version) <= since.as_second() => {
                Err(precondition_failed("x-amz-copy-source-If-Modified-Since"))
            }
            _ => Ok(()),
        }
    }

    /// A match outweighs a date. Refusals name the header that the condition came in.
    fn check_required(
        &self,
        version: &Version,
        (match_name, date_name): (&'static str, &'static str),
    ) -> Result<(), Fault> {
        match (self.if_match, self.if_unmodified_since) {
            (Some(tags), _) if !fits(tags, &version.etag) => Err(precondition_failed(match_name)),
            (None, Some(since)) if seconds(version) > since.as_second() => Err(precondition_failed(date_name)),
            _ => Ok(()),
        }
    }
}

/// Whether a put may take the place of what is there.
pub(crate) fn check_put(
    current: Option<&Version>,
    key: &str,
    if_match: Option<&str>,
    if_none_match: Option<&str>,
) -> Result<(), Fault> {
    match (if_none_match, current) {
        (Some("*"), Some(_)) => return Err(precondition_failed("If-None-Match")),
        (Some("*") | None, _) => {}
        (Some(_), _) => {
            let message = "A header you provided implies functionality that is not implemented";
            return Err(crate::error::refused(501, "NotImplemented", message).with("Header", "If-None-Match"));
        }
    }
    match (if_match, current) {
        (Some(_), None) => Err(crate::error::no_such_key(key)),
        (Some(tags), Some(current)) if !fits(tags, &current.etag) => Err(precondition_failed("If-Match")),
        _ => Ok(()),
    }
}

/// Whether a list of tags has that one, or is `*`.
pub(crate) fn fits(tags: &str, etag: &str) -> bool {
    tags.split(',').any(|tag| {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag.trim_matches('"') == etag
    })
}

fn seconds(version: &Version) -> i64 {
    version.at_ms.div_euclid(1000)
}

/// `Fri, 12 Apr 1985 23:20:50 GMT`.
pub(crate) fn http_date(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_hold_or_not() {
        let version = Version { etag: "abc".into(), at_ms: 100_500, ..Version::default() };
        let at = |seconds| Timestamp::from_second(seconds).ok();
        let cases = [
            (Conditions::default(), None),
            (Conditions { if_match: Some("\"abc\""), ..Conditions::default() }, None),
            (Conditions { if_match: Some("abc"), ..Conditions::default() }, None),
            (Conditions { if_match: Some("\"x\", \"abc\""), ..Conditions::default() }, None),
            (Conditions { if_match: Some("*"), ..Conditions::default() }, None),
            (Conditions { if_match: Some("\"x\""), ..Conditions::default() }, Some(412)),
            (Conditions { if_none_match: Some("\"abc\""), ..Conditions::default() }, Some(304)),
            (Conditions { if_none_match: Some("W/\"abc\""), ..Conditions::default() }, Some(304)),
            (Conditions { if_none_match: Some("\"x\""), ..Conditions::default() }, None),
            (Conditions { if_modified_since: at(100), ..Conditions::default() }, Some(304)),
            (Conditions { if_modified_since: at(99), ..Conditions::default() }, None),
            (Conditions { if_unmodified_since: at(99), ..Conditions::default() }, Some(412)),
            (Conditions { if_unmodified_since: at(100), ..Conditions::default() }, None),
            // A match outweighs a date, in both directions.
            (Conditions { if_match: Some("abc"), if_unmodified_since: at(1), ..Conditions::default() }, None),
            (Conditions { if_none_match: Some("x"), if_modified_since: at(200), ..Conditions::default() }, None),
        ];
        for (conditions, expected) in cases {
            let refused = conditions.check_read(&version).err().and_then(|fault| fault.status);
            assert_eq!(refused, expected, "{conditions:?}");
            let copied = conditions.check_copy(&version).err();
            assert_eq!(copied.as_ref().and_then(|fault| fault.status), expected.map(|_| 412), "{conditions:?}");
            let name = copied.as_ref().and_then(|fault| fault.members.iter().find(|(name, _)| *name == "Condition"));
            let is_of_source = |value: &serde_json::Value| {
                value.as_str().is_some_and(|name| name.starts_with("x-amz-copy-source-If-"))
            };
            assert_eq!(name.is_some_and(|(_, value)| is_of_source(value)), expected.is_some(), "{copied:?}");
        }
    }

    #[test]
    fn puts_are_conditional() {
        let version = Version { etag: "abc".into(), ..Version::default() };
        for (current, if_match, if_none_match, expected) in [
            (None, None, Some("*"), None),
            (Some(&version), None, Some("*"), Some(412)),
            (Some(&version), None, Some("abc"), Some(501)),
            (Some(&version), Some("\"abc\""), None, None),
            (Some(&version), Some("\"x\""), None, Some(412)),
            (None, Some("\"abc\""), None, Some(404)),
        ] {
            let refused = check_put(current, "k", if_match, if_none_match).err().and_then(|fault| fault.status);
            assert_eq!(refused, expected, "{if_match:?} {if_none_match:?}");
        }
    }
}
