//! `ListFunctionEventInvokeConfigs`: those of a function, its versions and its aliases. At most 50 a page.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{
    ListFunctionEventInvokeConfigs, ListFunctionEventInvokeConfigsRequest, ListFunctionEventInvokeConfigsResponse,
};

use super::{lookup, view};
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, page};

impl Handle<ListFunctionEventInvokeConfigs> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListFunctionEventInvokeConfigsRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(
        &self,
        call: &Call,
        input: ListFunctionEventInvokeConfigsRequest,
    ) -> Result<ListFunctionEventInvokeConfigsResponse, Fault> {
        let scope = &Scope::of(call);
        let name = Reference::parse_unqualified(scope, &input.function_name)?;
        let request = page::Request::read(input.marker.as_deref(), input.max_items)?;
        let (snapshot, place) = (self.store.snapshot(), Place::new(scope, &name));
        lookup::function(&snapshot, &place).await?;
        let configs = place.event_invokes(&snapshot).await.map_err(Refusal::from)?;
        let (items, next_marker) = request.take(configs, |(qualifier, _)| Qualifier::to_string(qualifier));
        let shown = items.into_iter().map(|(qualifier, config)| {
            view::event_invoke(scope, &Reference { name: name.clone(), qualifier: Some(qualifier) }, &config)
        });
        Ok(ListFunctionEventInvokeConfigsResponse { function_event_invoke_configs: Some(shown.collect()), next_marker })
    }
}
