//! What is told: S3's records for functions, queues and topics, and its events for the event bus.

use contract::{Call, Origin, Principal};
use delivery::Fact;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::events::{Event, EventType};

/// What stays as it is in a record's key.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

/// Who makes changes that nobody asks for.
const OWN: &str = "s3.amazonaws.com";

/// A change, and what is known of who made it.
#[derive(Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) bucket: &'a str,
    /// Where the bucket is, wherever the caller is.
    pub(crate) region: &'a str,
    pub(crate) event: Event<'a>,
    pub(crate) call: &'a Call,
    pub(crate) at_ms: i64,
}

impl Told<'_> {
    /// The record of an entry, in the envelope in which it travels.
    pub(crate) fn records(&self, configuration_id: &str) -> Value {
        let Told { bucket, event, call, .. } = self;
        let mut object = Map::new();
        object.insert("key".into(), utf8_percent_encode(event.key, KEPT).to_string().replace("%20", "+").into());
        if let Some(size) = event.size {
            object.insert("size".into(), size.into());
        }
        if let Some(etag) = event.etag {
            object.insert("eTag".into(), etag.into());
        }
        if let Some(version) = event.version_id {
            object.insert("versionId".into(), version.into());
        }
        object.insert("sequencer".into(), event.sequencer.into());
        let owner = json!({ "principalId": call.account.to_string() });
        let mut record = json!({
            "eventVersion": version(event.kind),
            "eventSource": "aws:s3",
            "awsRegion": self.region,
            "eventTime": time(self.at_ms),
            "eventName": event.kind.name().trim_start_matches("s3:"),
            "userIdentity": { "principalId": self.principal() },
            "requestParameters": { "sourceIPAddress": self.address() },
            "responseElements": { "x-amz-request-id": request_id(call), "x-amz-id-2": host_id(call) },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": configuration_id,
                "bucket": { "name": bucket, "ownerIdentity": owner, "arn": format!("arn:aws:s3:::{bucket}") },
                "object": object,
            },
        });
        if let EventType::RestoreCompleted { class, until_ms } = event.kind {
            let restored =
                json!({ "lifecycleRestorationExpiryTime": time(until_ms), "lifecycleRestoreStorageClass": class });
            record["glacierEventData"] = json!({ "restoreEventData": restored });
        }
        if let EventType::LifecycleTransition { class } = event.kind {
            let moved = json!({ "destinationStorageClass": class });
            record["lifecycleEventData"] = json!({ "transitionEventData": moved });
        }
        json!({ "Records": [record] })
    }

    /// For the event bus; none of what it is not told.
    pub(crate) fn fact(&self) -> Fact {
        let Told { bucket, event, call, .. } = self;
        let (detail_type, reason, deletion) = on_bus(event.kind);
        let mut object = Map::new();
        object.insert("key".into(), event.key.into());
        for (name, value) in [("etag", event.etag), ("version-id", event.version_id)] {
            if let Some(value) = value {
                object.insert(name.into(), value.into());
            }
        }
        if let Some(size) = event.size {
            object.insert("size".into(), size.into());
        }
        object.insert("sequencer".into(), event.sequencer.into());
        let mut detail = json!({
            "version": "0",
            "bucket": { "name": bucket },
            "object": object,
            "request-id": request_id(call),
            "requester": call.account.to_string(),
        });
        match self.is_own() {
            true => detail["requester"] = OWN.into(),
            false => detail["source-ip-address"] = self.address().into(),
        }
        for (name, value) in [("reason", reason), ("deletion-type", deletion)] {
            if let Some(value) = value {
                detail[name] = value.into();
            }
        }
        if let EventType::RestorePost { class } | EventType::RestoreCompleted { class, .. } = event.kind {
            detail["source-storage-class"] = class.into();
        }
        if let EventType::LifecycleTransition { class } = event.kind {
            detail["destination-storage-class"] = class.into();
        }
        if let EventType::RestoreCompleted { until_ms, .. } = event.kind {
            detail["restore-expiry-time"] = time(until_ms).into();
        }
        Fact { source: "aws.s3", detail_type, resources: vec![format!("arn:aws:s3:::{bucket}")], detail }
    }

    /// Whether nobody asked for it: lifecycles and their like.
    fn is_own(&self) -> bool {
        matches!(self.call.principal, Principal::Service { name: OWN, source: None })
    }

    fn principal(&self) -> String {
        match &self.call.origin {
            Origin::Door { .. } => format!("AWS:{}", self.call.principal.arn(self.call.account)),
            // Lifecycles and their like.
            Origin::Inside { .. } => "s3.amazonaws.com".to_owned(),
        }
    }

    fn address(&self) -> String {
        match &self.call.origin {
            Origin::Door { peer, .. } => peer.to_string(),
            Origin::Inside { .. } if self.is_own() => OWN.to_owned(),
            Origin::Inside { .. } => "127.0.0.1".to_owned(),
        }
    }
}

