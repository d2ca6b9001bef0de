//! The operations, and what several of them share.

mod about;
mod acls;
mod attributes;
mod bucket_policy;
mod buckets;
mod configurations;
mod copy_object;
mod delete_object;
mod encryption;
mod expiry;
pub mod fuzzing;
mod get_object;
mod list_object_versions;
mod list_objects;
mod locks;
mod multipart;
mod notification;
mod object_tags;
mod put_object;
mod restore_object;
mod versioning;

pub(crate) use self::about::tags;
pub(crate) use self::acls::is_enforced;
pub(crate) use self::delete_object::check_lock;

use std::sync::Arc;

use contract::{AccountId, Arn, Call};
use dispatch::Registry;
use wire::s3;

use crate::Objects;

/// Names every operation that is served.
pub fn register(registry: &mut Registry, objects: &Arc<Objects>) {
    registry.add::<s3::AbortMultipartUpload, _>(objects);
    registry.add::<s3::CompleteMultipartUpload, _>(objects);
    registry.add::<s3::CopyObject, _>(objects);
    registry.add::<s3::CreateBucket, _>(objects);
    registry.add::<s3::CreateMultipartUpload, _>(objects);
    registry.add::<s3::DeleteBucket, _>(objects);
    registry.add::<s3::DeleteObject, _>(objects);
    registry.add::<s3::DeleteObjects, _>(objects);
    registry.add::<s3::GetBucketLocation, _>(objects);
    registry.add::<s3::GetBucketVersioning, _>(objects);
    registry.add::<s3::GetObject, _>(objects);
    registry.add::<s3::HeadBucket, _>(objects);
    registry.add::<s3::HeadObject, _>(objects);
    registry.add::<s3::ListBuckets, _>(objects);
    registry.add::<s3::ListMultipartUploads, _>(objects);
    registry.add::<s3::ListObjectVersions, _>(objects);
    registry.add::<s3::ListObjects, _>(objects);
    registry.add::<s3::ListObjectsV2, _>(objects);
    registry.add::<s3::ListParts, _>(objects);
    registry.add::<s3::PutBucketVersioning, _>(objects);
    registry.add::<s3::PutObject, _>(objects);
    registry.add::<s3::DeleteBucketPolicy, _>(objects);
    registry.add::<s3::DeleteObjectTagging, _>(objects);
    registry.add::<s3::GetBucketAcl, _>(objects);
    registry.add::<s3::GetBucketPolicy, _>(objects);
    registry.add::<s3::GetBucketPolicyStatus, _>(objects);
    registry.add::<s3::GetObjectAcl, _>(objects);
    registry.add::<s3::GetObjectAttributes, _>(objects);
    registry.add::<s3::GetObjectLegalHold, _>(objects);
    registry.add::<s3::GetObjectLockConfiguration, _>(objects);
    registry.add::<s3::GetObjectRetention, _>(objects);
    registry.add::<s3::GetObjectTagging, _>(objects);
    registry.add::<s3::PutBucketAcl, _>(objects);
    registry.add::<s3::PutBucketPolicy, _>(objects);
    registry.add::<s3::PutObjectAcl, _>(objects);
    registry.add::<s3::PutObjectLegalHold, _>(objects);
    registry.add::<s3::PutObjectLockConfiguration, _>(objects);
    registry.add::<s3::PutObjectRetention, _>(objects);
    registry.add::<s3::PutObjectTagging, _>(objects);
    registry.add::<s3::RestoreObject, _>(objects);
    registry.add::<s3::UploadPart, _>(objects);
    registry.add::<s3::UploadPartCopy, _>(objects);
    configurations::register(registry, objects);
}

/// The ARN of all buckets.
fn all_buckets() -> Arn {
    bucket_arn("*")
}

/// The ARN of a bucket.
pub(crate) fn bucket_arn(bucket: &str) -> Arn {
    Arn { service: "s3".into(), region: String::new(), account: String::new(), resource: bucket.to_owned() }
}

/// The ARN of an object.
pub(crate) fn object_arn(bucket: &str, key: &str) -> Arn {
    bucket_arn(&format!("{bucket}/{key}"))
}

/// The owner of everything, as AWS names an account to S3: by a long number of its own.
pub(crate) fn owner_id(account: AccountId) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, account.to_string().as_bytes()))
}

/// The owner, as listings show it.
fn owner(call: &Call) -> s3::Owner {
    s3::Owner { id: Some(owner_id(call.account)), display_name: None }
}

/// A point in time, to the second, as S3 keeps and shows it.
fn time(at_ms: i64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_second(at_ms.div_euclid(1000)).ok()
}

/// Keys as a listing shows them: as they are, or escaped where the client asks for it, since XML has no form for all letters.
#[derive(Clone, Copy)]
enum Shown {
    Plain,
    Escaped,
}

impl Shown {
    fn asked(encoding: Option<&str>) -> Result<Self, contract::Fault> {
        match encoding {
            None => Ok(Self::Plain),
            Some("url") => Ok(Self::Escaped),
            Some(other) => Err(crate::error::invalid_argument(
                "Invalid Encoding Method specified in Request",
                "encoding-type",
                other,
            )),
        }
    }

    fn text(self, text: &str) -> String {
        use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
        const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');
        match self {
            Self::Plain => text.to_owned(),
            Self::Escaped => utf8_percent_encode(text, ESCAPED).to_string().replace("%20", "+"),
        }
    }

    fn some(self, text: Option<&str>) -> Option<String> {
        text.map(|text| self.text(text))
    }
}

/// How many lines a page has.
fn page_limit(asked: Option<i32>, name: &str) -> Result<usize, contract::Fault> {
    match asked {
        None => Ok(crate::listing::PAGE_MAX),
        Some(count) => usize::try_from(count).map(|count| count.min(crate::listing::PAGE_MAX)).map_err(|_| {
            let message = format!("Argument {name} must be an integer between 0 and 2147483647");
            crate::error::invalid_argument(message, name, &count.to_string())
        }),
    }
}
