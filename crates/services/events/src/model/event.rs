//! An event as rules see it, and what an entry of `PutEvents` must be to become one.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Scope;

/// An event on a bus.
#[derive(Clone, Debug)]
pub struct Event {
    /// The whole of it, as patterns and targets see it.
    pub document: Value,
    /// The same as text.
    pub text: String,
    /// When it happened.
    pub time_ms: i64,
}

/// Why an entry is no event: the code and the message that its place in the answer gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The code.
    pub code: &'static str,
    /// The message.
    pub message: String,
}

/// What somebody tells of an event.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// Where it comes from.
    pub source: Option<String>,
    /// What kind it is.
    pub detail_type: Option<String>,
    /// A JSON object, as text.
    pub detail: Option<String>,
    /// What it is about.
    pub resources: Vec<String>,
    /// When it happened.
    pub time_ms: i64,
}

impl Event {
    /// Makes an event of what was told, or says why not.
    pub fn of(told: Told, scope: &Scope) -> Result<Self, Refused> {
        let required = |name: &str, value: Option<String>| {
            value.filter(|value| !value.is_empty()).ok_or_else(|| Refused {
                code: "InvalidArgument",
                message: format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
            })
        };
        let source = required("Source", told.source)?;
        let detail_type = required("DetailType", told.detail_type)?;
        let detail = required("Detail", told.detail)?;
        let malformed = || Refused { code: "MalformedDetail", message: "Detail is malformed.".to_owned() };
        let detail: Map<String, Value> = serde_json::from_str(&detail).map_err(|_| malformed())?;
        let document = json!({
            "version": "0",
            "id": told.id,
            "detail-type": detail_type,
            "source": source,
            "account": scope.account.to_string(),
            "time": time(told.time_ms),
            "region": scope.region.as_str(),
            "resources": told.resources,
            "detail": detail,
        });
        Ok(Self::from_document(document, told.time_ms))
    }

    /// An event whose document is complete.
    pub fn from_document(document: Value, time_ms: i64) -> Self {
        Self { text: document.to_string(), document, time_ms }
    }

    /// A member that is text, or empty.
    pub fn member(&self, name: &str) -> &str {
        self.document.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A time as events write it: to the second.
pub fn time(ms: i64) -> String {
    let second = Timestamp::from_second(ms.div_euclid(1_000)).unwrap_or(Timestamp::UNIX_EPOCH);
    second.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{AccountId, Region};

    fn told(source: &str, detail_type: &str, detail: &str) -> Result<Event, String> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let told = Told {
            id: "7".into(),
            source: some(source),
            detail_type: some(detail_type),
            detail: some(detail),
            resources: vec!["r".into()],
            time_ms: 1_795_262_400_123,
        };
        let scope = Scope { account: AccountId::ONLY, region: Region::default_one() };
        Event::of(told, &scope).map_err(|refused| format!("{}: {}", refused.code, refused.message))
    }

    #[test]
    fn entries_become_events() {
        assert_eq!(
            told("shop", "Sold", r#"{"n":1}"#).unwrap().text,
            r#"{"version":"0","id":"7","detail-type":"Sold","source":"shop","account":"000000000000","time":"2026-11-21T12:00:00Z","region":"us-east-1","resources":["r"],"detail":{"n":1}}"#
        );
    }

    #[test]
    fn what_is_no_event_says_why() {
        let required = |name: &str| {
            format!("InvalidArgument: Parameter {name} is not valid. Reason: {name} is a required argument.")
        };
        assert_eq!(told("", "t", "{}").unwrap_err(), required("Source"));
        assert_eq!(told("s", "", "{}").unwrap_err(), required("DetailType"));
        assert_eq!(told("s", "t", "").unwrap_err(), required("Detail"));
        for detail in ["[]", "1", "{", "text"] {
            assert_eq!(told("s", "t", detail).unwrap_err(), "MalformedDetail: Detail is malformed.", "{detail}");
        }
    }
}
