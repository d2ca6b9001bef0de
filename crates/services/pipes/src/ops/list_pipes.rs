//! `ListPipes`: by name, those that all given conditions hold for. At most 100 a page.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::pipes::{ListPipes, ListPipesRequest, ListPipesResponse, Pipe as Listed};

use super::describe_pipe::reason;
use super::{current, time, wanted};
use crate::Pipes;
use crate::model::Scope;

const PAGE_MAX: usize = 100;

impl Handle<ListPipes> for Pipes {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &ListPipesRequest) -> Arn {
        Scope::of(call).arn("*")
    }

    async fn handle(&self, call: &Call, input: ListPipesRequest) -> Result<ListPipesResponse, Fault> {
        let scope = &Scope::of(call);
        let begins =
            |text: &str, prefix: &Option<String>| prefix.as_ref().is_none_or(|prefix| text.starts_with(prefix));
        let mut found = self.table.of_scope(scope);
        found.retain(|seen| {
            let pipe = &seen.pipe;
            begins(&pipe.name, &input.name_prefix)
                && begins(&pipe.source, &input.source_prefix)
                && begins(&pipe.target, &input.target_prefix)
                && input.desired_state.as_ref().is_none_or(|state| state.as_str() == wanted(pipe))
                && input.current_state.as_ref().is_none_or(|state| state.as_str() == current(seen))
                // The token is the last name of the page before, so it stays right while pipes come and go.
                && input.next_token.as_ref().is_none_or(|after| pipe.name > *after)
        });
        let most = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
        let more = found.len() > most;
        found.truncate(most);
        let pipes: Vec<Listed> = found
            .iter()
            .map(|seen| Listed {
                name: Some(seen.pipe.name.clone()),
                arn: Some(scope.arn(&seen.pipe.name).to_string()),
                desired_state: Some(wanted(&seen.pipe).into()),
                current_state: Some(current(seen).into()),
                state_reason: Some(reason(seen)),
                creation_time: time(seen.pipe.created_ms),
                last_modified_time: time(seen.pipe.modified_ms),
                source: Some(seen.pipe.source.clone()),
                target: Some(seen.pipe.target.clone()),
                enrichment: (!seen.pipe.enrichment.is_empty()).then(|| seen.pipe.enrichment.clone()),
            })
            .collect();
        let next_token = pipes.last().filter(|_| more).and_then(|last| last.name.clone());
        Ok(ListPipesResponse { pipes: Some(pipes), next_token })
    }
}
