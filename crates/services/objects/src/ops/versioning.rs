//! `PutBucketVersioning`, `GetBucketVersioning`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::s3::{self, BucketVersioningStatus, MFADelete};

use super::bucket_arn;
use crate::Objects;
use crate::error::{Error, malformed_xml, refused};
use crate::model::Versioning;
use crate::store::bucket_key;

impl Handle<s3::PutBucketVersioning> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::PutBucketVersioningRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(&self, _call: &Call, input: s3::PutBucketVersioningRequest) -> Result<Empty, Fault> {
        if input.versioning_configuration.mfa_delete == Some(MFADelete::Enabled) {
            // Taken and not held to, it would be no protection.
            let message = "A header you provided implies functionality that is not implemented: MFADelete.";
            return Err(refused(501, "NotImplemented", message));
        }
        let versioning = match &input.versioning_configuration.status {
            Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
            Some(BucketVersioningStatus::Suspended) => Versioning::Suspended,
            Some(BucketVersioningStatus::Other(_)) => return Err(malformed_xml()),
            None => {
                let message = "The Versioning element must be specified";
                return Err(refused(400, "IllegalVersioningConfigurationException", message));
            }
        };
        self.shelf
            .store
            .transact(|tx| {
                let name = input.bucket.clone();
                async move {
                    let mut bucket = self.shelf.bucket_in(&tx, &name).await?;
                    if bucket.lock && versioning != Versioning::Enabled {
                        let message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be \
                                       changed.";
                        return Err(Error::from(refused(409, "InvalidBucketState", message).with("BucketName", name)));
                    }
                    bucket.versioning = versioning;
                    tx.put_record(bucket_key(&name), &bucket);
                    Ok(())
                }
            })
            .await?;
        Ok(Empty)
    }
}

impl Handle<s3::GetBucketVersioning> for Objects {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &s3::GetBucketVersioningRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(
        &self,
        _call: &Call,
        input: s3::GetBucketVersioningRequest,
    ) -> Result<s3::GetBucketVersioningOutput, Fault> {
        let bucket = self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?;
        let status = match bucket.versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some(BucketVersioningStatus::Enabled),
            Versioning::Suspended => Some(BucketVersioningStatus::Suspended),
        };
        Ok(s3::GetBucketVersioningOutput { status, ..s3::GetBucketVersioningOutput::default() })
    }
}
