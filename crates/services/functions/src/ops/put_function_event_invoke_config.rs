//! `PutFunctionEventInvokeConfig`: what becomes of asynchronous invocations of a function, version or alias. What is not named is
//! taken back to its default.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{
    DestinationConfig, FunctionEventInvokeConfig, PutFunctionEventInvokeConfig, PutFunctionEventInvokeConfigRequest,
};

use super::view::{self, unsigned};
use crate::model::EventInvoke;
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Read, Refusal};
use crate::{Functions, faults};

impl Handle<PutFunctionEventInvokeConfig> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &PutFunctionEventInvokeConfigRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(
        &self,
        call: &Call,
        input: PutFunctionEventInvokeConfigRequest,
    ) -> Result<FunctionEventInvokeConfig, Fault> {
        let scope = &Scope::of(call);
        let reference = &Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        let wanted = &Wanted {
            retries_max: input.maximum_retry_attempts,
            age_max_s: input.maximum_event_age_in_seconds,
            destinations: input.destination_config,
        };
        if wanted.is_empty() {
            return Err(faults::invalid("You must specify at least one of error handling or destination setting."));
        }
        let (place, qualifier) = (&Place::new(scope, &reference.name), &reference.or_latest());
        let now_ms = self.now_ms();
        let committed = self.store.transact(|tx| async move {
            check_owner(&tx, place, qualifier).await?;
            let config = wanted.over(EventInvoke::default(), now_ms)?;
            config.check(place.name, |name| self.table.get(scope, name).is_some())?;
            place.put_event_invoke(&tx, qualifier, &config);
            Ok::<_, Refusal>(config)
        });
        let committed = committed.await;
        let config = self.settle(scope, &reference.name, committed).await?;
        Ok(view::event_invoke(scope, reference, &config))
    }
}

/// What a caller wants changed.
pub(super) struct Wanted {
    pub(super) retries_max: Option<i32>,
    pub(super) age_max_s: Option<i32>,
    pub(super) destinations: Option<DestinationConfig>,
}

impl Wanted {
    pub(super) fn is_empty(&self) -> bool {
        self.retries_max.is_none() && self.age_max_s.is_none() && self.destinations.is_none()
    }

    /// What there is, with what is wanted laid over it; an empty destination takes one away.
    pub(super) fn over(&self, config: EventInvoke, now_ms: i64) -> Result<EventInvoke, Fault> {
        let mut config = EventInvoke { modified_ms: now_ms, ..config };
        if let Some(retries) = self.retries_max {
            config.retries_max = Some(unsigned("maximumRetryAttempts", retries)?);
        }
        if let Some(seconds) = self.age_max_s {
            config.age_max_s = Some(unsigned("maximumEventAgeInSeconds", seconds)?);
        }
        let destinations = self.destinations.as_ref();
        if let Some(on_success) = destinations.and_then(|destinations| destinations.on_success.as_ref()) {
            config.on_success = on_success.destination.clone().filter(|arn| !arn.is_empty());
        }
        if let Some(on_failure) = destinations.and_then(|destinations| destinations.on_failure.as_ref()) {
            config.on_failure = on_failure.destination.clone().filter(|arn| !arn.is_empty());
        }
        Ok(config)
    }
}

/// Refuses a configuration of what is not there.
pub(super) async fn check_owner(read: &impl Read, place: &Place<'_>, qualifier: &Qualifier) -> Result<(), Refusal> {
    let is_there = match qualifier {
        Qualifier::Latest => true,
        Qualifier::Version(number) => place.version(read, *number).await?.is_some(),
        Qualifier::Alias(alias) => place.alias(read, alias).await?.is_some(),
    };
    match place.function(read).await? {
        Some(_) if is_there => Ok(()),
        Some(_) | None => Err(faults::not_found("The function doesn't exist.").into()),
    }
}

/// What callers are told who ask for a configuration that is not there.
pub(super) fn none_of(scope: &Scope, reference: &Reference) -> Fault {
    let arn = scope.arn_qualified(&reference.name, &reference.or_latest());
    faults::not_found(format!("The function {arn} doesn't have an EventInvokeConfig"))
}
