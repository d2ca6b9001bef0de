//! Stands for S3: buckets `mine`, which takes and gives everything, and `shaky`, which fails every other time. There are no others.
//! For CloudWatch Logs: one group at most. And for who knows what roles may do: all of them what the test says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use base::task::Tasks;
use base::{Clock, Random};
use bytes::Bytes;
use contract::{Arn, Call, Cause, Effect, Fault, Handle};
use dispatch::{
    Asked, Attached, Attachments, Authority, BoxFuture, Dispatch, Identity, Limits, Metrics, Parts, Registry, Told,
};
use policy::Policy;
use wire::{Empty, Payload, logs, s3};

use crate::Tables;

#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) objects: Mutex<BTreeMap<String, Bytes>>,
    /// What roles may do.
    pub(super) rights: Mutex<Vec<Arc<Policy>>>,
    /// Who tells of tables what policies ask for.
    pub(super) tables: Mutex<Weak<Tables>>,
    /// What was logged, by stream; nothing while there is no group.
    pub(super) logged: Mutex<Option<BTreeMap<String, Vec<String>>>>,
    calls: AtomicU64,
}

impl Shelf {
    fn check(&self, bucket: &str) -> Result<(), Fault> {
        match bucket {
            "mine" => Ok(()),
            "shaky" if self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) => {
                Err(Fault::new(Cause::Throttled, "SlowDown", "Please reduce your request rate."))
            }
            "shaky" => Ok(()),
            _ => Err(Fault::new(Cause::NotFound, "NoSuchBucket", "The specified bucket does not exist")),
        }
    }

    fn tables(&self) -> Arc<Tables> {
        self.tables.lock().unwrap().upgrade().expect("there are tables as long as calls are made")
    }

    pub(super) fn object(&self, key: &str) -> Bytes {
        self.objects.lock().unwrap().get(key).cloned().unwrap_or_else(|| panic!("{key} is there: {:?}", self.keys()))
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }
}

struct Keeper(Arc<Shelf>);

impl Authority for Keeper {
    fn identity<'a>(&'a self, _call: &'a Call) -> BoxFuture<'a, Result<Identity, Fault>> {
        let policies = self.0.rights.lock().unwrap().clone();
        Box::pin(async { Ok(Identity { policies, ..Identity::default() }) })
    }
}

fn resource(call: &Call, bucket: &str, key: &str) -> Arn {
    Arn::new("s3", &call.region, call.account, format!("{bucket}/{key}"))
}

impl Handle<s3::PutObject> for Shelf {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &s3::PutObjectRequest) -> Arn {
        resource(call, &input.bucket, &input.key)
    }

    async fn handle(&self, _call: &Call, input: s3::PutObjectRequest) -> Result<s3::PutObjectOutput, Fault> {
        self.check(&input.bucket)?;
        let body = input.body.and_then(|body| body.whole().cloned()).unwrap_or_default();
        self.objects.lock().unwrap().insert(input.key, body);
        Ok(s3::PutObjectOutput { e_tag: Some("\"tag\"".into()), ..Default::default() })
    }
}

impl Handle<s3::GetObject> for Shelf {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &s3::GetObjectRequest) -> Arn {
        resource(call, &input.bucket, &input.key)
    }

    async fn handle(&self, _call: &Call, input: s3::GetObjectRequest) -> Result<s3::GetObjectOutput, Fault> {
        self.check(&input.bucket)?;
        let pieces: Vec<_> =
            self.object(&input.key).chunks(1_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let body = Payload::stream(Box::pin(futures_util::stream::iter(pieces)), None);
        Ok(s3::GetObjectOutput { body: Some(body), ..Default::default() })
    }
}

