//! `DeleteObject` and `DeleteObjects`: a key is hidden, or a version is gone for good.

use contract::{Arn, Call, Effect, Fault, Handle};
use futures_util::StreamExt;
use wire::s3;

use super::{bucket_arn, object_arn};
use crate::Objects;
use crate::conditions::fits;
use crate::error::{Error, malformed_xml, precondition_failed};
use crate::events::{Event, EventType, sequencer};
use crate::model::{Version, check_key};
use crate::store::{Removed, missing_version};

/// The most keys of one request.
const KEYS_MAX: usize = 1000;
/// So many are deleted at the same time: they share their commits.
const AT_ONCE: usize = 64;

/// What is to be deleted.
#[derive(Clone, Copy, Default)]
struct Doomed<'a> {
    bucket: &'a str,
    key: &'a str,
    version: Option<&'a str>,
    if_match: Option<&'a str>,
    modified: Option<jiff::Timestamp>,
    size: Option<i64>,
    bypass: bool,
}

impl Handle<s3::DeleteObject> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::DeleteObjectRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(&self, call: &Call, input: s3::DeleteObjectRequest) -> Result<s3::DeleteObjectOutput, Fault> {
        let doomed = Doomed {
            bucket: &input.bucket,
            key: &input.key,
            version: input.version_id.as_deref(),
            if_match: input.if_match.as_deref(),
            modified: input.if_match_last_modified_time,
            size: input.if_match_size,
            bypass: input.bypass_governance_retention.unwrap_or_default(),
        };
        let removed = self.delete(call, doomed).await?;
        Ok(s3::DeleteObjectOutput {
            delete_marker: removed.marker.then_some(true),
            version_id: removed.id,
            request_charged: None,
        })
    }
}

impl Handle<s3::DeleteObjects> for Objects {
    const EFFECT: Effect = Effect::Write;
    /// Each key is asked for by itself; who may delete none of them may still ask.
    const ALWAYS_ALLOWED: bool = true;

    fn resource(&self, _call: &Call, input: &s3::DeleteObjectsRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(&self, call: &Call, input: s3::DeleteObjectsRequest) -> Result<s3::DeleteObjectsOutput, Fault> {
        let asked = &input.delete.objects;
        if asked.is_empty() || asked.len() > KEYS_MAX {
            return Err(malformed_xml());
        }
        self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?;
        let bypass = input.bypass_governance_retention.unwrap_or_default();
        let mut deletions = Vec::with_capacity(asked.len());
        for object in asked {
            let doomed = Doomed {
                bucket: &input.bucket,
                key: &object.key,
                version: object.version_id.as_deref(),
                if_match: object.e_tag.as_deref(),
                modified: object.last_modified_time,
                size: object.size,
                bypass,
            };
            deletions.push(async move { (object, self.delete_allowed(call, doomed).await) });
        }
        let outcomes: Vec<_> = futures_util::stream::iter(deletions).buffered(AT_ONCE).collect().await;
        let quiet = input.delete.quiet.unwrap_or_default();
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for (object, outcome) in outcomes {
            match outcome {
                Ok(_) if quiet => {}
                Ok(removed) => deleted.push(s3::DeletedObject {
                    key: Some(object.key.clone()),
                    version_id: object.version_id.clone(),
                    delete_marker: removed.marker.then_some(true),
                    delete_marker_version_id: removed.id.filter(|_| removed.marker),
                }),
                Err(error) => {
                    let fault = Fault::from(error);
                    errors.push(s3::Error {
                        key: Some(object.key.clone()),
                        version_id: object.version_id.clone(),
                        code: Some(fault.code),
                        message: Some(fault.message),
                    });
                }
            }
        }
        let some = |deleted: Vec<_>| (!deleted.is_empty()).then_some(deleted);
        Ok(s3::DeleteObjectsOutput {
            deleted: some(deleted),
            errors: (!errors.is_empty()).then_some(errors),
            request_charged: None,
        })
    }
}

impl Objects {
    /// One of several, each of which may be another's to decide.
    async fn delete_allowed(&self, call: &Call, doomed: Doomed<'_>) -> Result<Removed, Error> {
        let actions = ("s3:DeleteObject", "s3:DeleteObjectVersion");
        self.allowed_version(call, actions, (doomed.bucket, doomed.key), doomed.version).await?;
        self.delete(call, doomed).await
    }

    async fn delete(&self, call: &Call, doomed: Doomed<'_>) -> Result<Removed, Error> {
        check_key(doomed.key)?;
        let bypass = doomed.bypass
            && self
                .allowed(call, &["s3:BypassGovernanceRetention"], &object_arn(doomed.bucket, doomed.key))
                .await
                .is_ok();
        let at_ms = self.now_ms();
        self.shelf
            .store
            .transact(|tx| async move {
                let bucket = self.shelf.bucket_in(&tx, doomed.bucket).await?;
                let (removed, kind) = match doomed.version {
                    None => {
                        let current = self.shelf.current_in(&tx, doomed.bucket, doomed.key).await?;
                        check_conditions(&doomed, current.as_ref().map(|found| &found.version))?;
                        let removed = self.shelf.hide(&tx, &bucket, doomed.key, at_ms).await?;
                        let kind = if removed.marker { EventType::DeleteMarkerCreated } else { EventType::Delete };
                        (removed, kind)
                    }
                    Some(id) => {
                        let found = match self.shelf.version_in(&tx, doomed.bucket, doomed.key, id).await? {
                            Some(found) => found,
                            // Gone already, which is what was asked for; an id that nothing can have is not.
                            None => match missing_version(doomed.key, id) {
                                Error::Refused(fault) if fault.code == "NoSuchVersion" => {
                                    return Ok(Removed { id: Some(id.to_owned()), ..Removed::default() });
                                }
                                other => return Err(other),
                            },
                        };
                        check_conditions(&doomed, Some(&found.version))?;
                        check_lock(&found.version, at_ms, bypass)?;
                        (self.shelf.remove(&tx, &bucket, doomed.key, &found).await?, EventType::Delete)
                    }
                };
                if removed.changed {
                    let event = Event {
                        kind,
                        key: doomed.key,
                        size: None,
                        etag: None,
                        version_id: removed.id.as_deref(),
                        sequencer: &sequencer(&tx),
                    };
                    self.tell(&tx, call, &bucket, event).await?;
                }
                Ok(removed)
            })
            .await
    }
}

fn check_conditions(doomed: &Doomed<'_>, there: Option<&Version>) -> Result<(), Fault> {
    if doomed.if_match.is_none() && doomed.modified.is_none() && doomed.size.is_none() {
        return Ok(());
    }
    let Some(there) = there else { return Err(precondition_failed("If-Match")) };
    let good = doomed.if_match.is_none_or(|tags| fits(tags, &there.etag))
        && doomed.modified.is_none_or(|at| at.as_second() == there.at_ms.div_euclid(1000))
        && doomed.size.is_none_or(|size| u64::try_from(size) == Ok(there.size));
    if good { Ok(()) } else { Err(precondition_failed("If-Match")) }
}

/// Whether a version may go.
pub(crate) fn check_lock(version: &Version, now_ms: i64, bypass: bool) -> Result<(), Fault> {
    let held = version.legal_hold == Some(true);
    let kept = version
        .retention
        .as_ref()
        .is_some_and(|retention| retention.until_ms > now_ms && (retention.compliance || !bypass));
    match held || kept {
        true => {
            let message = "Access Denied because object protected by object lock.";
            Err(crate::error::refused(403, "AccessDenied", message))
        }
        false => Ok(()),
    }
}
