//! `GetFunction`: settings, a link to the code, tags (of the function only) and reserved concurrency.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{Concurrency, FunctionCodeLocation, GetFunction, GetFunctionRequest, GetFunctionResponse};

use super::lookup;
use super::view::{Shown, signed};
use crate::Functions;
use crate::model::{Code, Live};
use crate::name::{Reference, Scope};

impl Handle<GetFunction> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetFunctionRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(&self, call: &Call, input: GetFunctionRequest) -> Result<GetFunctionResponse, Fault> {
        let scope = &Scope::of(call);
        let reference = Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        let found = lookup::find(&self.store.snapshot(), scope, &reference).await?;
        let shown = Shown {
            scope,
            name: &reference.name,
            qualifier: reference.qualifier.as_ref(),
            number: found.number,
            version: &found.version,
        };
        let tags = found.function.tags;
        Ok(GetFunctionResponse {
            configuration: Some(shown.configuration()),
            code: Some(match &found.version.code {
                Code::Zip(archive) | Code::Live(Live { archive, .. }) => FunctionCodeLocation {
                    repository_type: Some("S3".into()),
                    location: Some(self.location(call, archive)),
                    ..FunctionCodeLocation::default()
                },
                Code::Image(pinned) => FunctionCodeLocation {
                    repository_type: Some("ECR".into()),
                    image_uri: Some(pinned.uri.clone()),
                    resolved_image_uri: Some(pinned.resolved()),
                    ..FunctionCodeLocation::default()
                },
            }),
            tags: (!tags.is_empty() && found.number.is_none()).then_some(tags),
            tags_error: None,
            concurrency: found
                .function
                .concurrency_reserved
                .map(|reserved| Concurrency { reserved_concurrent_executions: Some(signed(reserved)) }),
        })
    }
}