impl Handle<s3::ListObjectsV2> for Shelf {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &s3::ListObjectsV2Request) -> Arn {
        resource(call, &input.bucket, "")
    }

    async fn handle(&self, _call: &Call, input: s3::ListObjectsV2Request) -> Result<s3::ListObjectsV2Output, Fault> {
        self.check(&input.bucket)?;
        let (prefix, after) = (input.prefix.unwrap_or_default(), input.start_after.unwrap_or_default());
        let mut keys: Vec<String> = self.keys();
        keys.retain(|key| key.starts_with(&prefix) && *key > after);
        // Two in a page, so that there are several.
        let is_truncated = keys.len() > 2;
        let objects = keys.into_iter().take(2).map(|key| s3::Object { key: Some(key), ..Default::default() });
        Ok(s3::ListObjectsV2Output {
            contents: Some(objects.collect()),
            is_truncated: Some(is_truncated),
            ..Default::default()
        })
    }
}

fn there(made: bool) -> Result<Empty, Fault> {
    match made {
        true => Ok(Empty),
        false => Err(Fault::new(Cause::Conflict, "ResourceAlreadyExistsException", "It is there already")),
    }
}

fn missing() -> Fault {
    Fault::new(Cause::NotFound, "ResourceNotFoundException", "The specified log stream does not exist.")
}

impl Handle<logs::CreateLogGroup> for Shelf {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &logs::CreateLogGroupRequest) -> Arn {
        Arn::new("logs", &call.region, call.account, input.log_group_name.clone())
    }

    async fn handle(&self, _call: &Call, input: logs::CreateLogGroupRequest) -> Result<Empty, Fault> {
        assert_eq!(input.log_group_name, "/aws-dynamodb/imports");
        there(self.logged.lock().unwrap().replace(BTreeMap::new()).is_none())
    }
}

impl Handle<logs::CreateLogStream> for Shelf {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &logs::CreateLogStreamRequest) -> Arn {
        Arn::new("logs", &call.region, call.account, input.log_group_name.clone())
    }

    async fn handle(&self, _call: &Call, input: logs::CreateLogStreamRequest) -> Result<Empty, Fault> {
        let mut logged = self.logged.lock().unwrap();
        there(logged.as_mut().ok_or_else(missing)?.insert(input.log_stream_name, Vec::new()).is_none())
    }
}

impl Handle<logs::PutLogEvents> for Shelf {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &logs::PutLogEventsRequest) -> Arn {
        Arn::new("logs", &call.region, call.account, input.log_group_name.clone())
    }

    async fn handle(
        &self,
        _call: &Call,
        input: logs::PutLogEventsRequest,
    ) -> Result<logs::PutLogEventsResponse, Fault> {
        let mut logged = self.logged.lock().unwrap();
        let stream = logged.as_mut().and_then(|streams| streams.get_mut(&input.log_stream_name)).ok_or_else(missing)?;
        stream.extend(input.log_events.into_iter().map(|event| event.message));
        Ok(logs::PutLogEventsResponse::default())
    }
}

impl Attachments for Shelf {
    fn attached<'a>(&'a self, call: &'a Call, resource: &'a Arn) -> BoxFuture<'a, Result<Attached, Fault>> {
        Box::pin(async move { self.tables().attached(call, resource).await })
    }

    fn told<'a>(&'a self, asked: Asked<'a>) -> BoxFuture<'a, Result<Told, Fault>> {
        Box::pin(async move { self.tables().told(asked).await })
    }
}

/// The road to it.
pub(super) fn road(shelf: &Arc<Shelf>, clock: &Clock, random: &Random) -> Dispatch {
    let mut registry = Registry::new(Parts {
        clock: clock.clone(),
        random: random.clone(),
        tasks: Tasks::new(),
        metrics: Metrics::new(),
        authority: Arc::new(Keeper(Arc::clone(shelf))),
        limits: Limits::default(),
    });
    registry.attach("dynamodb", Arc::clone(shelf) as _);
    registry.add::<logs::CreateLogGroup, _>(shelf);
    registry.add::<logs::CreateLogStream, _>(shelf);
    registry.add::<logs::PutLogEvents, _>(shelf);
    registry.add::<s3::GetObject, _>(shelf);
    registry.add::<s3::ListObjectsV2, _>(shelf);
    registry.add::<s3::PutObject, _>(shelf);
    registry.open()
}
