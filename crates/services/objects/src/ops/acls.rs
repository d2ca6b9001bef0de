//! `PutBucketAcl`, `GetBucketAcl`, `PutObjectAcl`, `GetObjectAcl`, and what requests that make something say of its list.
//!
//! In buckets as they are made today lists do not count: the owner has everything, and whoever wants to grant something else is told to
//! write a policy.

use contract::{Arn, Call, Effect, Fault, Handle, Principal};
use wire::Empty;
use wire::s3;

use super::object_tags::which;
use super::{bucket_arn, object_arn, owner};
use crate::Objects;
use crate::acl::{self, List, Said};
use crate::error::{Error, access_denied, malformed_xml, refused};
use crate::events::EventType;
use crate::model::{Bucket, Version};
use crate::store::{ACL, OWNERSHIP, PUBLIC_ACCESS};

impl Objects {
    /// The list that a request asks for, as it is kept; a fault where the bucket lets nobody say that.
    pub(super) async fn list_said(&self, call: &Call, bucket: &str, said: Said<'_>) -> Result<Option<String>, Error> {
        if said.is_empty() {
            return Ok(None);
        }
        let list = said.list(call.account)?;
        let enforced = self.is_enforced(bucket).await?;
        if enforced && !list.is_owners_alone(call.account) {
            return Err(refused(400, "AccessControlListNotSupported", "The bucket does not allow ACLs").into());
        }
        if list.is_public() && self.blocks_public_acls(call, bucket).await? {
            return Err(access_denied().into());
        }
        Ok(list.keep().filter(|_| !enforced))
    }

    /// Whether the bucket's owner owns everything in it, and lists do not count.
    pub(crate) async fn is_enforced(&self, bucket: &str) -> Result<bool, Error> {
        let controls = self.configured_as::<s3::OwnershipControls>(bucket, OWNERSHIP).await?;
        Ok(controls.as_deref().is_some_and(is_enforced))
    }

    /// In open mode nothing is refused to anybody, so nothing would be protected by it.
    async fn blocks_public_acls(&self, call: &Call, bucket: &str) -> Result<bool, Error> {
        if let Principal::Open { .. } = call.principal {
            return Ok(false);
        }
        let block = self.configured_as::<s3::PublicAccessBlockConfiguration>(bucket, PUBLIC_ACCESS).await?;
        Ok(block.is_some_and(|block| block.block_public_acls == Some(true)))
    }

    async fn bucket_list(&self, bucket: &str) -> Result<List, Error> {
        let kept = self.configured(bucket, ACL, "").await?;
        List::kept(kept.as_ref().and_then(|kept| kept.as_str()))
    }

    /// Whether lists may be said not to count from now on: not while the bucket's own gives somebody something.
    pub(super) async fn check_new_ownership(
        &self,
        call: &Call,
        bucket: &str,
        controls: &s3::OwnershipControls,
    ) -> Result<(), Error> {
        match is_enforced(controls) && self.bucket_list(bucket).await?.has_others(call.account) {
            true => Err(list_in_the_way().into()),
            false => Ok(()),
        }
    }
}

/// Whether lists do not count. A bucket whose controls were taken away is as buckets were before there were any.
pub(crate) fn is_enforced(controls: &s3::OwnershipControls) -> bool {
    controls.rules.iter().any(|rule| rule.object_ownership == "BucketOwnerEnforced")
}

pub(super) fn list_in_the_way() -> Fault {
    let message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
    refused(400, "InvalidBucketAclWithObjectOwnership", message)
}

impl Handle<s3::PutBucketAcl> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::PutBucketAclRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(&self, call: &Call, input: s3::PutBucketAclRequest) -> Result<Empty, Fault> {
        self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?;
        let said = Said { document: input.access_control_policy.as_ref(), ..acl::said!(input, write) };
        if said.is_empty() {
            return Err(malformed_xml());
        }
        // That nobody else has anything is so in any bucket.
        let kept = match said.canned {
            Some("private") if !self.is_enforced(&input.bucket).await? => None,
            Some("private") => return Ok(Empty),
            _ => self.list_said(call, &input.bucket, said).await?,
        };
        self.configure(&input.bucket, ACL, "", kept.map(Into::into)).await?;
        Ok(Empty)
    }
}

impl Handle<s3::GetBucketAcl> for Objects {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &s3::GetBucketAclRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(&self, call: &Call, input: s3::GetBucketAclRequest) -> Result<s3::GetBucketAclOutput, Fault> {
        let list = self.bucket_list(&input.bucket).await?;
        Ok(s3::GetBucketAclOutput { owner: Some(owner(call)), grants: Some(list.shown(call.account)) })
    }
}

impl Handle<s3::PutObjectAcl> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::PutObjectAclRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(&self, call: &Call, input: s3::PutObjectAclRequest) -> Result<s3::PutObjectAclOutput, Fault> {
        self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?;
        let said = Said { document: input.access_control_policy.as_ref(), ..acl::said!(input, write) };
        if said.is_empty() {
            return Err(malformed_xml());
        }
        let kept = self.list_said(call, &input.bucket, said).await?;
        let set = |_: &Bucket, version: &mut Version| {
            version.about.acl.clone_from(&kept);
            Ok(())
        };
        self.say(which!(input), (call, &[EventType::AclPut]), set).await?;
        Ok(s3::PutObjectAclOutput::default())
    }
}

impl Handle<s3::GetObjectAcl> for Objects {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &s3::GetObjectAclRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    /// Where lists do not count, what was said before they stopped to is kept, and not shown.
    async fn handle(&self, call: &Call, input: s3::GetObjectAclRequest) -> Result<s3::GetObjectAclOutput, Fault> {
        let snapshot = self.shelf.snapshot();
        let looked = self.look(&snapshot, &input.bucket, &input.key, input.version_id.as_deref()).await;
        let version = self.told_to(call, &input.bucket, looked).await?.found.version;
        let kept = if self.is_enforced(&input.bucket).await? { None } else { version.about.acl };
        let grants = List::kept(kept.as_deref())?.shown(call.account);
        Ok(s3::GetObjectAclOutput { owner: Some(owner(call)), grants: Some(grants), request_charged: None })
    }
}
