//! `PutBucketNotificationConfiguration` and `GetBucketNotificationConfiguration`: who is told of what.
//!
//! A destination is asked before it is kept, as the records will come: by S3's own principal, for the bucket. Queues and topics get
//! S3's test event; a function is asked whether it would run.

use contract::{Arn, Call, Caller, Effect, Fault, Handle, Principal};
use serde_json::{Value, json};
use wire::Empty;
use wire::s3;

use super::bucket_arn;
use crate::Objects;
use crate::error::{invalid_argument, refused};
use crate::notify::record::test_event;
use crate::notify::{self, Entry, Kind};
use crate::store::{NOTIFICATION, read};

impl Handle<s3::PutBucketNotificationConfiguration> for Objects {
    const EFFECT: Effect = Effect::Write;
    const ACTION: Option<&'static str> = Some("s3:PutBucketNotification");

    fn resource(&self, _call: &Call, input: &s3::PutBucketNotificationConfigurationRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(&self, call: &Call, input: s3::PutBucketNotificationConfigurationRequest) -> Result<Empty, Fault> {
        let mut configuration = input.notification_configuration;
        notify::check(&configuration)?;
        let region = self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?.region;
        let asked = input.skip_destination_validation != Some(true);
        for entry in notify::entries(&configuration) {
            if Arn::parse(entry.arn).is_some_and(|arn| arn.region != region) {
                let message =
                    "The notification destination service region is not valid for the bucket location constraint";
                return Err(refused(400, "InvalidArgument", message));
            }
            if asked {
                self.ask(call, &input.bucket, &entry).await?;
            }
        }
        notify::name(&mut configuration, || self.shelf.random.uuid().to_string());
        let tells = configuration.event_bridge_configuration.is_some() || !notify::entries(&configuration).is_empty();
        let document = tells.then(|| wire::document::write(&configuration));
        self.configure(&input.bucket, NOTIFICATION, "", document).await?;
        Ok(Empty)
    }
}

impl Handle<s3::GetBucketNotificationConfiguration> for Objects {
    const EFFECT: Effect = Effect::Read;
    const ACTION: Option<&'static str> = Some("s3:GetBucketNotification");

    fn resource(&self, _call: &Call, input: &s3::GetBucketNotificationConfigurationRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(
        &self,
        _call: &Call,
        input: s3::GetBucketNotificationConfigurationRequest,
    ) -> Result<s3::NotificationConfiguration, Fault> {
        let kept = self.configured(&input.bucket, NOTIFICATION, "").await?;
        Ok(kept.map(read).transpose()?.unwrap_or_default())
    }
}

impl Objects {
    /// Whether the destination takes what will be sent to it.
    async fn ask(&self, call: &Call, bucket: &str, entry: &Entry<'_>) -> Result<(), Fault> {
        let test = test_event(bucket, call, self.now_ms()).to_string();
        let (service, operation, input) = destination(entry, test);
        let principal =
            Principal::Service { name: "s3.amazonaws.com", source: Some(bucket_arn(bucket).to_string().into()) };
        let asking = call.inner(&self.shelf.random, principal, "s3");
        let answer = match self.dispatch.find(service, operation) {
            Ok(id) => self.dispatch.call(id, &asking, input).await,
            Err(fault) => Err(fault),
        };
        match answer {
            Ok(_) => Ok(()),
            Err(fault) => {
                tracing::debug!(bucket, destination = entry.arn, code = %fault.code, "a destination refused a test");
                let message = "Unable to validate the following destination configurations";
                Err(invalid_argument(message, entry.arn, why(entry.kind, &fault)))
            }
        }
    }
}

fn destination(entry: &Entry<'_>, test: String) -> (&'static str, &'static str, Value) {
    match entry.kind {
        Kind::Function => ("lambda", "Invoke", json!({ "FunctionName": entry.arn, "InvocationType": "DryRun" })),
        Kind::Queue => ("sqs", "SendMessage", json!({ "QueueUrl": entry.arn, "MessageBody": test })),
        Kind::Topic => {
            let input = json!({ "TopicArn": entry.arn, "Message": test, "Subject": notify::SUBJECT });
            ("sns", "Publish", input)
        }
    }
}

/// S3's words for what stands in the way.
fn why(kind: Kind, fault: &Fault) -> &'static str {
    use contract::Cause;
    match (kind, fault.cause) {
        (Kind::Function, Cause::NotFound) => "The destination Lambda does not exist",
        (Kind::Queue, Cause::NotFound) => "The destination queue does not exist",
        (Kind::Topic, Cause::NotFound) => "The destination topic does not exist",
        (Kind::Queue, Cause::Invalid)
            if fault.code.contains("NonExistentQueue") || fault.code.contains("QueueDoesNotExist") =>
        {
            "The destination queue does not exist"
        }
        (Kind::Function, _) => "Not authorized to invoke function",
        (Kind::Queue, _) => {
            "Permissions on the destination queue do not allow S3 to publish notifications from this bucket"
        }
        (Kind::Topic, _) => {
            "Permissions on the destination topic do not allow S3 to publish notifications from this bucket"
        }
    }
}
