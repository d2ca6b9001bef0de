//! `GetFunctionUrlConfig`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{GetFunctionUrlConfig, GetFunctionUrlConfigRequest, GetFunctionUrlConfigResponse};

use super::view;
use crate::model::url::check_qualifier;
use crate::name::{Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<GetFunctionUrlConfig> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetFunctionUrlConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(
        &self,
        call: &Call,
        input: GetFunctionUrlConfigRequest,
    ) -> Result<GetFunctionUrlConfigResponse, Fault> {
        let scope = &Scope::of(call);
        let reference = &Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        check_qualifier(reference.qualifier.as_ref())?;
        let place = Place::new(scope, &reference.name);
        let url = place.url(&self.store.snapshot(), reference.qualifier.as_ref()).await.map_err(Refusal::from)?;
        let shown = view::url(call, scope, reference, &url.ok_or_else(faults::nothing_there)?);
        Ok(GetFunctionUrlConfigResponse {
            function_url: shown.function_url,
            function_arn: shown.function_arn,
            auth_type: shown.auth_type,
            cors: shown.cors,
            creation_time: shown.creation_time,
            last_modified_time: shown.last_modified_time,
            invoke_mode: shown.invoke_mode,
        })
    }
}
