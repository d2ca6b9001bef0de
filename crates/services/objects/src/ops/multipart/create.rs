//! `CreateMultipartUpload`: says what the object will be, but for its bytes.

use checksum::Algorithm;
use contract::{Arn, Call, Effect, Fault, Handle};
use wire::s3::{CreateMultipartUpload, CreateMultipartUploadOutput, CreateMultipartUploadRequest};

use crate::Objects;
use crate::acl;
use crate::body::named_algorithm;
use crate::error::{Error, invalid_request};
use crate::model::{Upload, check_key};
use crate::ops::about::about;
use crate::ops::encryption::{asked, show_seal};
use crate::ops::locks::said;
use crate::ops::object_arn;
use crate::store::upload_key;

impl Handle<CreateMultipartUpload> for Objects {
    const EFFECT: Effect = Effect::Write;
    const ACTION: Option<&'static str> = Some("s3:PutObject");

    fn resource(&self, _call: &Call, input: &CreateMultipartUploadRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(
        &self,
        call: &Call,
        input: CreateMultipartUploadRequest,
    ) -> Result<CreateMultipartUploadOutput, Fault> {
        check_key(&input.key)?;
        let mut about = about!(input);
        let (algorithm, composite) = sums(&input)?;
        let bucket = self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?;
        about.acl = self.list_said(call, &input.bucket, acl::said!(input)).await?;
        let (retention, legal_hold) = self.lock_of(&bucket, said!(input)).await?;
        let sealing = self.sealing(&input.bucket, asked!(input)).await?;
        let upload = Upload {
            at_ms: self.now_ms(),
            about,
            algorithm: algorithm.map(|algorithm| algorithm.name().to_owned()),
            composite,
            sealed: Some(sealing.by()),
            retention,
            legal_hold,
        };
        // Ids of one key are in the order in which they were given out.
        let at = u64::try_from(upload.at_ms).unwrap_or_default();
        let id = format!("{at:016x}{}", self.shelf.fresh_id());
        self.shelf
            .store
            .transact(|tx| {
                let (upload, input, id) = (&upload, &input, &id);
                async move {
                    self.shelf.bucket_in(&tx, &input.bucket).await?;
                    tx.put_record(upload_key(&input.bucket, &input.key, id), upload);
                    Ok::<_, Error>(())
                }
            })
            .await?;
        let mut output = CreateMultipartUploadOutput::default();
        show_seal!(output, upload.sealed.as_ref());
        (output.abort_date, output.abort_rule_id) = self.abort_of(&bucket, &input.key, &upload).await?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: upload.algorithm,
            checksum_type: algorithm.map(|_| if composite { "COMPOSITE" } else { "FULL_OBJECT" }.to_owned()),
            ..output
        })
    }
}

/// Which checksum the object will have, and whether it is made of the parts' ones.
fn sums(input: &CreateMultipartUploadRequest) -> Result<(Option<Algorithm>, bool), Fault> {
    let algorithm = input.checksum_algorithm.as_deref().map(named_algorithm).transpose()?;
    let Some(chosen) = algorithm else { return Ok((None, false)) };
    let composite = match input.checksum_type.as_deref() {
        // What each algorithm is good for: of CRC64NVME there is only the one, of hashes only the other.
        None => chosen != Algorithm::Crc64Nvme,
        Some("COMPOSITE") if chosen == Algorithm::Crc64Nvme => return Err(mismatch("COMPOSITE", chosen)),
        Some("COMPOSITE") => true,
        Some("FULL_OBJECT") if !chosen.is_crc() => return Err(mismatch("FULL_OBJECT", chosen)),
        Some("FULL_OBJECT") => false,
        Some(_) => return Err(invalid_request("Value for x-amz-checksum-type header is invalid.")),
    };
    Ok((algorithm, composite))
}

fn mismatch(kind: &str, algorithm: Algorithm) -> Fault {
    let algorithm = algorithm.name().to_ascii_lowercase();
    invalid_request(format!("The {kind} checksum type cannot be used with the {algorithm} checksum algorithm."))
}
