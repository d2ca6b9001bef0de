//! `UpdateFunctionConfiguration`: new settings for `$LATEST`; what is not named stays.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{FunctionConfiguration, UpdateFunctionConfiguration, UpdateFunctionConfigurationRequest};

use super::input::{self, Unserved};
use super::lookup;
use super::view::Shown;
use crate::Functions;
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
        let layers = &self.layers_of(scope, input.layers.as_deref()).await?;
        let input = &input;
        if input.runtime.is_some() || input.handler.is_some() || layers.is_some() {
            let latest = lookup::function(&self.store.snapshot(), place).await?.latest;
            let settings = input::updated(name, &latest, input, layers.clone())?;
            self.compile_what_is_there(&latest.code, &settings).await?;
            self.check_size(&latest.code, &settings).await?;
        }
        let committed = self
            .store
            .transact(|tx| async move {
                let mut function = lookup::function(&tx, place).await?;
                lookup::check_revision(input.revision_id.as_deref(), &function.latest.revision)?;
                let before = function.latest.clone();
                let settings = input::updated(name, &before, input, layers.clone())?;
                function.update(before.code.clone(), settings, self.now_ms(), self.random.uuid());
                place.put_function(&tx, &self.blobs, Some(&before), &function).await?;
                Ok::<_, Refusal>(function)
            })
            .await;
        let function = self.settle(scope, name, committed).await?;
        Ok(Shown { scope, name, qualifier: None, number: None, version: &function.latest }.configuration())
    }
}
