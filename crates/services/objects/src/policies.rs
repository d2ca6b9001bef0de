//! What dispatch is told of buckets and objects, which decides who may call: a bucket's policy, what access control lists grant beside
//! it, what public access blocks take back of both, and S3's own condition keys.
//!
//! What always holds: a block and a list never weaken a denial; a policy that cannot be read is never taken for none.

mod particulars;
mod public;

pub(crate) use self::public::is_public;

use std::sync::Arc;

use ::store::Snapshot;
use contract::{Arn, Call, Fault, Origin, Principal};
use dispatch::{Asked, Attached, Attachments, BoxFuture, Told};
use policy::{Context, Kind, Policy};
use serde_json::{Value, json};
use wire::s3::{OwnershipControls, PublicAccessBlockConfiguration};

use self::particulars::{Particulars, TAG};
use crate::Objects;
use crate::acl::{List, Of, Signed};
use crate::error::{Error, access_denied, no_such_bucket};
use crate::model::{Bucket, Version};
use crate::ops::{is_enforced, object_arn};
use crate::store::{ACL, OWNERSHIP, POLICY, PUBLIC_ACCESS, bucket_key};

impl Attachments for Objects {
    /// The policy of the bucket that the ARN is or lies in.
    fn attached<'a>(&'a self, _call: &'a Call, resource: &'a Arn) -> BoxFuture<'a, Result<Attached, Fault>> {
        Box::pin(async move {
            let (bucket, _) = place(resource);
            let text = self.policy_text(&self.shelf.snapshot(), bucket).await?;
            Ok(match text {
                Some(text) => Attached::Grants(Arc::new(parsed(bucket, &text)?)),
                None => Attached::Absent,
            })
        })
    }

    /// A bucket that is not there is told of before anybody is refused, as S3 does: names of buckets are no secret.
    fn told<'a>(&'a self, asked: Asked<'a>) -> BoxFuture<'a, Result<Told, Fault>> {
        Box::pin(async move {
            let (name, key) = place(asked.resource);
            let particulars = Particulars::read(asked.actions, asked.input, self.now_ms());
            let mut told = Told { attached: Attached::Absent, actions: particulars.actions, keys: particulars.keys };
            told.keys.push(("s3:ResourceAccount".into(), asked.call.account.to_string()));
            if let Origin::Door { manner: Some(manner), .. } = &asked.call.origin {
                told.keys
                    .extend(manner.signed.iter().flat_map(|signed| particulars::of_signature(signed, self.now_ms())));
            }
            if name == "*" || asked.actions == ["s3:CreateBucket"] {
                return Ok(told);
            }
            let snapshot = self.shelf.snapshot();
            let bucket: Option<Bucket> = snapshot.get_record(&bucket_key(name)).await.map_err(Error::from)?;
            let bucket = bucket.ok_or_else(|| no_such_bucket(name))?;
            let version = particulars.version.as_deref().or_else(|| asked.context.single(particulars::VERSION));
            let scene = Scene { snapshot: &snapshot, bucket: &bucket, key, version, asked };
            let text = scene.policy_text(self).await?;
            let actions = told.actions.as_deref().unwrap_or(asked.actions);
            let wants_tags = (text.as_deref().is_some_and(|text| text.contains("xistingObjectTag"))
                || asked.identity.mentions(TAG))
                && actions.iter().any(|action| particulars::knows_tags(action));
            let grants = scene.grants(self, actions).await?;
            if wants_tags && let Some(version) = scene.version(self).await? {
                let tags = version.about.tags.iter();
                told.keys.extend(tags.map(|(key, value)| (format!("{TAG}{key}").into(), value.clone())));
            }
            told.attached = match (text, grants) {
                (None, None) => Attached::Absent,
                (Some(text), None) => Attached::Grants(Arc::new(scene.weighed(self, &text).await?)),
                (None, Some(grants)) => Attached::Grants(Arc::new(grants)),
                (Some(text), Some(grants)) => {
                    Attached::Grants(Arc::new(scene.weighed(self, &text).await?.joined(&grants)))
                }
            };
            Ok(told)
        })
    }
}

/// Bucket and key of an ARN.
fn place(resource: &Arn) -> (&str, Option<&str>) {
    match resource.resource.split_once('/') {
        Some((bucket, key)) => (bucket, Some(key)),
        None => (&resource.resource, None),
    }
}

/// What one decision looks at.
struct Scene<'a> {
    snapshot: &'a Snapshot,
    bucket: &'a Bucket,
    key: Option<&'a str>,
    version: Option<&'a str>,
    asked: Asked<'a>,
}

