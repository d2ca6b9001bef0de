//! Access control lists, as buckets of today have them: the owner has everything, and whoever wants to grant something else is told to
//! write a policy. Buckets whose ownership was set otherwise keep what is put, and give it back.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::s3;

use super::object_tags::which;
use super::{bucket_arn, object_arn, owner, owner_id};
use crate::Objects;
use crate::error::{Error, invalid_argument, malformed_xml, refused};
use crate::events::EventType;
use crate::model::{Bucket, Version};
use crate::store::{ACL, OWNERSHIP};

const CANNED: [&str; 8] = [
    "private",
    "public-read",
    "public-read-write",
    "aws-exec-read",
    "authenticated-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
    "log-delivery-write",
];
/// Everybody, as lists name them.
const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
/// Everybody who has an account.
const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
/// Who writes logs.
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

impl Objects {
    /// Whether something may be put with that canned list: where the owner owns everything, only what says no more than that.
    pub(super) async fn check_acl(&self, bucket: &str, canned: Option<&str>, grants: bool) -> Result<(), Error> {
        if canned.is_none() && !grants {
            return Ok(());
        }
        if let Some(unknown) = canned.filter(|canned| !CANNED.contains(canned)) {
            return Err(invalid_argument("", "x-amz-acl", unknown).into());
        }
        let harmless = matches!(canned, None | Some("bucket-owner-full-control")) && !grants;
        match harmless || !self.is_enforced(bucket).await? {
            true => Ok(()),
            false => Err(refused(400, "AccessControlListNotSupported", "The bucket does not allow ACLs").into()),
        }
    }

    /// Whether the bucket's owner owns everything in it.
    async fn is_enforced(&self, bucket: &str) -> Result<bool, Error> {
        let controls = self.configured_as::<s3::OwnershipControls>(bucket, OWNERSHIP).await?;
        Ok(controls
            .is_none_or(|controls| controls.rules.iter().any(|rule| rule.object_ownership == "BucketOwnerEnforced")))
    }
}

fn grants_of(call: &Call, canned: Option<&str>) -> Vec<s3::Grant> {
    let mut grants = vec![grant(None, Some(owner_id(call.account)), "FULL_CONTROL")];
    let more: &[(&str, &str)] = match canned {
        Some("public-read") => &[(ALL_USERS, "READ")],
        Some("public-read-write") => &[(ALL_USERS, "READ"), (ALL_USERS, "WRITE")],
        Some("authenticated-read") => &[(AUTHENTICATED, "READ")],
        Some("log-delivery-write") => &[(LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")],
        _ => &[],
    };
    grants.extend(more.iter().map(|(group, permission)| grant(Some((*group).to_owned()), None, permission)));
    grants
}

fn grant(uri: Option<String>, id: Option<String>, permission: &str) -> s3::Grant {
    let kind = if uri.is_some() { "Group" } else { "CanonicalUser" };
    let grantee = s3::Grantee { id, uri, type_: s3::Type::from(kind), ..s3::Grantee::default() };
    s3::Grant { grantee: Some(grantee), permission: Some(s3::Permission::from(permission)) }
}

/// What is kept of a list: its canned name, or its document.
fn kept(canned: Option<&str>, policy: Option<&s3::AccessControlPolicy>) -> Result<String, Fault> {
    match (canned, policy) {
        (Some(canned), _) => Ok(canned.to_owned()),
        (None, Some(policy)) => Ok(wire::document::write(policy).to_string()),
        (None, None) => Err(malformed_xml()),
    }
}

fn shown(call: &Call, kept: Option<&str>) -> Result<Vec<s3::Grant>, Error> {
    match kept {
        Some(document) if document.starts_with('{') => {
            let document = serde_json::from_str(document).map_err(|_| Error::Internal)?;
            let policy: s3::AccessControlPolicy = super::configurations::read(document)?;
            Ok(policy.grants.unwrap_or_default())
        }
        canned => Ok(grants_of(call, canned)),
    }
}

impl Handle<s3::PutBucketAcl> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::PutBucketAclRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(&self, _call: &Call, input: s3::PutBucketAclRequest) -> Result<Empty, Fault> {
        self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?;
        let acl = input.acl.as_deref().filter(|acl| *acl != "private");
        self.check_acl(&input.bucket, acl, input.access_control_policy.is_some()).await?;
        let kept = kept(input.acl.as_deref(), input.access_control_policy.as_ref())?;
        self.configure(&input.bucket, ACL, "", Some(kept.into())).await?;
        Ok(Empty)
    }
}

impl Handle<s3::GetBucketAcl> for Objects {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &s3::GetBucketAclRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(&self, call: &Call, input: s3::GetBucketAclRequest) -> Result<s3::GetBucketAclOutput, Fault> {
        let kept = self.configured(&input.bucket, ACL, "").await?;
        let grants = shown(call, kept.as_ref().and_then(|kept| kept.as_str()))?;
        Ok(s3::GetBucketAclOutput { owner: Some(owner(call)), grants: Some(grants) })
    }
}

impl Handle<s3::PutObjectAcl> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::PutObjectAclRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(&self, call: &Call, input: s3::PutObjectAclRequest) -> Result<s3::PutObjectAclOutput, Fault> {
        self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?;
        self.check_acl(&input.bucket, input.acl.as_deref(), input.access_control_policy.is_some()).await?;
        let kept = kept(input.acl.as_deref(), input.access_control_policy.as_ref())?;
        let set = |_: &Bucket, version: &mut Version| {
            version.about.acl = Some(kept.clone());
            Ok(())
        };
        self.say(which!(input), Some((call, EventType::AclPut)), set).await?;
        Ok(s3::PutObjectAclOutput::default())
    }
}

impl Handle<s3::GetObjectAcl> for Objects {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &s3::GetObjectAclRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(&self, call: &Call, input: s3::GetObjectAclRequest) -> Result<s3::GetObjectAclOutput, Fault> {
        let snapshot = self.shelf.snapshot();
        let looked = self.look(&snapshot, &input.bucket, &input.key, input.version_id.as_deref()).await?;
        let grants = shown(call, looked.found.version.about.acl.as_deref())?;
        Ok(s3::GetObjectAclOutput { owner: Some(owner(call)), grants: Some(grants), request_charged: None })
    }
}
