//! The policies of buckets, for dispatch, which decides who may call.

use std::sync::Arc;

use contract::{Arn, Call, Fault};
use dispatch::{Attached, Attachments, BoxFuture};
use policy::{Kind, Policy};

use crate::Objects;
use crate::error::Error;

impl Attachments for Objects {
    /// The policy of the bucket that the ARN is or lies in.
    fn attached<'a>(&'a self, _call: &'a Call, resource: &'a Arn) -> BoxFuture<'a, Result<Attached, Fault>> {
        Box::pin(async move {
            let bucket = resource.resource.split('/').next().unwrap_or_default();
            Ok(match self.policy(bucket).await? {
                Some(policy) => Attached::Grants(policy),
                None => Attached::Absent,
            })
        })
    }
}

impl Objects {
    /// Whether the call may do all of `actions` to something that is not the operation's own resource.
    pub(crate) async fn allowed(&self, call: &Call, actions: &[&str], resource: &Arn) -> Result<(), Fault> {
        self.dispatch.authorise("s3", call, actions, resource).await
    }

    /// To name a version is a right of its own.
    pub(crate) async fn check_version_right(
        &self,
        call: &Call,
        action: &str,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(), Fault> {
        match version {
            None => Ok(()),
            Some(_) => {
                let resource = crate::ops::object_arn(bucket, key);
                let allowed = self.allowed(call, &[action], &resource).await;
                allowed.map_err(|_| crate::error::access_denied())
            }
        }
    }

    /// The policy of a bucket, read.
    async fn policy(&self, bucket: &str) -> Result<Option<Arc<Policy>>, Error> {
        let snapshot = self.shelf.snapshot();
        let document = self.shelf.config(&snapshot, bucket, crate::store::POLICY, "").await?;
        let Some(text) = document.as_ref().and_then(|document| document.as_str()) else { return Ok(None) };
        match Policy::parse(text, Kind::Resource) {
            Ok(policy) => Ok(Some(Arc::new(policy))),
            Err(error) => {
                // It was read when it was put; a policy that cannot be read must not be none.
                tracing::error!(bucket, %error, "a bucket's policy cannot be read");
                Err(Error::Internal)
            }
        }
    }
}
