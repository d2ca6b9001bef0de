//! `GetAccountSettings`: the limits of the account and region, and what is used of them.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{
    AccountLimit, AccountUsage, GetAccountSettings, GetAccountSettingsRequest, GetAccountSettingsResponse,
};

use super::view::signed;
use crate::Functions;
use crate::active::CONCURRENCY_MAX;
use crate::model::package;
use crate::name::Scope;

impl Handle<GetAccountSettings> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, _input: &GetAccountSettingsRequest) -> Arn {
        Arn::any()
    }

    async fn handle(
        &self,
        call: &Call,
        _input: GetAccountSettingsRequest,
    ) -> Result<GetAccountSettingsResponse, Fault> {
        let table = self.table.scope(&Scope::of(call));
        let long = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        Ok(GetAccountSettingsResponse {
            account_limit: Some(AccountLimit {
                total_code_size: Some(long(package::STORAGE_BYTES_MAX)),
                code_size_unzipped: Some(long(compute::UNZIPPED_BYTES_MAX)),
                code_size_zipped: Some(long(package::ZIPPED_BYTES_MAX as u64)),
                concurrent_executions: Some(signed(CONCURRENCY_MAX)),
                unreserved_concurrent_executions: Some(signed(CONCURRENCY_MAX.saturating_sub(table.reserved_total()))),
            }),
            account_usage: Some(AccountUsage {
                total_code_size: Some(long(table.code_bytes())),
                function_count: Some(long(table.function_count() as u64)),
            }),
        })
    }
}
