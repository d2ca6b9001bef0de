//! CloudEvents 1.0 over HTTP, in and out: structured (the event is the body), binary (its attributes are headers) and batched.
//!
//! In: `type` is the detail-type, `source` the source, `data` the detail (wrapped as `{"data": …}` where it is no object), `subject`
//! the one resource. Out: the same the other way round; extensions are not carried.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::model::Event;

/// The content type of a structured event.
pub(crate) const STRUCTURED: &str = "application/cloudevents+json";
const BATCHED: &str = "application/cloudevents-batch+json";

/// A CloudEvent that came in.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudEvent {
    source: String,
    kind: String,
    subject: Option<String>,
    time: Option<Timestamp>,
    data: Value,
}

/// Why something is no CloudEvent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The body cannot be read.
    #[error("the body is not JSON: {0}")]
    Json(String),
    /// It has another form.
    #[error("the body must be {0}")]
    Form(&'static str),
    /// An attribute that every event has is not there.
    #[error("the attribute '{0}' is missing or empty")]
    Missing(&'static str),
    /// Another version.
    #[error("specversion is '{0}', and must be 1.0")]
    Version(String),
    /// A time that is none.
    #[error("the time '{0}' is not a timestamp as RFC 3339 has it")]
    Time(String),
}

impl CloudEvent {
    /// The events of a request. `header` gives a header's text.
    pub fn read<'h>(header: &dyn Fn(&str) -> Option<&'h str>, body: &[u8]) -> Result<Vec<Self>, Malformed> {
        let kind = header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let json = || serde_json::from_slice::<Value>(body).map_err(|error| Malformed::Json(error.to_string()));
        match kind.as_str() {
            STRUCTURED => Ok(vec![Self::structured(json()?)?]),
            BATCHED => match json()? {
                Value::Array(events) => events.into_iter().map(Self::structured).collect(),
                _ => Err(Malformed::Form("a JSON array of events")),
            },
            _ => Ok(vec![Self::binary(header, &kind, body)?]),
        }
    }

    fn structured(event: Value) -> Result<Self, Malformed> {
        let Value::Object(mut event) = event else { return Err(Malformed::Form("a JSON object")) };
        let data = match (event.remove("data"), event.remove("data_base64")) {
            (Some(data), _) => data,
            (None, Some(bytes)) => json!({ "data_base64": bytes }),
            (None, None) => json!({}),
        };
        Self::of(&|name| event.get(name).and_then(Value::as_str).map(str::to_owned), data)
    }

    fn binary<'h>(header: &dyn Fn(&str) -> Option<&'h str>, kind: &str, body: &[u8]) -> Result<Self, Malformed> {
        let is_json = kind.is_empty() || kind == "application/json" || kind.ends_with("+json");
        let data = match (body, is_json) {
            ([], _) => json!({}),
            (body, true) => serde_json::from_slice(body).map_err(|error| Malformed::Json(error.to_string()))?,
            (body, false) => String::from_utf8_lossy(body).into_owned().into(),
        };
        Self::of(&|name| header(&format!("ce-{name}")).map(unescaped), data)
    }

    fn of(attribute: &dyn Fn(&str) -> Option<String>, data: Value) -> Result<Self, Malformed> {
        let required =
            |name: &'static str| attribute(name).filter(|text| !text.is_empty()).ok_or(Malformed::Missing(name));
        let version = required("specversion")?;
        if version != "1.0" {
            return Err(Malformed::Version(version));
        }
        required("id")?;
        let time = match attribute("time") {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| Malformed::Time(text))?),
        };
        let data = match data {
            Value::Object(_) => data,
            other => json!({ "data": other }),
        };
        Ok(Self { source: required("source")?, kind: required("type")?, subject: attribute("subject"), time, data })
    }

    /// As an entry of `PutEvents`.
    pub fn entry(&self, bus: &str) -> Value {
        let mut entry = Map::new();
        entry.insert("EventBusName".into(), bus.into());
        entry.insert("Source".into(), self.source.as_str().into());
        entry.insert("DetailType".into(), self.kind.as_str().into());
        entry.insert("Detail".into(), self.data.to_string().into());
        if let Some(subject) = &self.subject {
            entry.insert("Resources".into(), json!([subject]));
        }
        if let Some(time) = self.time {
            entry.insert("Time".into(), time.as_second().into());
        }
        Value::Object(entry)
    }
}

