//! `UpdateFunctionConfiguration`: new settings for `$LATEST`; what is not named stays.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{FunctionConfiguration, UpdateFunctionConfiguration, UpdateFunctionConfigurationRequest};

use super::input::{self, Unserved};
use super::lookup;
use super::view::Shown;
use crate::Functions;
use crate::model::Version;
use crate::name::{Reference, Scope};
use crate::store::{Place, Refusal};

impl Handle<UpdateFunctionConfiguration> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdateFunctionConfigurationRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(
        &self,
        call: &Call,
        input: UpdateFunctionConfigurationRequest,
    ) -> Result<FunctionConfiguration, Fault> {
        let scope = &Scope::of(call);
        let name = &Reference::parse_unqualified(scope, &input.function_name)?;
        input::refuse(&Unserved::of_update(&input))?;
        if let Some(runtime) = &input.runtime {
            self.check_language(runtime.as_str()).await?;
        }
        let place = &Place::new(scope, name);
        let input = &input;
        if input.runtime.is_some() || input.handler.is_some() {
            let Version { settings, code, .. } = lookup::function(&self.store.snapshot(), place).await?.latest;
            self.compile_what_is_there(&code, &input::updated(name, settings, input)?).await?;
        }
        let committed = self
            .store
            .transact(|tx| async move {
                let mut function = lookup::function(&tx, place).await?;
                lookup::check_revision(input.revision_id.as_deref(), &function.latest.revision)?;
                let settings = input::updated(name, function.latest.settings.clone(), input)?;
                let code = function.latest.code.clone();
                function.update(code.clone(), settings, self.now_ms(), self.random.uuid());
                place.put_function(&tx, &self.blobs, Some(&code), &function).await?;
                Ok::<_, Refusal>(function)
            })
            .await;
        let function = self.settle(scope, name, committed).await?;
        Ok(Shown { scope, name, qualifier: None, number: None, version: &function.latest }.configuration())
    }
}
