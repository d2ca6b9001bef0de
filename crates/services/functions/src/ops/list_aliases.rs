//! `ListAliases`: by name, perhaps only those of one version. At most 50 a page.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{ListAliases, ListAliasesRequest, ListAliasesResponse};

use super::{lookup, view};
use crate::model::alias::Target;
use crate::name::{Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, page};

impl Handle<ListAliases> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListAliasesRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(&self, call: &Call, input: ListAliasesRequest) -> Result<ListAliasesResponse, Fault> {
        let scope = &Scope::of(call);
        let name = &Reference::parse_unqualified(scope, &input.function_name)?;
        let request = page::Request::read(input.marker.as_deref(), input.max_items)?;
        let of = input.function_version.as_deref().map(Target::parse).transpose()?;
        let snapshot = self.store.snapshot();
        let place = Place::new(scope, name);
        lookup::function(&snapshot, &place).await?;
        let mut aliases = place.aliases(&snapshot).await.map_err(Refusal::from)?;
        aliases.retain(|_, alias| match of {
            None => true,
            Some(Target::Latest) => alias.target == Target::Latest,
            Some(Target::Version(number)) => alias.points_at(number),
        });
        let (items, next_marker) = request.take(aliases, |(alias, _)| alias.clone());
        let shown = items.iter().map(|(alias_name, alias)| view::alias(scope, name, alias_name, alias)).collect();
        Ok(ListAliasesResponse { aliases: Some(shown), next_marker })
    }
}