/// What queues and topics are sent when they are first named.
pub(crate) fn test_event(bucket: &str, call: &Call, at_ms: i64) -> Value {
    json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": time(at_ms),
        "Bucket": bucket,
        "RequestId": request_id(call),
        "HostId": host_id(call),
    })
}

/// Newer kinds of events came with newer versions of the record.
fn version(kind: EventType) -> &'static str {
    match kind {
        EventType::Put
        | EventType::Post
        | EventType::Copy
        | EventType::CompleteMultipartUpload
        | EventType::Delete
        | EventType::DeleteMarkerCreated
        | EventType::RestorePost { .. }
        | EventType::RestoreCompleted { .. }
        | EventType::RestoreDelete => "2.1",
        EventType::LifecycleDelete
        | EventType::LifecycleDeleteMarkerCreated
        | EventType::LifecycleTransition { .. }
        | EventType::TaggingPut
        | EventType::TaggingDelete
        | EventType::AclPut => "2.3",
    }
}

/// The kind of event on the bus, why it happened, and in what way something is gone.
fn on_bus(kind: EventType) -> (&'static str, Option<&'static str>, Option<&'static str>) {
    const FOR_GOOD: &str = "Permanently Deleted";
    const HIDDEN: &str = "Delete Marker Created";
    match kind {
        EventType::Put => ("Object Created", Some("PutObject"), None),
        EventType::Post => ("Object Created", Some("POST Object"), None),
        EventType::Copy => ("Object Created", Some("CopyObject"), None),
        EventType::CompleteMultipartUpload => ("Object Created", Some("CompleteMultipartUpload"), None),
        EventType::Delete => ("Object Deleted", Some("DeleteObject"), Some(FOR_GOOD)),
        EventType::DeleteMarkerCreated => ("Object Deleted", Some("DeleteObject"), Some(HIDDEN)),
        EventType::LifecycleDelete => ("Object Deleted", Some("Lifecycle Expiration"), Some(FOR_GOOD)),
        EventType::LifecycleDeleteMarkerCreated => ("Object Deleted", Some("Lifecycle Expiration"), Some(HIDDEN)),
        EventType::LifecycleTransition { .. } => ("Object Storage Class Changed", None, None),
        EventType::TaggingPut => ("Object Tags Added", None, None),
        EventType::TaggingDelete => ("Object Tags Deleted", None, None),
        EventType::AclPut => ("Object ACL Updated", None, None),
        EventType::RestorePost { .. } => ("Object Restore Initiated", None, None),
        EventType::RestoreCompleted { .. } => ("Object Restore Completed", None, None),
        EventType::RestoreDelete => ("Object Restore Expired", None, None),
    }
}

fn time(at_ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    format!("{time:.3}")
}

fn request_id(call: &Call) -> String {
    call.id.simple().to_string()[..16].to_uppercase()
}

