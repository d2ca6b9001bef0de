//! `CreateFunctionUrlConfig`: an address of its own for `$LATEST` or an alias. The address is the same each time it is made.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{CreateFunctionUrlConfig, CreateFunctionUrlConfigRequest, CreateFunctionUrlConfigResponse};

use super::{input, view};
use crate::model::UrlConfig;
use crate::model::url::check_qualifier;
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Read, Refusal};
use crate::{Functions, faults};

impl Handle<CreateFunctionUrlConfig> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateFunctionUrlConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(
        &self,
        call: &Call,
        input: CreateFunctionUrlConfigRequest,
    ) -> Result<CreateFunctionUrlConfigResponse, Fault> {
        let scope = &Scope::of(call);
        let reference = &Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        check_qualifier(reference.qualifier.as_ref())?;
        let now_ms = self.now_ms();
        let url = &UrlConfig {
            id: self.links.url_id(&scope.arn_of(reference)),
            auth: input::auth(&input.auth_type),
            cors: input.cors.map(input::cors).transpose()?,
            mode: input.invoke_mode.as_ref().map(input::invoke_mode).unwrap_or_default(),
            created_ms: now_ms,
            modified_ms: now_ms,
        };
        let place = &Place::new(scope, &reference.name);
        let qualifier = reference.qualifier.as_ref();
        let committed = self
            .store
            .transact(|tx| async move {
                check_owner(&tx, place, qualifier).await?;
                if place.url(&tx, qualifier).await?.is_some() {
                    return Err(Refusal::from(faults::conflict(format!(
                        "Failed to create function url config for [functionArn = {}]. Error message:  FunctionUrlConfig \
                         exists for this Lambda function",
                        scope.arn_of(reference)
                    ))));
                }
                place.put_url(&tx, qualifier, url);
                Ok(())
            })
            .await;
        self.settle(scope, &reference.name, committed).await?;
        let shown = view::url(call, scope, reference, url);
        Ok(CreateFunctionUrlConfigResponse {
            function_url: shown.function_url,
            function_arn: shown.function_arn,
            auth_type: shown.auth_type,
            cors: shown.cors,
            creation_time: shown.creation_time,
            invoke_mode: shown.invoke_mode,
        })
    }
}

/// Refuses a URL of a function or alias that is not there.
async fn check_owner(read: &impl Read, place: &Place<'_>, qualifier: Option<&Qualifier>) -> Result<(), Refusal> {
    let alias = match qualifier {
        Some(Qualifier::Alias(alias)) => place.alias(read, alias).await?.is_some(),
        None | Some(Qualifier::Latest | Qualifier::Version(_)) => true,
    };
    match place.function(read).await? {
        Some(_) if alias => Ok(()),
        Some(_) | None => Err(faults::nothing_there().into()),
    }
}
