//! Object lock: retention and legal holds of versions, and what a bucket gives new ones by itself.

use contract::{Arn, Call, Effect, Fault, Handle};
use jiff::Timestamp;
use wire::s3::{self, ObjectLockEnabled, ObjectLockRetentionMode};

use super::object_tags::which;
use super::{bucket_arn, object_arn, time};
use crate::Objects;
use crate::error::{Error, invalid_argument, invalid_request, malformed_xml, refused};
use crate::model::{Bucket, Retention, Version};
use crate::store::{LOCK, read};

const DAY_MS: i64 = 86_400_000;

/// What a request says of a new version's lock.
pub(super) struct Said<'a> {
    pub(super) mode: Option<&'a str>,
    pub(super) until: Option<Timestamp>,
    pub(super) hold: Option<&'a str>,
}

impl Said<'_> {
    /// Whether it says anything.
    pub(super) fn asks(&self) -> bool {
        self.mode.is_some() || self.until.is_some() || self.hold.is_some()
    }
}

macro_rules! said {
    ($input:expr) => {
        crate::ops::locks::Said {
            mode: $input.object_lock_mode.as_deref(),
            until: $input.object_lock_retain_until_date,
            hold: $input.object_lock_legal_hold_status.as_deref(),
        }
    };
}

pub(super) use said;

impl Objects {
    /// The lock of a version that is being made: what the request says, or what the bucket gives.
    pub(super) async fn lock_of(
        &self,
        bucket: &Bucket,
        said: Said<'_>,
    ) -> Result<(Option<Retention>, Option<bool>), Error> {
        if said.asks() && !bucket.lock {
            return Err(invalid_request("Bucket is missing Object Lock Configuration").into());
        }
        let hold = match said.hold {
            None => None,
            Some("ON") => Some(true),
            Some("OFF") => Some(false),
            Some(other) => {
                let message = "Legal Hold must be either of 'ON' or 'OFF'";
                return Err(invalid_argument(message, "x-amz-object-lock-legal-hold", other).into());
            }
        };
        let retention = match (said.mode, said.until) {
            (None, None) if bucket.lock => self.default_retention(bucket).await?,
            (None, None) => None,
            (Some(mode), Some(until)) => Some(retention(mode, until, self.now_ms())?),
            _ => {
                let message = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
                return Err(invalid_argument(message, "x-amz-object-lock-mode", said.mode.unwrap_or_default()).into());
            }
        };
        Ok((retention, hold))
    }

    async fn default_retention(&self, bucket: &Bucket) -> Result<Option<Retention>, Error> {
        let configuration = self.configured_as::<s3::ObjectLockConfiguration>(&bucket.name, LOCK).await?;
        let default =
            configuration.as_ref().and_then(|configuration| configuration.rule.as_ref()?.default_retention.as_ref());
        let Some(default) = default else { return Ok(None) };
        let days =
            default.days.map(i64::from).or(default.years.map(|years| i64::from(years) * 365)).unwrap_or_default();
        let compliance = default.mode == Some(ObjectLockRetentionMode::Compliance);
        Ok(Some(Retention { compliance, until_ms: self.now_ms() + days * DAY_MS }))
    }
}

fn retention(mode: &str, until: Timestamp, now_ms: i64) -> Result<Retention, Fault> {
    let compliance = match mode {
        "COMPLIANCE" => true,
        "GOVERNANCE" => false,
        other => return Err(invalid_argument("Unknown wormMode directive.", "x-amz-object-lock-mode", other)),
    };
    if until.as_millisecond() <= now_ms {
        let message = "The retain until date must be in the future!";
        return Err(invalid_argument(message, "x-amz-object-lock-retain-until-date", &until.to_string()));
    }
    Ok(Retention { compliance, until_ms: until.as_millisecond() })
}

impl Handle<s3::PutObjectRetention> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::PutObjectRetentionRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(
        &self,
        call: &Call,
        input: s3::PutObjectRetentionRequest,
    ) -> Result<s3::PutObjectRetentionOutput, Fault> {
        let bucket = self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?;
        check_lockable(&bucket)?;
        let now_ms = self.now_ms();
        let wanted = match input.retention.as_ref().ok_or_else(malformed_xml)? {
            s3::ObjectLockRetention { mode: Some(mode), retain_until_date: Some(until) } => {
                Some(retention(mode.as_str(), *until, now_ms)?)
            }
            s3::ObjectLockRetention { mode: None, retain_until_date: None } => None,
            _ => return Err(malformed_xml()),
        };
        let bypass = input.bypass_governance_retention.unwrap_or_default()
            && self
                .allowed(call, &["s3:BypassGovernanceRetention"], &object_arn(&input.bucket, &input.key))
                .await
                .is_ok();
        let set = |_: &Bucket, version: &mut Version| {
            check_change(version.retention.as_ref(), wanted.as_ref(), now_ms, bypass)?;
            version.retention.clone_from(&wanted);
            Ok(())
        };
        self.say(which!(input), (call, &[]), set).await?;
        Ok(s3::PutObjectRetentionOutput::default())
    }
}

