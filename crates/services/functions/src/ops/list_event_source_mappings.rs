//! `ListEventSourceMappings`: all of the region, or those of a source, of a function, or of both.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{ListEventSourceMappings, ListEventSourceMappingsRequest, ListEventSourceMappingsResponse};

use super::mapping_view::{Moment, shown};
use crate::model::mapping::Mapping;
use crate::name::{Reference, Scope};
use crate::store::{Refusal, mapping as stored};
use crate::{Functions, page};

impl Handle<ListEventSourceMappings> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, _input: &ListEventSourceMappingsRequest) -> Arn {
        Arn::any()
    }

    async fn handle(
        &self,
        call: &Call,
        input: ListEventSourceMappingsRequest,
    ) -> Result<ListEventSourceMappingsResponse, Fault> {
        let scope = &Scope::of(call);
        let request = page::Request::read(input.marker.as_deref(), input.max_items)?;
        let function = input.function_name.as_deref().map(|name| Reference::parse(scope, name)).transpose()?;
        let source = input.event_source_arn;
        let mut all = stored::of_scope(&self.store.snapshot(), scope).await.map_err(Refusal::from)?;
        all.retain(|mapping| {
            function.as_ref().is_none_or(|function| mapping.function == *function)
                && source.as_ref().is_none_or(|source| mapping.source.to_string() == *source)
        });
        all.sort_by_key(|mapping| mapping.id.to_string());
        let (page, next_marker) = request.take(all, |mapping| mapping.id.to_string());
        let look = |mapping: &Mapping| shown(scope, mapping, Moment::Looked(self.mappings.doing(scope, &mapping.id)));
        Ok(ListEventSourceMappingsResponse {
            next_marker,
            event_source_mappings: Some(page.iter().map(look).collect()),
        })
    }
}
