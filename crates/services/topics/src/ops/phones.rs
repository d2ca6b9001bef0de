//! The sandbox of short messages: numbers that somebody proved to have. No node is in the sandbox, so nothing depends on it; tools that
//! walk through it find it as AWS has it, and the one-time password in the outbox.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sns::{
    CreateSMSSandboxPhoneNumber, CreateSMSSandboxPhoneNumberInput, CreateSMSSandboxPhoneNumberResult,
    DeleteSMSSandboxPhoneNumber, DeleteSMSSandboxPhoneNumberInput, DeleteSMSSandboxPhoneNumberResult,
    GetSMSSandboxAccountStatus, GetSMSSandboxAccountStatusInput, GetSMSSandboxAccountStatusResult,
    ListSMSSandboxPhoneNumbers, ListSMSSandboxPhoneNumbersInput, ListSMSSandboxPhoneNumbersResult,
    SMSSandboxPhoneNumber, SMSSandboxPhoneNumberVerificationStatus, VerifySMSSandboxPhoneNumber,
    VerifySMSSandboxPhoneNumberInput, VerifySMSSandboxPhoneNumberResult,
};

use super::everything;
use crate::Topics;
use crate::error::Error;
use crate::fanout::Out;
use crate::model::Scope;
use crate::store::{Letter, Phone};

const PHONES_MAX: usize = 10;
const PASSWORD_DIGITS: usize = 6;

impl Handle<CreateSMSSandboxPhoneNumber> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, _input: &CreateSMSSandboxPhoneNumberInput) -> Arn {
        everything(call)
    }

    async fn handle(
        &self,
        call: &Call,
        input: CreateSMSSandboxPhoneNumberInput,
    ) -> Result<CreateSMSSandboxPhoneNumberResult, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let scope = Scope::of(call);
        let phones = self.cellar.phones(&scope).await?;
        let known = phones.iter().any(|phone| phone.number == input.phone_number);
        if !known && phones.len() >= PHONES_MAX {
            let why = format!("The sandbox holds {PHONES_MAX} phone numbers already");
            return Err(Error::because("PhoneNumber", why).into());
        }
        let password = self.random.text("0123456789", PASSWORD_DIGITS);
        let letter = Letter {
            id: self.random.uuid(),
            message: self.random.uuid(),
            protocol: "sms".to_owned(),
            to: input.phone_number.clone(),
            subject: None,
            body: format!("Your verification code is {password}."),
            topic: None,
            at_ms: self.clock.now_ms(),
        };
        let phone = Phone { number: input.phone_number, verified: false, password };
        self.cellar.put_phone(&scope, &phone).await?;
        self.commit(&[Out::Letter(Box::new(letter), None)], |_| {}).await?;
        Ok(CreateSMSSandboxPhoneNumberResult {})
    }
}

impl Handle<VerifySMSSandboxPhoneNumber> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, _input: &VerifySMSSandboxPhoneNumberInput) -> Arn {
        everything(call)
    }

    async fn handle(
        &self,
        call: &Call,
        input: VerifySMSSandboxPhoneNumberInput,
    ) -> Result<VerifySMSSandboxPhoneNumberResult, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let scope = Scope::of(call);
        let phones = self.cellar.phones(&scope).await?;
        let phone = phones.into_iter().find(|phone| phone.number == input.phone_number);
        let phone = phone.ok_or(Error::PhoneMissing)?;
        let good = verify_slices_are_equal(phone.password.as_bytes(), input.one_time_password.as_bytes()).is_ok();
        if !good {
            return Err(Error::PasswordWrong.into());
        }
        self.cellar.put_phone(&scope, &Phone { verified: true, ..phone }).await?;
        Ok(VerifySMSSandboxPhoneNumberResult {})
    }
}

impl Handle<DeleteSMSSandboxPhoneNumber> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, _input: &DeleteSMSSandboxPhoneNumberInput) -> Arn {
        everything(call)
    }

    async fn handle(
        &self,
        call: &Call,
        input: DeleteSMSSandboxPhoneNumberInput,
    ) -> Result<DeleteSMSSandboxPhoneNumberResult, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        self.cellar.delete_phone(&Scope::of(call), &input.phone_number).await?;
        Ok(DeleteSMSSandboxPhoneNumberResult {})
    }
}

impl Handle<ListSMSSandboxPhoneNumbers> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &ListSMSSandboxPhoneNumbersInput) -> Arn {
        everything(call)
    }

    async fn handle(
        &self,
        call: &Call,
        _input: ListSMSSandboxPhoneNumbersInput,
    ) -> Result<ListSMSSandboxPhoneNumbersResult, Fault> {
        let show = |phone: Phone| SMSSandboxPhoneNumber {
            phone_number: Some(phone.number),
            status: Some(match phone.verified {
                true => SMSSandboxPhoneNumberVerificationStatus::Verified,
                false => SMSSandboxPhoneNumberVerificationStatus::Pending,
            }),
        };
        let phones = self.cellar.phones(&Scope::of(call)).await?;
        // There are never more than one page.
        Ok(ListSMSSandboxPhoneNumbersResult { phone_numbers: phones.into_iter().map(show).collect(), next_token: None })
    }
}

impl Handle<GetSMSSandboxAccountStatus> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &GetSMSSandboxAccountStatusInput) -> Arn {
        everything(call)
    }

    async fn handle(
        &self,
        _call: &Call,
        _input: GetSMSSandboxAccountStatusInput,
    ) -> Result<GetSMSSandboxAccountStatusResult, Fault> {
        Ok(GetSMSSandboxAccountStatusResult { is_in_sandbox: false })
    }
}
