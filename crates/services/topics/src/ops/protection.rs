//! `PutDataProtectionPolicy` and `GetDataProtectionPolicy`: kept and shown, and not applied.

use contract::{Arn, Call, Effect, Fault, Handle};
use serde_json::Value;
use wire::Empty;
use wire::sns::{
    GetDataProtectionPolicy, GetDataProtectionPolicyInput, GetDataProtectionPolicyResponse, PutDataProtectionPolicy,
    PutDataProtectionPolicyInput,
};

use super::resource;
use crate::Topics;
use crate::error::Error;
use crate::model::Scope;

const CHARS_MAX: usize = 30_720;

impl Handle<PutDataProtectionPolicy> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &PutDataProtectionPolicyInput) -> Arn {
        resource(call, &input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: PutDataProtectionPolicyInput) -> Result<Empty, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let hall = self.hall(&Scope::of(call), "ResourceArn", &input.resource_arn)?;
        let policy = Some(input.data_protection_policy).filter(|text| !text.is_empty());
        policy.as_deref().map(check).transpose()?;
        self.change(&hall, |topic| {
            topic.data_protection.clone_from(&policy);
            Ok(())
        })
        .await?;
        Ok(Empty {})
    }
}

impl Handle<GetDataProtectionPolicy> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetDataProtectionPolicyInput) -> Arn {
        resource(call, &input.resource_arn)
    }

    async fn handle(
        &self,
        call: &Call,
        input: GetDataProtectionPolicyInput,
    ) -> Result<GetDataProtectionPolicyResponse, Fault> {
        let hall = self.hall(&Scope::of(call), "ResourceArn", &input.resource_arn)?;
        let data_protection_policy = hall.topic().data_protection.clone();
        Ok(GetDataProtectionPolicyResponse { data_protection_policy })
    }
}

/// A policy must be a JSON object of at most 30,720 characters.
pub(super) fn check(text: &str) -> Result<(), Error> {
    let wrong = |why: String| Err(Error::because("DataProtectionPolicy", why));
    if text.chars().count() > CHARS_MAX {
        return wrong(format!("must be at most {CHARS_MAX} characters long"));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(_)) => Ok(()),
        Ok(_) | Err(_) => wrong("must be a JSON object".to_owned()),
    }
}
