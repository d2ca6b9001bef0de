//! The parcel of an asynchronous invocation: which function, and its event.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use store::{Error, Record};
use uuid::Uuid;

/// One event for one function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) qualifier: Option<String>,
    /// The same in all attempts.
    pub(crate) request_id: Uuid,
    pub(crate) client_context: Option<String>,
    /// JSON.
    pub(crate) payload: Bytes,
}

/// What stands before the event's own bytes.
#[derive(Serialize, Deserialize)]
struct Label {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    qualifier: Option<String>,
    request_id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_context: Option<String>,
}

impl Record for Label {
    const KIND: &'static str = "lambda-event";
    const VERSION: u16 = 1;
}

impl Job {
    /// The label on one line, then the event as it came.
    pub(crate) fn to_parcel(&self) -> Bytes {
        let Self { name, qualifier, request_id, client_context, payload } = self.clone();
        let label = Label { name, qualifier, request_id, client_context };
        let label = store::record::encode(&label).expect("text is JSON");
        let mut parcel = BytesMut::with_capacity(label.len() + 1 + payload.len());
        parcel.put(label);
        parcel.put_u8(b'\n');
        parcel.put(payload);
        parcel.freeze()
    }

    pub(crate) fn from_parcel(parcel: &Bytes) -> Result<Self, Error> {
        let end = parcel.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| Error::Record { kind: Label::KIND, why: "its label does not end".into() })?;
        let Label { name, qualifier, request_id, client_context } = store::record::decode(&parcel[..end])?;
        Ok(Self { name, qualifier, request_id, client_context, payload: parcel.slice(end + 1..) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_survive_their_parcel() {
        let job = Job {
            name: "f".into(),
            qualifier: Some("live".into()),
            request_id: Uuid::from_u128(7),
            client_context: Some("{\"a\":\"\\n\"}".into()),
            payload: Bytes::from_static(b"{\n\"a\": 1\n}"),
        };
        assert_eq!(Job::from_parcel(&job.to_parcel()).unwrap(), job);
        for bad in ["", "\n", "lambda-event/1 {}\n", "lambda-event/9 {}\n{}"] {
            assert!(Job::from_parcel(&Bytes::from(bad)).is_err(), "{bad}");
        }
    }
}