/// AWS's long one, of which nobody reads anything.
fn host_id(call: &Call) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(call.id.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base::{Clock, Random};
    use contract::{AccountId, Principal, Region, Trace};

    use super::*;

    fn call() -> Call {
        let (clock, random) = (Clock::system(), Random::seeded(1));
        Call {
            id: random.uuid(),
            principal: Principal::Root,
            account: AccountId::ONLY,
            region: Region::default_one(),
            deadline: clock.elapsed(),
            trace: Trace::start(&clock, &random),
            hops: 0,
            origin: Origin::Door {
                peer: [192, 0, 2, 7].into(),
                base_url: Arc::from("http://localhost:4566"),
                user_agent: Arc::from(""),
                manner: None,
            },
        }
    }

    #[test]
    fn records_are_as_functions_know_them() {
        let call = call();
        let event = Event {
            kind: EventType::Put,
            key: "in/my fünf+1.jpg",
            size: Some(5),
            etag: Some("abc"),
            version_id: None,
            sequencer: "0055AED6DCD90281E5",
        };
        let told = Told { bucket: "b", region: "eu-west-3", event, call: &call, at_ms: 1_700_000_000_123 };
        let records = told.records("entry");
        let record = &records["Records"][0];
        for (pointer, expected) in [
            ("/eventVersion", json!("2.1")),
            ("/eventName", json!("ObjectCreated:Put")),
            ("/eventTime", json!("2023-11-14T22:13:20.123Z")),
            ("/requestParameters/sourceIPAddress", json!("192.0.2.7")),
            ("/s3/configurationId", json!("entry")),
            ("/s3/bucket/arn", json!("arn:aws:s3:::b")),
            ("/s3/object/key", json!("in/my+f%C3%BCnf%2B1.jpg")),
            ("/s3/object/size", json!(5)),
            ("/s3/object/eTag", json!("abc")),
            ("/s3/object/sequencer", json!("0055AED6DCD90281E5")),
        ] {
            assert_eq!(record.pointer(pointer), Some(&expected), "{pointer}");
        }
        assert_eq!(record.pointer("/s3/object/versionId"), None);
        let fact = told.fact();
        assert_eq!((fact.source, fact.detail_type), ("aws.s3", "Object Created"));
        assert_eq!(fact.resources, ["arn:aws:s3:::b"]);
        assert_eq!(fact.detail["object"]["key"], "in/my fünf+1.jpg");
        assert_eq!(fact.detail["reason"], "PutObject");
    }

    #[test]
    fn what_is_back_says_until_when() {
        let (call, kind) = (call(), EventType::RestoreCompleted { class: "GLACIER", until_ms: 86_400_000 });
        let event = Event { kind, key: "k", size: Some(1), etag: None, version_id: None, sequencer: "1" };
        let told = Told { bucket: "b", region: "eu-west-3", event, call: &call, at_ms: 0 };
        let record = &told.records("")["Records"][0];
        assert_eq!(record["eventName"], "ObjectRestore:Completed");
        assert_eq!(
            record["glacierEventData"]["restoreEventData"],
            json!({
                "lifecycleRestorationExpiryTime": "1970-01-02T00:00:00.000Z",
                "lifecycleRestoreStorageClass": "GLACIER",
            })
        );
        let fact = told.fact();
        assert_eq!(fact.detail_type, "Object Restore Completed");
        assert_eq!(fact.detail["source-storage-class"], "GLACIER");
        assert_eq!(fact.detail["restore-expiry-time"], "1970-01-02T00:00:00.000Z");
    }

    #[test]
    fn what_is_gone_says_how() {
        let call = call();
        for (kind, name, detail_type, deletion) in [
            (EventType::Delete, "ObjectRemoved:Delete", "Object Deleted", json!("Permanently Deleted")),
            (
                EventType::DeleteMarkerCreated,
                "ObjectRemoved:DeleteMarkerCreated",
                "Object Deleted",
                json!("Delete Marker Created"),
            ),
            (EventType::TaggingPut, "ObjectTagging:Put", "Object Tags Added", Value::Null),
        ] {
            let event = Event { kind, key: "k", size: None, etag: None, version_id: Some("v"), sequencer: "1" };
            let told = Told { bucket: "b", region: "eu-west-3", event, call: &call, at_ms: 0 };
            let records = told.records("");
            assert_eq!(records["Records"][0]["eventName"], name);
            assert_eq!(records["Records"][0]["s3"]["object"]["versionId"], "v");
            assert_eq!(records["Records"][0]["s3"]["object"].get("size"), None);
            let fact = told.fact();
            assert_eq!((fact.detail_type, &fact.detail["deletion-type"]), (detail_type, &deletion));
        }
    }
}
