//! `ListFunctions`: all functions of the region by name, or all their versions.
//!
//! Limits: 50 items a page, whatever `MaxItems` says.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{FunctionConfiguration, ListFunctions, ListFunctionsRequest, ListFunctionsResponse};

use super::view::Shown;
use crate::model::Version;
use crate::name::{FunctionName, Qualifier, Scope};
use crate::store::{Place, Refusal, functions};
use crate::{Functions, page};

impl Handle<ListFunctions> for Functions {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, _input: &ListFunctionsRequest) -> Arn {
        Arn::any()
    }

    async fn handle(&self, call: &Call, input: ListFunctionsRequest) -> Result<ListFunctionsResponse, Fault> {
        let scope = &Scope::of(call);
        let request = page::Request::read(input.marker.as_deref(), input.max_items)?;
        let (shown, next_marker) = match input.function_version {
            Some(_) => self.every_version(scope, &request).await?,
            None => self.latest_only(scope, &request).await?,
        };
        Ok(ListFunctionsResponse { next_marker, functions: Some(shown) })
    }
}

impl Functions {
    async fn latest_only(
        &self,
        scope: &Scope,
        request: &page::Request,
    ) -> Result<(Vec<FunctionConfiguration>, Option<String>), Refusal> {
        let after = request.after.as_deref();
        let mut found = functions(&self.store.snapshot(), scope, after, request.items + 1).await?;
        let more = found.len() > request.items;
        found.truncate(request.items);
        let next = found.last().filter(|_| more).map(|(name, _)| page::marker(name.as_str()));
        let shown = found
            .iter()
            .map(|(name, function)| {
                Shown { scope, name, qualifier: None, number: None, version: &function.latest }.listed()
            })
            .collect();
        Ok((shown, next))
    }

    /// `$LATEST` and the published versions of one function after the other. A marker is `NAME:NUMBER`, with 0 for `$LATEST`.
    async fn every_version(
        &self,
        scope: &Scope,
        request: &page::Request,
    ) -> Result<(Vec<FunctionConfiguration>, Option<String>), Refusal> {
        let snapshot = self.store.snapshot();
        let after = request.after.as_deref().and_then(|after| after.rsplit_once(':'));
        let (name_after, number_after) = after.map_or(("", None), |(name, number)| (name, number.parse::<u64>().ok()));
        let mut items: Vec<(FunctionName, u64, Version)> = Vec::new();
        // The function that the last page ended in may have more versions, so it is looked at again.
        let resumed = FunctionName::parse(name_after);
        let resumed = match &resumed {
            Some(name) => Place::new(scope, name).function(&snapshot).await?.map(|function| (name.clone(), function)),
            None => None,
        };
        let later =
            functions(&snapshot, scope, Some(name_after).filter(|name| !name.is_empty()), request.items + 1).await?;
        for (name, function) in resumed.into_iter().chain(later) {
            if items.len() > request.items {
                break;
            }
            let versions = Place::new(scope, &name).versions(&snapshot).await?;
            let all = std::iter::once((0, function.latest)).chain(versions);
            let fresh = all.filter(|(number, _)| name.as_str() != name_after || Some(*number) > number_after);
            items.extend(fresh.map(|(number, version)| (name.clone(), number, version)));
        }
        let more = items.len() > request.items;
        items.truncate(request.items);
        let next = items.last().filter(|_| more).map(|(name, number, _)| page::marker(&format!("{name}:{number}")));
        let shown = items
            .iter()
            .map(|(name, number, version)| {
                let number = (*number > 0).then_some(*number);
                let qualifier = number.map_or(Qualifier::Latest, Qualifier::Version);
                Shown { scope, name, qualifier: Some(&qualifier), number, version }.listed()
            })
            .collect();
        Ok((shown, next))
    }
}
