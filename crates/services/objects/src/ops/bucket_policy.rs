//! `PutBucketPolicy`, `GetBucketPolicy`, `DeleteBucketPolicy`, `GetBucketPolicyStatus`.

use contract::{Arn, Call, Effect, Fault, Handle, Principal};
use policy::{Kind, Policy};
use serde_json::Value;
use wire::Empty;
use wire::s3;

use super::bucket_arn;
use crate::Objects;
use crate::error::{access_denied, refused};
use crate::policies::is_public;
use crate::store::{POLICY, PUBLIC_ACCESS};

/// The longest policy.
const BYTES_MAX: usize = 20 << 10;

impl Handle<s3::PutBucketPolicy> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::PutBucketPolicyRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(&self, call: &Call, input: s3::PutBucketPolicyRequest) -> Result<Empty, Fault> {
        let text = input.policy.trim();
        if text.len() > BYTES_MAX {
            return Err(malformed("Policy exceeds the maximum allowed document size."));
        }
        check(text, &input.bucket)?;
        let block = self.configured_as::<s3::PublicAccessBlockConfiguration>(&input.bucket, PUBLIC_ACCESS).await?;
        let blocks = block.is_some_and(|block| block.block_public_policy == Some(true));
        // In open mode nothing is refused to anybody, so nothing would be protected by it.
        if blocks && is_public(text) && !matches!(call.principal, Principal::Open { .. }) {
            return Err(access_denied());
        }
        self.configure(&input.bucket, POLICY, "", Some(Value::String(text.to_owned()))).await?;
        Ok(Empty)
    }
}

/// Whether it is a policy, of that bucket and what lies in it.
fn check(text: &str, bucket: &str) -> Result<(), Fault> {
    Policy::parse(text, Kind::Resource).map_err(|error| malformed(&error.to_string()))?;
    let document: Value = serde_json::from_str(text)
        .map_err(|_| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    let own = format!("arn:aws:s3:::{bucket}");
    let fits = |resource: &Value| {
        let text = resource.as_str().unwrap_or_default();
        text == "*"
            || text.strip_prefix(own.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '*']))
    };
    let statements = match &document["Statement"] {
        Value::Array(statements) => statements.iter().collect(),
        statement => vec![statement],
    };
    let good = statements.iter().all(|statement| match &statement["Resource"] {
        Value::Array(resources) => resources.iter().all(fits),
        Value::Null => true,
        resource => fits(resource),
    });
    if good { Ok(()) } else { Err(malformed("Policy has invalid resource")) }
}

fn malformed(message: &str) -> Fault {
    refused(400, "MalformedPolicy", message)
}

impl Objects {
    async fn policy_or_fault(&self, bucket: &str) -> Result<String, Fault> {
        let document = self.configured(bucket, POLICY, "").await?;
        let text = document.as_ref().and_then(Value::as_str);
        let missing =
            || refused(404, "NoSuchBucketPolicy", "The bucket policy does not exist").with("BucketName", bucket);
        text.map(str::to_owned).ok_or_else(missing)
    }
}

impl Handle<s3::GetBucketPolicy> for Objects {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &s3::GetBucketPolicyRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(
        &self,
        _call: &Call,
        input: s3::GetBucketPolicyRequest,
    ) -> Result<s3::GetBucketPolicyOutput, Fault> {
        Ok(s3::GetBucketPolicyOutput { policy: Some(self.policy_or_fault(&input.bucket).await?) })
    }
}

impl Handle<s3::GetBucketPolicyStatus> for Objects {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &s3::GetBucketPolicyStatusRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(
        &self,
        _call: &Call,
        input: s3::GetBucketPolicyStatusRequest,
    ) -> Result<s3::GetBucketPolicyStatusOutput, Fault> {
        let public = is_public(&self.policy_or_fault(&input.bucket).await?);
        Ok(s3::GetBucketPolicyStatusOutput { policy_status: Some(s3::PolicyStatus { is_public: Some(public) }) })
    }
}

impl Handle<s3::DeleteBucketPolicy> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::DeleteBucketPolicyRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(&self, _call: &Call, input: s3::DeleteBucketPolicyRequest) -> Result<Empty, Fault> {
        self.configure(&input.bucket, POLICY, "", None).await?;
        Ok(Empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_the_buckets_own() {
        let statement = |principal: &str, resource: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"{resource}"}}]}}"#
            )
        };
        for (text, good) in [
            (statement("\"*\"", "arn:aws:s3:::b/*"), true),
            (statement("{\"AWS\":\"*\"}", "arn:aws:s3:::b"), true),
            (statement("\"*\"", "arn:aws:s3:::other/*"), false),
            (statement("\"*\"", "arn:aws:s3:::bb/*"), false),
        ] {
            assert_eq!(check(&text, "b").is_ok(), good, "{text}");
        }
        assert!(check("{}", "b").is_err() && check("nonsense", "b").is_err());
    }
}