impl Scene<'_> {
    fn has(&self, kind: &str) -> bool {
        self.bucket.has.contains(kind)
    }

    async fn policy_text(&self, objects: &Objects) -> Result<Option<String>, Error> {
        match self.has(POLICY) {
            true => objects.policy_text(self.snapshot, &self.bucket.name).await,
            false => Ok(None),
        }
    }

    async fn block(&self, objects: &Objects) -> Result<Arc<PublicAccessBlockConfiguration>, Error> {
        Ok(objects.shelf.setting(self.snapshot, self.bucket, PUBLIC_ACCESS).await?.unwrap_or_default())
    }

    /// The bucket's policy, as far as it counts for that caller: to people whom the account does not know a public policy gives nothing
    /// in a restricted bucket, and what it denies it goes on to deny.
    async fn weighed(&self, objects: &Objects, text: &str) -> Result<Policy, Error> {
        let policy = parsed(&self.bucket.name, text)?;
        let restricted = match self.asked.call.principal {
            Principal::Anonymous => self.block(objects).await?.restrict_public_buckets == Some(true) && is_public(text),
            Principal::Open { .. } | Principal::Root | Principal::Role { .. } | Principal::Service { .. } => false,
        };
        Ok(if restricted { policy.denials() } else { policy })
    }

    /// What access control lists grant, as a policy.
    async fn grants(&self, objects: &Objects, actions: &[&str]) -> Result<Option<Policy>, Error> {
        let signed = match self.asked.call.principal {
            Principal::Anonymous => Signed::No,
            Principal::Role { .. } => Signed::Yes,
            // The owner needs no grant, and services are in no group.
            Principal::Open { .. } | Principal::Root | Principal::Service { .. } => return Ok(None),
        };
        if !self.lists_count(objects).await? {
            return Ok(None);
        }
        let mut granted = Vec::new();
        if self.has(ACL) {
            let kept = objects.shelf.config(self.snapshot, &self.bucket.name, ACL, "").await?;
            let list = List::kept(kept.as_ref().and_then(Value::as_str))?;
            granted.extend(list.grants_to_groups(Of::Bucket, signed));
        }
        let own = |action: &&str| Of::Object.means(action);
        if actions.iter().any(own)
            && let Some(version) = self.version(objects).await?
        {
            granted.extend(List::kept(version.about.acl.as_deref())?.grants_to_groups(Of::Object, signed));
        }
        if granted.is_empty() {
            return Ok(None);
        }
        let statement = json!({ "Effect": "Allow", "Principal": "*", "Action": granted, "Resource": "*" });
        let text = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        Ok(Some(parsed(&self.bucket.name, &text)?))
    }

    /// Whether access control lists grant anything here: not where the owner owns everything, nor where public ones are ignored, for a
    /// grant to somebody whom the account does not know is a public one.
    async fn lists_count(&self, objects: &Objects) -> Result<bool, Error> {
        let controls = objects.shelf.setting::<OwnershipControls>(self.snapshot, self.bucket, OWNERSHIP).await?;
        if controls.as_deref().is_some_and(is_enforced) {
            return Ok(false);
        }
        Ok(self.block(objects).await?.ignore_public_acls != Some(true))
    }

    /// The version that the call is about, if there is one.
    async fn version(&self, objects: &Objects) -> Result<Option<Version>, Error> {
        let Some(key) = self.key.filter(|key| !key.is_empty()) else { return Ok(None) };
        let found = match self.version {
            Some(id) => objects.shelf.version(self.snapshot, &self.bucket.name, key, id).await?,
            None => objects.shelf.current(self.snapshot, &self.bucket.name, key).await?,
        };
        Ok(found.map(|found| found.version).filter(|version| !version.marker))
    }
}

impl Objects {
    /// Whether the call may do all of `actions` to something that is not the operation's own resource.
    pub(crate) async fn allowed(&self, call: &Call, actions: &[&str], resource: &Arn) -> Result<(), Fault> {
        self.dispatch.authorise("s3", call, actions, resource, Context::new()).await
    }

    /// The same for a version of an object: to name one is a right of its own.
    pub(crate) async fn allowed_version(
        &self,
        call: &Call,
        actions: (&str, &str),
        place: (&str, &str),
        version: Option<&str>,
    ) -> Result<(), Fault> {
        let (context, action) = match version {
            Some(version) => (Context::new().with(particulars::VERSION, version.to_owned()), actions.1),
            None => (Context::new(), actions.0),
        };
        let resource = object_arn(place.0, place.1);
        let allowed = self.dispatch.authorise("s3", call, &[action], &resource, context).await;
        allowed.map_err(|_| access_denied())
    }

    /// That there is nothing is told to those alone who may see what there is.
    pub(crate) async fn told_to<T>(&self, call: &Call, bucket: &str, looked: Result<T, Error>) -> Result<T, Error> {
        let action = match &looked {
            Err(Error::Refused(fault)) if fault.code == "NoSuchKey" => "s3:ListBucket",
            Err(Error::Refused(fault)) if fault.code == "NoSuchVersion" => "s3:ListBucketVersions",
            _ => return looked,
        };
        match call.principal {
            Principal::Open { .. } => looked,
            Principal::Root | Principal::Role { .. } | Principal::Service { .. } | Principal::Anonymous => {
                match self.allowed(call, &[action], &crate::ops::bucket_arn(bucket)).await {
                    Ok(()) => looked,
                    Err(_) => Err(access_denied().into()),
                }
            }
        }
    }

    /// The policy of a bucket.
    async fn policy_text(&self, snapshot: &Snapshot, bucket: &str) -> Result<Option<String>, Error> {
        let document = self.shelf.config(snapshot, bucket, POLICY, "").await?;
        Ok(document.as_ref().and_then(Value::as_str).map(str::to_owned))
    }
}

/// It was read when it was put; a policy that cannot be read must not be none.
fn parsed(bucket: &str, text: &str) -> Result<Policy, Error> {
    Policy::parse(text, Kind::Resource).map_err(|error| {
        tracing::error!(bucket, %error, "a bucket's policy cannot be read");
        Error::Internal
    })
}
