//! `ListFunctionUrlConfigs`: the function's own, then its aliases'. At most 50 a page.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{ListFunctionUrlConfigs, ListFunctionUrlConfigsRequest, ListFunctionUrlConfigsResponse};

use super::{lookup, view};
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, page};

impl Handle<ListFunctionUrlConfigs> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListFunctionUrlConfigsRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(
        &self,
        call: &Call,
        input: ListFunctionUrlConfigsRequest,
    ) -> Result<ListFunctionUrlConfigsResponse, Fault> {
        let scope = &Scope::of(call);
        let name = Reference::parse_unqualified(scope, &input.function_name)?;
        let request = page::Request::read(input.marker.as_deref(), input.max_items)?;
        let snapshot = self.store.snapshot();
        let place = Place::new(scope, &name);
        lookup::function(&snapshot, &place).await?;
        let urls = place.urls(&snapshot).await.map_err(Refusal::from)?;
        // The dash keeps the function's own, whose text is empty, apart from "no marker".
        let text = |qualifier: &Option<Qualifier>| {
            qualifier.as_ref().map_or_else(|| "-".to_owned(), |qualifier| format!("-{qualifier}"))
        };
        let (items, next_marker) = request.take(urls, |(qualifier, _)| text(qualifier));
        let shown = items
            .into_iter()
            .map(|(qualifier, url)| view::url(call, scope, &Reference { name: name.clone(), qualifier }, &url));
        Ok(ListFunctionUrlConfigsResponse { function_url_configs: shown.collect(), next_marker })
    }
}