/// A retention may be made longer by anybody; shorter, and of another mode, by who may bypass it, if anybody may.
fn check_change(old: Option<&Retention>, new: Option<&Retention>, now_ms: i64, bypass: bool) -> Result<(), Fault> {
    let Some(old) = old.filter(|old| old.until_ms > now_ms) else { return Ok(()) };
    let weaker = new.is_none_or(|new| new.until_ms < old.until_ms || old.compliance != new.compliance);
    match weaker && (old.compliance || !bypass) {
        true => Err(refused(403, "AccessDenied", "Access Denied because object protected by object lock.")),
        false => Ok(()),
    }
}

fn check_lockable(bucket: &Bucket) -> Result<(), Fault> {
    match bucket.lock {
        true => Ok(()),
        false => Err(invalid_request("Bucket is missing Object Lock Configuration")),
    }
}

impl Handle<s3::GetObjectRetention> for Objects {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &s3::GetObjectRetentionRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(
        &self,
        _call: &Call,
        input: s3::GetObjectRetentionRequest,
    ) -> Result<s3::GetObjectRetentionOutput, Fault> {
        let snapshot = self.shelf.snapshot();
        let looked = self.look(&snapshot, &input.bucket, &input.key, input.version_id.as_deref()).await?;
        check_lockable(&looked.bucket)?;
        let retention = looked.found.version.retention.ok_or_else(|| no_lock(&input.key))?;
        let mode = if retention.compliance {
            ObjectLockRetentionMode::Compliance
        } else {
            ObjectLockRetentionMode::Governance
        };
        let retention = s3::ObjectLockRetention { mode: Some(mode), retain_until_date: time(retention.until_ms) };
        Ok(s3::GetObjectRetentionOutput { retention: Some(retention) })
    }
}

fn no_lock(key: &str) -> Fault {
    let message = "The specified object does not have a ObjectLock configuration";
    refused(404, "NoSuchObjectLockConfiguration", message).with("Key", key)
}

impl Handle<s3::PutObjectLegalHold> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::PutObjectLegalHoldRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(
        &self,
        call: &Call,
        input: s3::PutObjectLegalHoldRequest,
    ) -> Result<s3::PutObjectLegalHoldOutput, Fault> {
        let bucket = self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?;
        check_lockable(&bucket)?;
        let held = match input.legal_hold.as_ref().and_then(|hold| hold.status.as_deref()) {
            Some("ON") => true,
            Some("OFF") => false,
            _ => return Err(malformed_xml()),
        };
        let set = |_: &Bucket, version: &mut Version| {
            version.legal_hold = Some(held);
            Ok(())
        };
        self.say(which!(input), (call, &[]), set).await?;
        Ok(s3::PutObjectLegalHoldOutput::default())
    }
}

impl Handle<s3::GetObjectLegalHold> for Objects {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &s3::GetObjectLegalHoldRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(
        &self,
        _call: &Call,
        input: s3::GetObjectLegalHoldRequest,
    ) -> Result<s3::GetObjectLegalHoldOutput, Fault> {
        let snapshot = self.shelf.snapshot();
        let looked = self.look(&snapshot, &input.bucket, &input.key, input.version_id.as_deref()).await?;
        check_lockable(&looked.bucket)?;
        let held = looked.found.version.legal_hold.ok_or_else(|| no_lock(&input.key))?;
        let status = Some(if held { "ON" } else { "OFF" }.to_owned());
        Ok(s3::GetObjectLegalHoldOutput { legal_hold: Some(s3::ObjectLockLegalHold { status }) })
    }
}

impl Handle<s3::PutObjectLockConfiguration> for Objects {
    const EFFECT: Effect = Effect::Write;
    const ACTION: Option<&'static str> = Some("s3:PutBucketObjectLockConfiguration");