/// The event as the body of a structured CloudEvent.
pub(crate) fn structured(event: &Event) -> String {
    let mut out = json!({
        "specversion": "1.0",
        "id": event.member("id"),
        "source": event.member("source"),
        "type": event.member("detail-type"),
        "time": event.member("time"),
        "datacontenttype": "application/json",
    });
    if let Some(subject) = event.document["resources"].get(0) {
        out["subject"] = subject.clone();
    }
    out["data"] = event.document["detail"].clone();
    out.to_string()
}

/// The event's attributes as the headers of a binary CloudEvent; its body is the detail.
pub(crate) fn headers(event: &Event) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> =
        [("ce-specversion", "1.0"), ("ce-id", event.member("id")), ("ce-time", event.member("time"))]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    headers.push(("ce-source".to_owned(), percent(event.member("source"))));
    headers.push(("ce-type".to_owned(), percent(event.member("detail-type"))));
    if let Some(subject) = event.document["resources"].get(0).and_then(Value::as_str) {
        headers.push(("ce-subject".to_owned(), percent(subject)));
    }
    headers
}

/// Header values are percent-encoded beyond printable ASCII, and where they would be misread.
fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'%' | 0..=0x20 | 0x7f.. => format!("%{byte:02X}"),
            byte => char::from(byte).to_string(),
        })
        .collect()
}

fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.filter(|_| *byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &'static str)], body: &str) -> Result<Vec<Value>, String> {
        let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let events = CloudEvent::read(&header, body.as_bytes()).map_err(|error| error.to_string())?;
        Ok(events.iter().map(|event| event.entry("orders")).collect())
    }

    const ONE: &str = r#"{"specversion":"1.0","id":"1","source":"/shop","type":"sold","subject":"cart/7","time":"2026-01-01T00:00:00Z","data":{"n":1}}"#;

    #[test]
    fn all_three_forms_are_read() {
        let expected = json!({
            "EventBusName": "orders", "Source": "/shop", "DetailType": "sold", "Detail": "{\"n\":1}",
            "Resources": ["cart/7"], "Time": 1_767_225_600,
        });
        assert_eq!(
            read(&[("content-type", "application/cloudevents+json; charset=utf-8")], ONE),
            Ok(vec![expected.clone()])
        );
        let batch = format!("[{ONE},{ONE}]");
        assert_eq!(
            read(&[("content-type", "application/cloudevents-batch+json")], &batch),
            Ok(vec![expected.clone(), expected.clone()])
        );
        let headers = [
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/shop"),
            ("ce-type", "s%6Fld"),
            ("ce-subject", "cart/7"),
            ("ce-time", "2026-01-01T00:00:00Z"),
        ];
        assert_eq!(read(&headers, r#"{"n":1}"#), Ok(vec![expected]));
        let wrapped = read(&headers, "[1,2]").unwrap();
        assert_eq!(wrapped[0]["Detail"], "{\"data\":[1,2]}");
    }

    #[test]
    fn what_is_no_cloud_event_says_why() {
        let structured = [("content-type", "application/cloudevents+json")];
        let check = |body: &str, expected: &str| assert_eq!(read(&structured, body).unwrap_err(), expected, "{body}");
        check("[]", "the body must be a JSON object");
        check(r#"{"specversion":"0.3"}"#, "specversion is '0.3', and must be 1.0");
        check(r#"{"specversion":"1.0","id":"1"}"#, "the attribute 'source' is missing or empty");
        check(
            r#"{"specversion":"1.0","id":"1","source":"s","type":"t","time":"noon"}"#,
            "the time 'noon' is not a timestamp as RFC 3339 has it",
        );
        assert!(read(&structured, "{").unwrap_err().starts_with("the body is not JSON"));
    }

    #[test]
    fn what_goes_out_comes_in_again() {
        let document = json!({
            "id": "7", "source": "my shop", "detail-type": "sold", "time": "2026-01-01T00:00:00Z", "resources": ["é"], "detail": { "n": 1 },
        });
        let event = Event::from_document(document, 0);
        let expected = json!({
            "EventBusName": "b", "Source": "my shop", "DetailType": "sold", "Detail": "{\"n\":1}", "Resources": ["é"],
            "Time": 1_767_225_600,
        });
        let header = |name: &str| (name == "content-type").then_some(STRUCTURED);
        let back = CloudEvent::read(&header, structured(&event).as_bytes()).unwrap();
        assert_eq!(back[0].entry("b"), expected);
        let headers = headers(&event);
        let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let back = CloudEvent::read(&header, br#"{"n":1}"#).unwrap();
        assert_eq!(back[0].entry("b"), expected);
    }
}
