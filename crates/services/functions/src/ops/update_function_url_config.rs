//! `UpdateFunctionUrlConfig`: what is not named stays; `Cors` is replaced as a whole, and an empty one takes it away.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{UpdateFunctionUrlConfig, UpdateFunctionUrlConfigRequest, UpdateFunctionUrlConfigResponse};

use super::{input, view};
use crate::model::url::{Cors, check_qualifier};
use crate::name::{Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<UpdateFunctionUrlConfig> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdateFunctionUrlConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(
        &self,
        call: &Call,
        input: UpdateFunctionUrlConfigRequest,
    ) -> Result<UpdateFunctionUrlConfigResponse, Fault> {
        let scope = &Scope::of(call);
        let reference = &Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        check_qualifier(reference.qualifier.as_ref())?;
        let cors = &input.cors.map(input::cors).transpose()?;
        let auth = input.auth_type.as_ref().map(input::auth);
        let mode = input.invoke_mode.as_ref().map(input::invoke_mode);
        let place = &Place::new(scope, &reference.name);
        let qualifier = reference.qualifier.as_ref();
        let committed = self
            .store
            .transact(|tx| async move {
                let mut url = place.url(&tx, qualifier).await?.ok_or_else(faults::nothing_there)?;
                url.auth = auth.unwrap_or(url.auth);
                url.mode = mode.unwrap_or(url.mode);
                if let Some(cors) = cors {
                    url.cors = (*cors != Cors::default()).then(|| cors.clone());
                }
                url.modified_ms = self.now_ms();
                place.put_url(&tx, qualifier, &url);
                Ok::<_, Refusal>(url)
            })
            .await;
        let url = self.settle(scope, &reference.name, committed).await?;
        let shown = view::url(call, scope, reference, &url);
        Ok(UpdateFunctionUrlConfigResponse {
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