    fn resource(&self, _call: &Call, input: &s3::PutObjectLockConfigurationRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    /// Locking a bucket cannot be taken back, only what new versions get.
    async fn handle(
        &self,
        _call: &Call,
        input: s3::PutObjectLockConfigurationRequest,
    ) -> Result<s3::PutObjectLockConfigurationOutput, Fault> {
        let configuration = input.object_lock_configuration.ok_or_else(malformed_xml)?;
        check_configuration(&configuration)?;
        let document = wire::document::write(&configuration);
        let (name, document) = (&input.bucket, &document);
        self.shelf
            .store
            .transact(|tx| async move {
                let mut bucket = self.shelf.bucket_in(&tx, name).await?;
                if bucket.versioning != crate::model::Versioning::Enabled {
                    let message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration";
                    return Err(Error::from(refused(409, "InvalidBucketState", message)));
                }
                bucket.lock = true;
                self.shelf.set_config(&tx, &mut bucket, LOCK, "", Some(document)).await
            })
            .await?;
        Ok(s3::PutObjectLockConfigurationOutput::default())
    }
}

fn check_configuration(configuration: &s3::ObjectLockConfiguration) -> Result<(), Fault> {
    if configuration.object_lock_enabled != Some(ObjectLockEnabled::Enabled) {
        return Err(malformed_xml());
    }
    let Some(rule) = &configuration.rule else { return Ok(()) };
    let default = rule.default_retention.as_ref().ok_or_else(malformed_xml)?;
    let length = match (default.days, default.years) {
        (Some(days), None) => days,
        (None, Some(years)) => years,
        _ => return Err(malformed_xml()),
    };
    match (&default.mode, length) {
        (None, _) => Err(malformed_xml()),
        (Some(_), length) if length <= 0 => Err(invalid_argument(
            "Default retention period must be a positive integer value.",
            "Days",
            &length.to_string(),
        )),
        (Some(_), _)
            if default.days.is_some_and(|days| days > 36_500) || default.years.is_some_and(|years| years > 100) =>
        {
            Err(invalid_argument("Default retention period too large", "Days", &length.to_string()))
        }
        _ => Ok(()),
    }
}

impl Handle<s3::GetObjectLockConfiguration> for Objects {
    const EFFECT: Effect = Effect::Read;
    const ACTION: Option<&'static str> = Some("s3:GetBucketObjectLockConfiguration");

    fn resource(&self, _call: &Call, input: &s3::GetObjectLockConfigurationRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(
        &self,
        _call: &Call,
        input: s3::GetObjectLockConfigurationRequest,
    ) -> Result<s3::GetObjectLockConfigurationOutput, Fault> {
        let snapshot = self.shelf.snapshot();
        let bucket = self.shelf.bucket(&snapshot, &input.bucket).await?;
        let document = self.shelf.config(&snapshot, &input.bucket, LOCK, "").await?;
        let configuration = match document {
            Some(document) => read(document)?,
            None if bucket.lock => {
                s3::ObjectLockConfiguration { object_lock_enabled: Some(ObjectLockEnabled::Enabled), rule: None }
            }
            None => {
                let message = "Object Lock configuration does not exist for this bucket";
                let fault = refused(404, "ObjectLockConfigurationNotFoundError", message);
                return Err(fault.with("BucketName", input.bucket));
            }
        };
        Ok(s3::GetObjectLockConfigurationOutput { object_lock_configuration: Some(configuration) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retentions_are_changed_by_who_may() {
        let lock = |compliance, until_ms| Some(Retention { compliance, until_ms });
        let (now_ms, governance, compliance) = (10, lock(false, 20), lock(true, 20));
        // What is there, what is to be, and whether that is let through: without a bypass, and with one.
        for (old, new, without, with) in [
            (None, lock(true, 20), true, true),
            (None, None, true, true),
            // One that is over binds nobody.
            (lock(true, 10), None, true, true),
            (governance.clone(), lock(false, 30), true, true),
            (governance.clone(), lock(false, 20), true, true),
            (governance.clone(), lock(false, 19), false, true),
            (governance.clone(), None, false, true),
            (governance.clone(), lock(true, 20), false, true),
            (governance, lock(true, 30), false, true),
            (compliance.clone(), lock(true, 30), true, true),
            (compliance.clone(), lock(true, 20), true, true),
            (compliance.clone(), lock(true, 19), false, false),
            (compliance.clone(), lock(false, 30), false, false),
            (compliance, None, false, false),
        ] {
            let check = |bypass| check_change(old.as_ref(), new.as_ref(), now_ms, bypass).is_ok();
            assert_eq!((check(false), check(true)), (without, with), "{old:?} to {new:?}");
        }
    }
}
