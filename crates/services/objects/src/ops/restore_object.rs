//! `RestoreObject`: an archived object can be read for some days. Objects lie here alike, whatever their storage class, and can be read
//! at any time; so a restore has ended when it is asked for, and all that comes of it is what it says of itself: in the object's
//! head, and to who is told of restores.

use std::sync::atomic::{AtomicBool, Ordering};

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::s3;

use super::object_tags::which;
use super::{object_arn, time};
use crate::Objects;
use crate::background::midnight_after;
use crate::conditions::http_date;
use crate::error::{invalid_argument, malformed_xml, refused};
use crate::events::EventType;
use crate::model::{Bucket, Version};

/// The classes that S3 reads nothing from before it is restored.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];
/// The longest restore: some hundred years, so that its end is a time.
const DAYS_MAX: i32 = 36_500;
/// What is answered where a restore begins.
const BEGUN: i32 = 202;
/// What is answered where one goes on for longer, or shorter, than it was to.
const LASTS_ON: i32 = 200;

impl Handle<s3::RestoreObject> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::RestoreObjectRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(&self, call: &Call, input: s3::RestoreObjectRequest) -> Result<s3::RestoreObjectOutput, Fault> {
        let until_ms = midnight_after(self.now_ms(), days(input.restore_request.as_ref())?);
        let looked = self.look(&self.shelf.snapshot(), &input.bucket, &input.key, input.version_id.as_deref()).await;
        let class = archive(&self.told_to(call, &input.bucket, looked).await?.found.version)?;
        let now_ms = self.now_ms();
        let lasts = AtomicBool::new(false);
        let set = |_: &Bucket, version: &mut Version| {
            archive(version)?;
            lasts.store(restored_until(version, now_ms).is_some(), Ordering::Relaxed);
            version.restored_until_ms = Some(until_ms);
            Ok(())
        };
        let told = [EventType::RestorePost { class }, EventType::RestoreCompleted { class, until_ms }];
        self.say(which!(input), (call, &told), set).await?;
        let status = if lasts.into_inner() { LASTS_ON } else { BEGUN };
        Ok(s3::RestoreObjectOutput { status: Some(status), ..s3::RestoreObjectOutput::default() })
    }
}

/// For how many days.
fn days(request: Option<&s3::RestoreRequest>) -> Result<i32, Fault> {
    let request = request.ok_or_else(malformed_xml)?;
    if request.type_.is_some() || request.select_parameters.is_some() || request.output_location.is_some() {
        let message = "A header you provided implies functionality that is not implemented: restores that select.";
        return Err(refused(501, "NotImplemented", message));
    }
    let days = request.days.ok_or_else(malformed_xml)?;
    match days {
        1..=DAYS_MAX => Ok(days),
        _ => Err(invalid_argument("restoration days should be at least 1", "Days", &days.to_string())),
    }
}

/// The archive that a version lies in; a fault where it lies in none.
fn archive(version: &Version) -> Result<&'static str, Fault> {
    let class = version.about.class.as_deref().unwrap_or("STANDARD");
    ARCHIVES.into_iter().find(|archive| *archive == class).ok_or_else(|| {
        let message = "Restore is not allowed for the object's current storage class";
        refused(403, "InvalidObjectState", message).with("StorageClass", class)
    })
}

/// What an object's head says of its restore, while it lasts.
pub(super) fn restored(version: &Version, now_ms: i64) -> Option<String> {
    let until_ms = restored_until(version, now_ms)?;
    Some(format!("ongoing-request=\"false\", expiry-date=\"{}\"", http_date(until_ms)))
}

/// What a listing says of it, to whom asks for it.
pub(super) fn restore_status(version: &Version, now_ms: i64) -> Option<s3::RestoreStatus> {
    let until_ms = restored_until(version, now_ms)?;
    Some(s3::RestoreStatus { is_restore_in_progress: Some(false), restore_expiry_date: time(until_ms) })
}

fn restored_until(version: &Version, now_ms: i64) -> Option<i64> {
    version.restored_until_ms.filter(|until_ms| *until_ms > now_ms)
}

/// What listings say beside, of those who ask for it.
#[derive(Clone, Copy)]
pub(super) enum Beside {
    /// Nothing.
    Nothing,
    /// How long restores last, as of then.
    Restores { now_ms: i64 },
}

impl Beside {
    /// Reads what is asked for.
    pub(super) fn asked(attributes: Option<&[String]>, now_ms: i64) -> Result<Self, Fault> {
        let attributes = attributes.unwrap_or_default();
        match attributes.iter().find(|name| *name != "RestoreStatus") {
            Some(unknown) => {
                let message = "Invalid attribute name specified";
                Err(invalid_argument(message, "x-amz-optional-object-attributes", unknown))
            }
            None if attributes.is_empty() => Ok(Self::Nothing),
            None => Ok(Self::Restores { now_ms }),
        }
    }

    pub(super) fn of(self, version: &Version) -> Option<s3::RestoreStatus> {
        match self {
            Self::Nothing => None,
            Self::Restores { now_ms } => restore_status(version, now_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restores_last_some_days() {
        let asked = |days| s3::RestoreRequest { days, ..s3::RestoreRequest::default() };
        for (days_asked, expected) in [
            (Some(1), Ok(1)),
            (Some(0), Err("InvalidArgument")),
            (Some(i32::MAX), Err("InvalidArgument")),
            (None, Err("MalformedXML")),
        ] {
            let found = days(Some(&asked(days_asked)));
            assert_eq!(found.as_ref().map_err(|fault| fault.code.as_str()).copied(), expected, "{days_asked:?}");
        }
        let mut version = Version { restored_until_ms: Some(86_400_000), ..Version::default() };
        let said = "ongoing-request=\"false\", expiry-date=\"Fri, 02 Jan 1970 00:00:00 GMT\"";
        assert_eq!(restored(&version, 86_399_999).as_deref(), Some(said));
        assert_eq!(restored(&version, 86_400_000), None);
        let asked = vec!["RestoreStatus".to_owned()];
        let beside = |now_ms| Beside::asked(Some(&asked), now_ms).expect("known").of(&version);
        let until = jiff::Timestamp::from_second(86_400).ok();
        assert_eq!(
            beside(0).map(|status| (status.is_restore_in_progress, status.restore_expiry_date)),
            Some((Some(false), until))
        );
        assert!(beside(86_400_000).is_none());
        assert!(Beside::asked(None, 0).expect("nothing").of(&version).is_none());
        assert!(Beside::asked(Some(&["Colour".to_owned()]), 0).is_err());
        for (class, expected) in [(None, None), (Some("GLACIER_IR"), None), (Some("GLACIER"), Some("GLACIER"))] {
            version.about.class = class.map(str::to_owned);
            assert_eq!(archive(&version).ok(), expected);
        }
    }
}
