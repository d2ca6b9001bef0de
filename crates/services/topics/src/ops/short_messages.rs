//! What is set for short messages, and who does not want any: nobody, as they never leave the outbox.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sns::{
    CheckIfPhoneNumberIsOptedOut, CheckIfPhoneNumberIsOptedOutInput, CheckIfPhoneNumberIsOptedOutResponse,
    GetSMSAttributes, GetSMSAttributesInput, GetSMSAttributesResponse, ListOriginationNumbers,
    ListOriginationNumbersRequest, ListOriginationNumbersResult, ListPhoneNumbersOptedOut,
    ListPhoneNumbersOptedOutInput, ListPhoneNumbersOptedOutResponse, OptInPhoneNumber, OptInPhoneNumberInput,
    OptInPhoneNumberResponse, SetSMSAttributes, SetSMSAttributesInput, SetSMSAttributesResponse,
};

use super::everything;
use crate::Topics;
use crate::error::Error;
use crate::model::Scope;
use crate::model::protocol::is_phone;

const ATTRIBUTES: [&str; 6] = [
    "MonthlySpendLimit",
    "DeliveryStatusIAMRole",
    "DeliveryStatusSuccessSamplingRate",
    "DefaultSenderID",
    "DefaultSMSType",
    "UsageReportS3Bucket",
];
const VALUE_CHARS_MAX: usize = 2_048;

impl Handle<SetSMSAttributes> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, _input: &SetSMSAttributesInput) -> Arn {
        everything(call)
    }

    async fn handle(&self, call: &Call, input: SetSMSAttributesInput) -> Result<SetSMSAttributesResponse, Fault> {
        for (name, value) in &input.attributes {
            let known = ATTRIBUTES.contains(&name.as_str()) && value.len() <= VALUE_CHARS_MAX;
            let kind = name != "DefaultSMSType" || ["Promotional", "Transactional"].contains(&value.as_str());
            if !known || !kind {
                return Err(Error::Invalid(name.clone()).into());
            }
        }
        self.cellar.set_short_messages(&Scope::of(call), &input.attributes).await?;
        Ok(SetSMSAttributesResponse {})
    }
}

impl Handle<GetSMSAttributes> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &GetSMSAttributesInput) -> Arn {
        everything(call)
    }

    async fn handle(&self, call: &Call, input: GetSMSAttributesInput) -> Result<GetSMSAttributesResponse, Fault> {
        let mut attributes = self.cellar.short_messages(&Scope::of(call)).await?;
        if let Some(wanted) = input.attributes.filter(|wanted| !wanted.is_empty()) {
            attributes.retain(|name, _| wanted.contains(name));
        }
        Ok(GetSMSAttributesResponse { attributes: Some(attributes) })
    }
}

impl Handle<CheckIfPhoneNumberIsOptedOut> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &CheckIfPhoneNumberIsOptedOutInput) -> Arn {
        everything(call)
    }

    async fn handle(
        &self,
        _call: &Call,
        input: CheckIfPhoneNumberIsOptedOutInput,
    ) -> Result<CheckIfPhoneNumberIsOptedOutResponse, Fault> {
        check(&input.phone_number)?;
        Ok(CheckIfPhoneNumberIsOptedOutResponse { is_opted_out: Some(false) })
    }
}

impl Handle<OptInPhoneNumber> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, _input: &OptInPhoneNumberInput) -> Arn {
        everything(call)
    }

    async fn handle(&self, _call: &Call, input: OptInPhoneNumberInput) -> Result<OptInPhoneNumberResponse, Fault> {
        check(&input.phone_number)?;
        Ok(OptInPhoneNumberResponse {})
    }
}

impl Handle<ListPhoneNumbersOptedOut> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &ListPhoneNumbersOptedOutInput) -> Arn {
        everything(call)
    }

    async fn handle(
        &self,
        _call: &Call,
        _input: ListPhoneNumbersOptedOutInput,
    ) -> Result<ListPhoneNumbersOptedOutResponse, Fault> {
        Ok(ListPhoneNumbersOptedOutResponse { phone_numbers: Some(Vec::new()), next_token: None })
    }
}

impl Handle<ListOriginationNumbers> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &ListOriginationNumbersRequest) -> Arn {
        everything(call)
    }

    async fn handle(
        &self,
        _call: &Call,
        _input: ListOriginationNumbersRequest,
    ) -> Result<ListOriginationNumbersResult, Fault> {
        Ok(ListOriginationNumbersResult { phone_numbers: Some(Vec::new()), next_token: None })
    }
}

fn check(phone: &str) -> Result<(), Error> {
    if is_phone(phone) { Ok(()) } else { Err(Error::because("phoneNumber", "input incorrectly formatted")) }
}
