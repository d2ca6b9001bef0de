//! `ListVersionsByFunction`: `$LATEST`, then the published versions by number. At most 50 a page.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{ListVersionsByFunction, ListVersionsByFunctionRequest, ListVersionsByFunctionResponse};

use super::lookup;
use super::view::Shown;
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, page};

impl Handle<ListVersionsByFunction> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListVersionsByFunctionRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(
        &self,
        call: &Call,
        input: ListVersionsByFunctionRequest,
    ) -> Result<ListVersionsByFunctionResponse, Fault> {
        let scope = &Scope::of(call);
        let name = &Reference::parse_unqualified(scope, &input.function_name)?;
        let request = page::Request::read(input.marker.as_deref(), input.max_items)?;
        let snapshot = self.store.snapshot();
        let place = Place::new(scope, name);
        let function = lookup::function(&snapshot, &place).await?;
        let versions = place.versions(&snapshot).await.map_err(Refusal::from)?;
        let all = std::iter::once((0, function.latest)).chain(versions);
        // Twenty digits, so that the order of texts is the order of numbers.
        let (items, next_marker) = request.take(all, |(number, _)| format!("{number:020}"));
        let shown = items.iter().map(|(number, version)| {
            let number = (*number > 0).then_some(*number);
            let qualifier = number.map_or(Qualifier::Latest, Qualifier::Version);
            Shown { scope, name, qualifier: Some(&qualifier), number, version }.listed()
        });
        Ok(ListVersionsByFunctionResponse { versions: Some(shown.collect()), next_marker })
    }
}
